#include "compaction.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <lungo/log/check.hpp>

#include "batch_header.hpp"
#include "segment_directory.hpp"
#include "segment_swap.hpp"

namespace lungo {
namespace {

constexpr std::size_t kProducersMax = 100'000;
// Synced as it is written: one large sync at the end would hold up those of the appends.
constexpr std::uint64_t kUnsyncedBytesMax = 4u << 20;

// Calls take(header, batch) for each of a run of whole batches.
template <class Take>
Result<void> for_each_batch(BytesView batches, const Take& take) {
  while (!batches.empty()) {
    const Result<BatchHeader> header = parse_batch_header(batches);
    if (!header) return header.error();
    if (Result<void> taken = take(*header, batches.first(header->size_bytes())); !taken) return taken;
    batches = batches.subspan(header->size_bytes());
  }
  return {};
}

}  // namespace

Compaction::Compaction(Log log, Segments segments, std::uint64_t segment_bytes, const CompactionRound& round)
    : log_(log),
      sources_(std::move(segments)),
      segment_bytes_(segment_bytes),
      round_(round),
      keys_(round.memory_bytes),
      filter_(keys_, {.now = round.now, .tombstone_age = round.tombstone_age}) {
  keys_.reach(round.begin);
}

Offset Compaction::end_of(std::size_t source) const {
  return source + 1 < sources_.size() ? sources_[source + 1]->base() : round_.end;
}

Result<Compaction::Turn> Compaction::step(Offset start) {
  Result<void> done;
  switch (phase_) {
    case Phase::begin:  // what a round before has left
      done = discard_cleaned(log_.storage, log_.directory);
      source_ = segment_index(sources_, round_.begin).value_or(0);
      next_ = round_.begin;
      phase_ = Phase::keys;
      break;
    case Phase::keys:
      done = take_keys(start);
      break;
    case Phase::producers:
      done = note_producers();
      break;
    case Phase::segments:
      return clean_some(start);
    case Phase::done:
      return Turn::done;
  }
  return done ? Result<Turn>{Turn::more} : done.error();
}

// ---- keys ----

Result<void> Compaction::take_keys(Offset start) {
  bool has_room = true;
  if (source_ < sources_.size()) {
    next_ = std::max({next_, sources_[source_]->base(), start});
    const auto go_to_next_source = [this] {
      next_ = std::max(next_, end_of(source_));
      keys_.reach(next_);
      ++source_;
    };
    if (sources_[source_]->damage() != nullptr) {
      go_to_next_source();
      return {};
    }
    const Result<BatchRun> run = sources_[source_]->read(next_, end_of(source_), round_.step_bytes, log_.buffers, log_.epochs,
                                                         start, Segment::Trust::nothing);
    if (!run) return run.error();
    if (key_sources_.empty() || key_sources_.back() != sources_[source_]) key_sources_.push_back(sources_[source_]);
    if (run->batches.empty()) {
      go_to_next_source();
      return {};
    }
    const Result<void> taken = for_each_batch(run->batches, [&](const BatchHeader& header, BytesView batch) -> Result<void> {
      if (!has_room) return {};
      keys_.reach(std::max(next_, header.base_offset));
      if (!takes_part(header)) return {};
      RecordCursor records{batch, next_};
      while (const RecordView* record = records.next()) {
        if (!record->has_key || keys_.put(record->key, record->offset)) continue;
        has_room = false;
        keys_.reach(record->offset);
        return {};
      }
      return records.error() ? Result<void>{*records.error()} : Result<void>{};
    });
    if (!taken) return taken;
    if (has_room) {
      next_ = run->end;
      keys_.reach(next_);
      return {};
    }
  }
  source_ = 0;
  phase_ = Phase::producers;
  return {};
}

// ---- producers ----

Result<void> Compaction::note_producers() {
  if (source_ == sources_.size() || sources_[source_]->base() >= keys_.end()) {
    source_ = 0;
    phase_ = Phase::segments;
    return {};
  }
  const Result<SegmentScan> walked = sources_[source_]->walk_headers([this](const BatchHeader& header) {
    if (header.producer == kNoProducer || too_many_producers_) return;
    last_batches_[header.producer.value()] = header.base_offset;
    too_many_producers_ = last_batches_.size() > kProducersMax;
  });
  if (!walked) return walked.error();
  records_end_.push_back(walked->end);
  ++source_;
  return {};
}

Compaction::Reading Compaction::reading() const {
  if (source_ >= sources_.size() || phase_ == Phase::begin || phase_ == Phase::done) return {};
  const std::shared_ptr<Segment>& source = sources_[source_];
  // The headers are walked from the segment's beginning on.
  if (phase_ == Phase::producers) return {source, source->base(), end_of(source_)};
  return {source, next_, next_.next()};
}

bool Compaction::is_last_of_producer(const BatchHeader& header) const {
  if (header.producer == kNoProducer) return false;
  if (too_many_producers_) return true;
  const auto last = last_batches_.find(header.producer.value());
  return last == last_batches_.end() || last->second == header.base_offset;
}

// ---- segments ----

Result<Compaction::Turn> Compaction::clean_some(Offset start) {
  if (target_ == nullptr) {
    const Result<bool> begun = begin_group();
    if (!begun) return begun.error();
    if (!*begun) phase_ = Phase::done;
    return *begun ? Turn::more : Turn::done;
  }
  const Segment& source = *sources_[source_];
  next_ = std::max({next_, source.base(), start});
  const Result<BatchRun> run =
      source.read(next_, end_of(source_), round_.step_bytes, log_.buffers, log_.epochs, start, Segment::Trust::nothing);
  if (!run) return run.error();
  if (run->batches.empty()) {
    ++source_;
    const Result<bool> joins = next_joins();
    if (!joins) return joins.error();
    if (!*joins) return finish_group();
    group_.push_back(sources_[source_]);
    return Turn::more;
  }
  next_ = run->end;
  if (Result<void> cleaned = clean(run->batches); !cleaned) return cleaned.error();
  if (unsynced_bytes_ >= kUnsyncedBytesMax) {
    if (Result<void> synced = target_->sync(false); !synced) return synced.error();
    unsynced_bytes_ = 0;
  }
  return Turn::more;
}

Result<bool> Compaction::is_left_alone(const Segment& segment) {
  Result<bool> left_alone = true;
  if (segment.damage() == nullptr) {
    left_alone = log_.storage.exists(log_.directory + "/" + segment_file_name(segment.base(), kTxnIndexSuffix));
  }
  if (left_alone && *left_alone) filter_.keep_tombstones();
  return left_alone;
}

/// False: there are no more.
Result<bool> Compaction::begin_group() {
  group_.clear();
  for (; source_ < records_end_.size() && group_.empty(); ++source_) {
    const Result<bool> left_alone = is_left_alone(*sources_[source_]);
    if (!left_alone) return left_alone;
    const bool has_batches = records_end_[source_] > sources_[source_]->base();
    if (*left_alone || !has_batches) continue;
    group_.push_back(sources_[source_]);
    break;
  }
  if (group_.empty()) return false;
  Result<std::shared_ptr<Segment>> target =
      Segment::open(log_.storage, log_.directory, group_.front()->base(), log_.options, kCleanedSuffix);
  if (!target) return target.error();
  target_ = std::move(*target);
  digest_.emplace(target_->base());
  unsynced_bytes_ = 0;
  changed_ = false;
  next_ = group_.front()->base();
  return true;
}

/// Whether the source that is next becomes one with those of the group, of which it is known by now how much is left.
Result<bool> Compaction::next_joins() {
  if (source_ >= records_end_.size()) return false;
  const Segment& next = *sources_[source_];
  const bool fits = target_->size() + last_batch_.size() + next.size() <= segment_bytes_ &&
                    end_of(source_) - group_.front()->base() <= std::numeric_limits<std::int32_t>::max();
  if (!fits) return false;
  const Result<bool> left_alone = is_left_alone(next);
  return left_alone ? Result<bool>{!*left_alone} : left_alone;
}

Result<void> Compaction::clean(BytesView batches) {
  return for_each_batch(batches, [this](const BatchHeader& before, BytesView batch) -> Result<void> {
    Result<BytesView> left = filter_.clean(batch, is_last_of_producer(before) ? Emptied::stays : Emptied::goes);
    if (!left) return left.error();
    // The last one of a segment stays as a header, unless others join behind it.
    const bool is_last = left->empty() && before.end_offset() == records_end_[source_];
    if (is_last) left = filter_.clean(batch, Emptied::stays);
    if (!left) return left.error();
    changed_ = changed_ || left->data() != batch.data();
    if (is_last) last_batch_.assign(left->begin(), left->end());
    return is_last || left->empty() ? Result<void>{} : write(*left);
  });
}

Result<void> Compaction::write(BytesView batch) {
  BatchHeader header;
  check(load_batch_header(batch.data(), header) == HeaderFault::none, "what compaction leaves is a batch");
  if (target_->size() > 0 && target_->size() + batch.size() > kSegmentBytesMax) {
    return Error{Errc::too_large, target_->path() + " would get larger than a segment can be"};
  }
  unsynced_bytes_ += batch.size();
  const std::optional<Timestamp> time = header.records_count > 0 ? std::optional{header.max_timestamp} : std::nullopt;
  Result<void> written = target_->append(batch, header.end_offset().plus(-1), time);
  if (written) digest_->add(header, batch.first(kBatchHeaderBytes));
  last_batch_.clear();  // it was not the last
  return written;
}

Result<Compaction::Turn> Compaction::finish_group() {
  if (!last_batch_.empty()) {
    const Bytes batch = std::exchange(last_batch_, {});
    if (Result<void> written = write(batch); !written) return written.error();
  }
  if (group_.size() == 1 && !changed_) {
    target_.reset();
    const Result<void> discarded = discard_cleaned(log_.storage, log_.directory);
    return discarded ? Result<Turn>{Turn::more} : discarded.error();
  }
  target_->seal();
  if (Result<void> synced = target_->sync(true); !synced) return synced.error();
  if (Result<void> written = write_digest_of_target(); !written) return written.error();
  return Turn::exchange;
}

/// Under the name that ends with .cleaned, as its other files.
Result<void> Compaction::write_digest_of_target() {
  std::uint32_t generation = 0;
  for (const std::shared_ptr<Segment>& segment : group_) {
    const Result<std::optional<SegmentDigest>> before = read_digest(log_.storage, log_.directory, segment->base());
    if (!before && before.error() == Errc::io) return before.error();
    if (before && *before) generation = std::max(generation, (*before)->generation);
  }
  const std::string path =
      log_.directory + "/" + segment_file_name(target_->base(), kDigestSuffix) + std::string(kCleanedSuffix);
  const Result<std::unique_ptr<File>> file = log_.storage.open(path, OpenMode::create);
  if (!file) return file.error();
  if (Result<void> written = (*file)->write_at(0, format_digest(digest_->finish(generation + 1))); !written) return written;
  return (*file)->sync();
}

void Compaction::exchanged() { target_.reset(); }

}  // namespace lungo
