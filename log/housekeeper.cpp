#include "housekeeper.hpp"

#include <algorithm>

#include "base/logger.hpp"
#include "retention.hpp"

namespace lungo {

namespace {

constexpr Duration kRound = std::chrono::seconds{10};
constexpr Duration kLateDeletionPause = std::chrono::milliseconds{100};
constexpr std::size_t kPartitionsPerStep = 64;
constexpr std::size_t kFilesPerStep = 64;
constexpr std::size_t kTouchesPerRound = 16;
constexpr std::size_t kFailuresPerRound = 64;

bool has_limits(const TopicSpec& spec) { return spec.segment_age || spec.retention_age || spec.retention_bytes; }

}  // namespace

Housekeeper::Housekeeper(Ports ports, const OpenTopics& topics, Hooks hooks)
    : ports_(ports), topics_(topics), hooks_(std::move(hooks)), digests_(topics) {}

void Housekeeper::start() {
  const std::lock_guard lock(mutex_);
  running_ = ports_.executor.start(*this);
}

void Housekeeper::trimmed(std::shared_ptr<OpenPartition> partition) {
  const std::lock_guard lock(mutex_);
  trimmed_.push_back(std::move(partition));
  if (running_) running_->wake();
}

void Housekeeper::chores_due(std::shared_ptr<OpenPartition> partition) {
  const std::lock_guard lock(mutex_);
  chores_come_.push_back(std::move(partition));
  if (running_) running_->wake();
}

void Housekeeper::remove_directories(std::vector<std::string> paths) {
  const std::lock_guard lock(mutex_);
  directories_come_.insert(directories_come_.end(), paths.begin(), paths.end());
  if (running_ && !paths.empty()) running_->wake();
}

void Housekeeper::deletion_is_late() {
  has_late_deletions_ = true;
  const std::lock_guard lock(mutex_);
  if (running_) running_->wake();
}

void Housekeeper::stop() {
  std::unique_ptr<RunningActivity> running;
  const std::lock_guard lock(mutex_);
  running = std::move(running_);
}

Instant Housekeeper::step(Instant now) {
  const Instant next_look = finish_deletions(now);
  take_what_came();
  if (!directories_.empty()) {
    remove_from_directory();
    return now;
  }
  if (!partitions_.empty()) {
    remove_segments();
    return now;
  }
  do_chores();
  const Instant next_digest = keep_digests(now);
  if (topics_to_see_.empty() && now >= next_round_) {
    topics_to_see_ = topics_.all();
    std::erase_if(topics_to_see_, [](const auto& topic) { return !has_limits(topic->info.spec); });
    next_round_ = now + kRound;
    if (!is_in_turn_ || touches_left_ > 0) touched_last_ = nullptr;  // the last round has come to the end
    is_in_turn_ = touched_last_ == nullptr;
    touches_left_ = kTouchesPerRound;
    failures_left_ = kFailuresPerRound;
    failure_logged_ = false;
  }
  look_at_partitions();
  put_to_rest();
  const bool is_crowded = hooks_.make_room && hooks_.make_room();
  const bool is_idle = topics_to_see_.empty() && chores_.empty() && !is_crowded;
  return is_idle ? std::min({next_round_, next_digest, next_look}) : now;
}

/// When to look at them again.
Instant Housekeeper::finish_deletions(Instant now) {
  if (!has_late_deletions_.exchange(false) || !hooks_.finish_deletions()) return Instant::max();
  has_late_deletions_ = true;
  return now + kLateDeletionPause;
}

void Housekeeper::take_what_came() {
  const std::lock_guard lock(mutex_);
  directories_.insert(directories_.end(), directories_come_.begin(), directories_come_.end());
  directories_come_.clear();
  for (std::shared_ptr<OpenPartition>& partition : trimmed_) {
    if (std::ranges::find(partitions_, partition) == partitions_.end()) partitions_.push_back(std::move(partition));
  }
  trimmed_.clear();
  for (std::shared_ptr<OpenPartition>& partition : chores_come_) {
    if (std::ranges::find(chores_, partition) == chores_.end()) chores_.push_back(std::move(partition));
  }
  chores_come_.clear();
}

/// What cannot be removed now is found again by the next start.
void Housekeeper::note(const Result<void>& outcome, std::string_view what) {
  if (outcome || failure_logged_) return;
  failure_logged_ = true;
  logger()->warn("{}; {}", outcome.error().text(), what);
}

void Housekeeper::remove_from_directory() {
  const std::string directory = directories_.back();
  Result<std::vector<DirEntry>> files = ports_.storage.list(directory);
  if (files && files->size() > kFilesPerStep) {
    for (const DirEntry& file : std::span{*files}.first(kFilesPerStep)) {
      const Result<void> removed = ports_.storage.remove(directory + "/" + file.name);
      if (removed) continue;
      files = removed.error();
      break;
    }
    if (files) return;
  }
  directories_.pop_back();
  const Result<void> removed = files ? ports_.storage.remove_all(directory) : Result<void>{files.error()};
  note(removed, "the files of a deleted topic go at the next start");
}

void Housekeeper::remove_segments() {
  const std::shared_ptr<PartitionLog> log = partitions_.back()->log();  // null: the next opening removes them
  const Result<bool> more = log ? log->remove_trimmed() : false;
  if (more && *more) return;
  partitions_.pop_back();
  if (!more) note(more.error(), "deleted segments go at the next start");
}

// One step of one partition, so that a long merge here holds up no table there.
void Housekeeper::do_chores() {
  if (chores_.empty()) return;
  std::shared_ptr<OpenPartition> partition = std::move(chores_.front());
  chores_.pop_front();
  const std::shared_ptr<PartitionLog> log = partition->log();
  const Result<bool> more = log ? log->do_chores() : false;
  if (!more) return note(more.error(), "the stream index is made at the next need");
  if (*more) chores_.push_back(std::move(partition));
}

Instant Housekeeper::keep_digests(Instant now) {
  std::optional<Error> error;
  const Instant next = digests_.step(now, error);
  if (error) note(*error, "the digest of a segment is made after the next start");
  return next;
}

void Housekeeper::look_at_partitions() {
  std::vector<StartMove> moves;
  for (std::size_t seen = 0; seen < kPartitionsPerStep && !topics_to_see_.empty(); ++seen) {
    // As it is by now: it may have changed since the round began.
    const Result<std::shared_ptr<const OpenTopic>> topic = topics_.find(topics_to_see_.back()->info.spec.name);
    if (topic && next_partition_ < (*topic)->partitions.size()) {
      look_at((*topic)->info.spec, (*topic)->partitions[next_partition_++], moves);
      continue;
    }
    next_partition_ = 0;
    topics_to_see_.pop_back();
  }
  if (!moves.empty()) note(hooks_.move_starts(moves), "retention is late");
}

/// What lies at rest is too old some day, too, but a round must not open all there are: each goes on behind those that the last
/// one has opened. Null: not now.
std::shared_ptr<PartitionLog> Housekeeper::log_in_turn(const std::shared_ptr<OpenPartition>& partition) {
  const bool is_in_turn = is_in_turn_;
  if (partition.get() == touched_last_) is_in_turn_ = true;
  std::shared_ptr<PartitionLog> log = partition->log();
  if (log || !is_in_turn || touches_left_ == 0 || failures_left_ == 0) return log;
  const Result<std::shared_ptr<PartitionLog>> touched = partition->touch_for_upkeep();
  if (!touched) {  // whoever tried to open it has told why not
    --failures_left_;
    return nullptr;
  }
  --touches_left_;
  touched_last_ = partition.get();
  to_rest_.push_back(partition);
  return *touched;
}

/// Behind all that its opening has brought: files to be removed, and what the next step finds to do for it.
void Housekeeper::put_to_rest() {
  if (!topics_to_see_.empty() || !partitions_.empty() || !chores_.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!trimmed_.empty() || !chores_come_.empty()) return;
  }
  std::erase_if(to_rest_, [](const std::shared_ptr<OpenPartition>& partition) { return partition->put_to_rest(); });
}

void Housekeeper::look_at(const TopicSpec& spec, const std::shared_ptr<OpenPartition>& partition,
                          std::vector<StartMove>& moves) {
  const std::shared_ptr<PartitionLog> in_use = log_in_turn(partition);
  if (in_use == nullptr) return;
  const Timestamp now = ports_.clock.now();
  Offset target;
  const auto look = [&](PartitionLog& log) -> Result<void> {
    if (const std::optional<Error>& refusal = log.refused_since_opening()) return *refusal;
    std::vector<SegmentFacts> segments = log.segments();
    // What may go by its age does not wait until the segment is full.
    bool is_old = is_past(segments.back().newest, spec.retention_age, now);
    if (spec.segment_age) {
      const Result<std::optional<Timestamp>> since = log.active_since();
      if (!since) return since.error();
      is_old = is_old || is_past(*since, spec.segment_age, now);
    }
    if (is_old) {
      if (Result<void> rolled = log.roll(); !rolled) return rolled;
      segments = log.segments();
    }
    target = retention_target(segments, spec, std::min(partition->committed(), log.synced_end()), now);
    return {};
  };
  const Result<void> synced = hooks_.sync_sealed(*partition);
  const Result<void> looked = synced ? hooks_.as_owner(*partition, look) : synced;
  if (looked && target > in_use->start()) moves.push_back({partition, target, in_use});
  if (!looked && looked.error() != Errc::closed && looked.error() != Errc::partition_failed &&
      looked.error() != Errc::not_found) {
    note(looked, "retention is late");
  }
}

}  // namespace lungo
