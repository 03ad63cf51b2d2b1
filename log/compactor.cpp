#include "compactor.hpp"

#include <algorithm>

#include <lungo/log/deadline.hpp>

#include "base/logger.hpp"
#include "compaction_plan.hpp"

namespace lungo {

namespace {

std::uint64_t bytes_of(const std::vector<SegmentFacts>& segments) {
  std::uint64_t bytes = 0;
  for (const SegmentFacts& segment : segments) bytes += segment.bytes;
  return bytes;
}

}  // namespace

Compactor::Compactor(Ports ports, const OpenTopics& topics, Duration interval, Hooks hooks)
    : ports_(ports), topics_(topics), interval_(interval), hooks_(std::move(hooks)) {}

Instant Compactor::step(Instant now) {
  if (partition_) {
    go_on();
    return now;
  }
  if (topics_to_see_.empty() && now >= next_round_) {
    topics_to_see_ = topics_.all();
    std::erase_if(topics_to_see_, [](const auto& topic) { return !topic->info.spec.compact; });
    next_round_ = deadline_after(now, interval_);
    failure_logged_ = false;
  }
  if (!find_work() && topics_to_see_.empty()) return next_round_;
  return now;
}

/// Looks at one partition.
bool Compactor::find_work() {
  if (topics_to_see_.empty()) return false;
  // As it is by now: it may have changed since the round began.
  const Result<std::shared_ptr<const OpenTopic>> topic = topics_.find(topics_to_see_.back()->info.spec.name);
  if (!topic || next_partition_ >= (*topic)->partitions.size()) {
    next_partition_ = 0;
    topics_to_see_.pop_back();
    return false;
  }
  const std::shared_ptr<OpenPartition> partition = (*topic)->partitions[next_partition_++];
  const std::shared_ptr<PartitionLog> log = partition->log();
  if (log == nullptr) return false;  // at rest: nothing has come since it was left, and nobody reads it
  const std::optional<CompactionRound> round = round_for((*topic)->info.spec, *partition);
  if (!round) return false;
  partition_ = partition;
  log_ = log;
  round_ = *round;
  begun_ = ports_.clock.monotonic();
  return true;
}

std::optional<CompactionRound> Compactor::round_for(const TopicSpec& spec, const OpenPartition& partition) {
  const Timestamp now = ports_.clock.now();
  const Offset cleaned_end = hooks_.cleaned_end(partition);
  std::optional<CompactionRound> round;
  const auto look = [&](PartitionLog& log) -> Result<void> {
    if (const std::optional<Error>& refusal = log.refused_since_opening()) return *refusal;
    const std::vector<SegmentFacts> segments = log.segments();
    const Offset limit = std::min(partition.committed(), log.synced_end());
    const DirtyRange dirty = dirty_range(segments, spec, cleaned_end, limit, now);
    if (dirty.empty() || dirty.ratio() < spec.dirty_ratio_min) return {};
    round = CompactionRound{.begin = dirty.begin, .end = dirty.end, .now = now, .tombstone_age = spec.tombstone_age};
    bytes_before_ = bytes_of(segments);
    return {};
  };
  const Result<void> synced = hooks_.sync_sealed(partition);
  const Result<void> looked = synced ? hooks_.as_owner(partition, look) : synced;
  if (!looked) note_failure(looked.error());
  return round;
}

void Compactor::go_on() {
  const Result<std::optional<Offset>> reached = log_->compact(round_);
  if (reached && !*reached) return;
  const Result<void> noted = reached ? hooks_.note_cleaned_end(*partition_, **reached) : Result<void>{reached.error()};
  hooks_.remove_files(partition_);
  if (!noted) {
    note_failure(noted.error());
    end();
    return;
  }
  const bool is_done = **reached >= round_.end || **reached <= round_.begin;  // or the keys did not fit, or the records went
  round_.begin = **reached;
  if (!is_done) return;
  std::uint64_t bytes = 0;
  static_cast<void>(hooks_.as_owner(*partition_, [&](PartitionLog& owned) -> Result<void> {
    bytes = bytes_of(owned.segments());
    return {};
  }));
  logger()->info("{} compacted up to offset {}: bytes={} before={} ms={}", to_string(partition_->name()), round_.begin.value(),
                 bytes, bytes_before_,
                 std::chrono::duration_cast<std::chrono::milliseconds>(ports_.clock.monotonic() - begun_).count());
  end();
}

void Compactor::end() {
  partition_.reset();
  log_.reset();
}

/// The next round tries again.
void Compactor::note_failure(const Error& cause) {
  const bool is_gone = cause == Errc::closed || cause == Errc::partition_failed || cause == Errc::not_found;
  if (is_gone || failure_logged_) return;
  failure_logged_ = true;
  logger()->warn("{}; compaction is late", cause.text());
}

}  // namespace lungo
