#include "producer_state.hpp"

#include <algorithm>
#include <limits>

namespace lungo {
namespace {

constexpr std::int32_t kSequenceMax = std::numeric_limits<std::int32_t>::max();
constexpr std::chrono::milliseconds kSweepEvery = std::chrono::minutes{10};

bool follows(std::int32_t sequence, std::int32_t last) {
  return last == kSequenceMax ? sequence == 0 : sequence == last + 1;  // the first is 0, where the last is -1: none
}

std::string name_of(const BatchHeader& batch) {
  return "producer " + std::to_string(batch.producer.value()) + " of epoch " + std::to_string(batch.producer_epoch);
}

/// Whether `one` lacks what `other` knows of the same producer: batches that can't be read any more.
bool is_behind(const Producer& one, const Producer& other) {
  if (one.batch_count == 0 || other.batch_count == 0) return false;
  return one.known().back().last < other.known().back().last;
}

Error out_of_sequence(const BatchHeader& batch, std::string_view expected) {
  return {Errc::out_of_sequence, name_of(batch) + " sends a batch with sequence " + std::to_string(batch.base_sequence) + ", " +
                                     std::string(expected)};
}

}  // namespace

std::int32_t sequence_after(std::int32_t sequence, std::int32_t delta) {
  return sequence > kSequenceMax - delta ? delta - (kSequenceMax - sequence) - 1 : sequence + delta;
}

std::int32_t ProducedBatch::first_sequence() const {
  return offset_delta > last_sequence ? kSequenceMax - (offset_delta - last_sequence) + 1 : last_sequence - offset_delta;
}

void Producer::add(const ProducedBatch& batch) {
  if (batch_count == kBatches) {
    std::shift_left(batches.begin(), batches.end(), 1);
    --batch_count;
  }
  batches[batch_count++] = batch;
}

Result<std::optional<ProducedBatch>> ProducerState::check(const BatchHeader& batch, Timestamp now,
                                                          std::optional<Offset> lost_from) const {
  const auto may_be_lost = [&] {
    return out_of_sequence(
        batch, "but batches of it may be among the records that are damaged at offset " + std::to_string(lost_from->value()));
  };
  const auto found = producers_.find(batch.producer);
  if (found == producers_.end() || is_expired(found->second, now)) {
    if (lost_from && batch.base_sequence != 0) return may_be_lost();
    return std::optional<ProducedBatch>{};
  }
  const Producer& producer = found->second;
  if (batch.producer_epoch < producer.epoch) {
    return Error{Errc::producer_fenced, name_of(batch) + " is followed by epoch " + std::to_string(producer.epoch)};
  }
  if (batch.producer_epoch > producer.epoch) {
    if (batch.base_sequence != 0) return out_of_sequence(batch, "but an epoch begins with 0");
    return std::optional<ProducedBatch>{};
  }
  const std::int32_t last_sequence = sequence_after(batch.base_sequence, batch.last_offset_delta);
  for (const ProducedBatch& known : producer.known()) {
    if (known.first_sequence() == batch.base_sequence && known.last_sequence == last_sequence) return std::optional{known};
  }
  if (lost_from && producer.batch_count > 0 && producer.known().back().last < *lost_from) return may_be_lost();
  const std::int32_t last = producer.batch_count > 0 ? producer.known().back().last_sequence : -1;
  if (!follows(batch.base_sequence, last)) return out_of_sequence(batch, "but " + std::to_string(last) + " was its last");
  return std::optional<ProducedBatch>{};
}

void ProducerState::note(const BatchHeader& batch, Timestamp now) {
  Producer& producer = find_or_add(batch.producer, now);
  producer.seen = now;
  if (batch.producer_epoch != producer.epoch && (!batch.is_control() || batch.producer_epoch > producer.epoch)) {
    producer.epoch = batch.producer_epoch;
    producer.batch_count = 0;
  }
  if (batch.is_control()) {
    producer.transaction.reset();
    return;
  }
  if (batch.is_transactional() && !producer.transaction) producer.transaction = batch.base_offset;
  if (batch.base_sequence < 0) return;
  producer.add({.last_sequence = sequence_after(batch.base_sequence, batch.last_offset_delta),
                .last = batch.base_offset.plus(batch.last_offset_delta),
                .offset_delta = batch.last_offset_delta});
}

// A clock that was ahead once must not keep a producer for ever.
void ProducerState::add(Producer producer, Timestamp now) {
  producer.seen = std::min(producer.seen, now);
  if (is_expired(producer, now)) return;
  const auto known = producers_.find(producer.id);
  if (known != producers_.end() && !is_behind(known->second, producer)) return;
  find_or_add(producer.id, now) = producer;
}

bool ProducerState::is_expired(const Producer& producer, Timestamp now) const {
  if (producer.transaction || producer.seen > now) return false;
  // As unsigned: a snapshot's time may be any.
  const auto age = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                   static_cast<std::uint64_t>(producer.seen.time_since_epoch().count());
  return age >= static_cast<std::uint64_t>(expiry_.count());
}

void ProducerState::expire(Timestamp now) {
  std::erase_if(producers_, [&](const auto& entry) { return is_expired(entry.second, now); });
  swept_ = now;
}

std::vector<Producer> ProducerState::producers() const {
  std::vector<Producer> all;
  all.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) all.push_back(producer);
  return all;
}

// One that has expired begins anew.
Producer& ProducerState::find_or_add(ProducerId id, Timestamp now) {
  const auto found = producers_.find(id);
  if (found != producers_.end()) {
    if (is_expired(found->second, now)) found->second = {.id = id};
    return found->second;
  }
  make_room(now);
  Producer& added = producers_[id];
  added.id = id;
  return added;
}

/// For one more. Who is quiet goes by the eighth, so that a stream of new producers does not look through all for each.
void ProducerState::make_room(Timestamp now) {
  const bool is_full = producers_.size() >= producers_max_;
  if (is_full || !swept_ || now < *swept_ || now - *swept_ >= std::min(kSweepEvery, expiry_)) expire(now);
  if (producers_.size() < producers_max_) return;
  std::vector<std::pair<Timestamp, ProducerId>> by_time;
  by_time.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) by_time.emplace_back(producer.seen, id);
  const auto last = by_time.begin() + static_cast<std::ptrdiff_t>(producers_.size() - producers_max_ + producers_max_ / 8);
  std::ranges::nth_element(by_time, last);
  for (auto it = by_time.begin(); it <= last && it != by_time.end(); ++it) producers_.erase(it->second);
}

}  // namespace lungo
