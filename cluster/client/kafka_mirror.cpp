#include "client/kafka_mirror.hpp"

#include <lungo/log/log_text.hpp>

namespace lungo {

namespace {

RecordFields fields_of(const RdkRecord& record) {
  return {.timestamp = record.time, .key = record.key, .value = record.value, .headers = record.headers};
}

Error not_started(const TopicPartition& partition) {
  return Error{Errc::not_found, "no partition " + to_string(partition) + " is mirrored"};
}

}  // namespace

Result<void> KafkaMirror::make_topic(const TopicInfo& topic) {
  const std::lock_guard lock(mutex_);
  return mirror_->make_topic(topic);
}

Result<void> KafkaMirror::forget_topic(std::string_view name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(states_, [name](const auto& entry) { return entry.first.topic == name; });
  return mirror_->forget_topic(name);
}

Result<Offset> KafkaMirror::end(const TopicPartition& partition) {
  const std::lock_guard lock(mutex_);
  return mirror_->end(partition);
}

Result<RdkStart> KafkaMirror::start(const TopicPartition& partition, Offset low) {
  const std::lock_guard lock(mutex_);
  const Result<TopicInfo> topic = reads().topic(partition.topic);
  if (!topic) return topic.error();
  const Result<Ends> ends = reads().ends(partition);
  if (!ends) return ends.error();
  const Result<Offset> end = mirror_->end(partition);
  if (!end) return end.error();

  State state{.low = low, .expected = std::nullopt, .is_compacted = topic->spec.compact};
  const Result<std::optional<RecordProof>> last = mirror_->last_record(partition);
  if (!last && last.error() != Errc::corrupt) return last.error();
  const bool goes_on = last && *last && (*last)->offset >= low && *end > low && ends->start <= low;
  if (goes_on) {
    if (Result<Offset> started = mirror_->start_at(partition, low); !started) return started.error();
    state.expected = **last;
  } else if (ends->start != low || *end != low) {
    if (Result<void> emptied = mirror_->empty_from(partition, low); !emptied) return emptied.error();
  }
  states_[partition] = state;
  return RdkStart{.partition = partition, .from = state.expected ? state.expected->offset : low};
}

Result<void> KafkaMirror::trim(const TopicPartition& partition, Offset low) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(partition);
  if (found == states_.end()) return not_started(partition);
  State& state = found->second;
  const Result<Offset> end = mirror_->end(partition);
  if (!end) return end.error();
  if (low <= state.low || low > *end) return {};  // one behind the end is met by who reads, as an offset that is gone
  const Result<Offset> started = mirror_->start_at(partition, low);
  if (!started) return started.error();
  state.low = low;
  return {};
}

/// Whether what came has first what the mirror has last, and nothing else that it lacks.
bool KafkaMirror::follows(const RdkRun& run, const State& state, Offset end) {
  if (run.end && *run.end < end) return false;
  if (!state.expected) return run.records.empty() || run.records.front().offset >= end;
  if (run.records.empty()) return state.is_compacted;
  const RdkRecord& first = run.records.front();
  const bool is_there = record_proof(first.offset, fields_of(first)) == *state.expected;
  if (!is_there) return state.is_compacted && first.offset >= end;
  return run.records.size() < 2 || run.records[1].offset >= end;
}

auto KafkaMirror::begin_anew(const TopicPartition& partition, State& state) -> Result<Outcome> {
  log_text("kafka", Severity::warn,
           to_string(partition) + " is not what its mirror has, which is made anew from offset " +
               std::to_string(state.low.value()));
  if (Result<void> emptied = mirror_->empty_from(partition, state.low); !emptied) return emptied.error();
  state.expected.reset();
  return Outcome{.taken = std::nullopt, .anew = state.low};
}

auto KafkaMirror::take(const TopicPartition& partition, const RdkRun& run) -> Result<Outcome> {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(partition);
  if (found == states_.end()) return not_started(partition);
  State& state = found->second;
  if (run.records.empty() && !run.end) {
    // Where reading begins at the last record, it is that one which the cluster has not.
    const bool has_lost_it = state.expected && run.error && *run.error == Errc::offset_out_of_range;
    return has_lost_it ? begin_anew(partition, state) : Result<Outcome>{Outcome{}};
  }
  const Result<Offset> end = mirror_->end(partition);
  if (!end) return end.error();
  if (!follows(run, state, *end)) return begin_anew(partition, state);
  state.expected.reset();

  Taken taken{.partition = partition, .from = *end, .end = *end, .records = {}};
  batches_.begin(*end);
  for (const RdkRecord& record : run.records) {
    if (record.offset < *end) continue;  // the one that had to come first
    if (Result<void> added = batches_.add(record.offset, fields_of(record)); !added) return added.error();
    taken.records.push_back(record.offset);
  }
  taken.end = std::max(batches_.end(), run.end.value_or(batches_.end()));
  if (taken.end == *end) return Outcome{};
  if (Result<void> ended = batches_.end_at(taken.end); !ended) return ended.error();
  if (Result<void> copied = mirror_->append_copy(partition, batches_); !copied) return copied.error();
  if (Result<void> shown = mirror_->commit(partition, taken.end); !shown) return shown.error();
  return Outcome{.taken = std::move(taken), .anew = std::nullopt};
}

}  // namespace lungo
