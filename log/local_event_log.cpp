#include "local_event_log.hpp"

#include <algorithm>
#include <system_error>

#include "base/logger.hpp"
#include "log_foundation.hpp"
#include "tailing_event_log.hpp"

namespace lungo {

namespace {

constexpr std::string_view kTailFile = "tail";
/// Syncs wait for the disk, which takes several at once: four threads that each sync a file of their own get a multiple of what
/// one thread gets that syncs them in turn.
constexpr std::size_t kFlushers = 4;

std::int64_t milliseconds_between(Instant begin, Instant end) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(end - begin).count();
}

}  // namespace

// ---- opening ----

LocalEventLog::LocalEventLog(Ports ports, FileCache& files, std::unique_ptr<LogDir> dir, const LocalOptions& options)
    : LogReads(dir->path(), ports),
      files_(files),
      dir_(std::move(dir)),
      queued_bytes_max_(options.queued_bytes_max),
      scrub_bytes_per_second_(options.scrub_bytes_per_second),
      compaction_interval_(options.compaction_interval) {}

Result<std::shared_ptr<EventLog>> LocalEventLog::open(Ports ports, FileCache& files, const std::string& directory,
                                                      const LocalOptions& options) {
  const Instant begin = ports.clock.monotonic();
  Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(ports.storage, ports.random, directory);
  if (!dir) return dir.error();
  const char* const after = (*dir)->epoch() == LeaderEpoch{0}       ? "nothing"
                            : (*dir)->marks().was_stopped_cleanly() ? "clean-stop"
                                                                    : "crash";
  const std::shared_ptr<LocalEventLog> log(new LocalEventLog(ports, files, std::move(*dir), options));
  const Result<Opened> opened = log->open_partitions();
  if (!opened) return opened.error();
  if (Result<void> started = log->start(); !started) return started.error();
  logger()->info("{} opened epoch={} topics={} partitions={} after={} scanned_bytes={} cut_bytes={} damaged_ranges={} ms={}",
                 directory, log->dir_->epoch().value(), log->dir_->topics().size(), opened->partitions, after,
                 opened->recovery.bytes_scanned, opened->recovery.bytes_cut, opened->recovery.damaged_ranges,
                 milliseconds_between(begin, ports.clock.monotonic()));
  return std::shared_ptr<EventLog>(log);
}

/// Makes the opened directory ours, and begins to work. Before the first append, after the last check.
Result<void> LocalEventLog::start() {
  LeaderEpoch newest = kNoEpoch;  // batches of a broker may be of a later epoch than this directory has had
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      const std::shared_ptr<PartitionLog> log = partition->log();
      if (log) newest = std::max(newest, log->last_epoch());
    }
  }
  if (Result<void> begun = dir_->begin_writing(newest); !begun) return begun;
  std::vector<TailPlace> places(tail_places_end(dir_->topics()));
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const OpenPartition& partition = *topic->partitions[i];
      TailPlace& place = places[topic->tail_places[i]];
      if (const std::shared_ptr<PartitionLog> log = partition.log()) {
        if (!log->unreadable_since_opening()) place = {.start = log->start(), .end = partition.committed()};
      } else if (const std::optional<PartitionAtRest> rest = partition.rest(); rest->clean) {
        place = {.start = rest->start, .end = partition.committed()};
      }
    }
  }
  Result<std::unique_ptr<TailWriter>> tail =
      TailWriter::open(ports().storage, dir_->path() + "/" + std::string(kTailFile), dir_->epoch(), places);
  if (!tail) return tail.error();
  tail_ = std::move(*tail);
  for (std::size_t i = 0; i < kFlushers; ++i) flushers_.push_back(std::make_unique<Flusher>(ports().executor));
  Housekeeper::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.sync_sealed = [this](const OpenPartition& partition) { return sync_sealed(partition); };
  hooks.move_starts = [this](const std::vector<StartMove>& moves) { return move_starts(moves); };
  hooks.finish_deletions = [this] { return finish_late_deletions(); };
  hooks.make_room = [this] { return files_.make_room(); };
  housekeeper_ = std::make_unique<Housekeeper>(ports(), open_topics_, std::move(hooks));
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    make_room_for_queues(*topic);
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      if (const std::shared_ptr<PartitionLog> log = partition->log()) add_queue(*topic, partition, log);
    }
  }
  housekeeper_->remove_directories(dir_->take_deleted_directories());
  housekeeper_->start();
  start_compactor();
  if (scrub_bytes_per_second_ > 0) {
    scrubber_ = std::make_unique<Scrubber>(ports(), open_topics_, scrub_bytes_per_second_);
    scrubber_->start();
  }
  recovery_points_ = std::make_unique<RecoveryPoints>(*dir_, dir_mutex_, open_topics_);
  recovery_points_running_ = ports().executor.start(*recovery_points_);
  started_ = true;
  return {};
}

void LocalEventLog::start_compactor() {
  Compactor::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.sync_sealed = [this](const OpenPartition& partition) { return sync_sealed(partition); };
  hooks.cleaned_end = [this](const OpenPartition& partition) {
    const std::lock_guard lock(dir_mutex_);
    return dir_->marks().cleaned_end(partition.name());
  };
  hooks.note_cleaned_end = [this](const OpenPartition& partition, Offset end) { return note_cleaned_end(partition, end); };
  hooks.remove_files = [this](std::shared_ptr<OpenPartition> partition) { housekeeper_->trimmed(std::move(partition)); };
  compactor_ = std::make_unique<Compactor>(ports(), open_topics_, compaction_interval_, std::move(hooks));
  compactor_->start();
}

// ---- writing ----

namespace {

/// Holds its queue: after the log has gone it answers `closed`.
class LocalAppender : public Appender {
 public:
  explicit LocalAppender(std::shared_ptr<AppendQueue> queue) : queue_(std::move(queue)) {}

  Result<Appended> append_wait(const RecordFields& record, const AppenderOptions& options) override {
    if (is_plain(record, options)) return queue_->append_wait(record, options.durability);
    EncodedRecords records;
    if (Result<void> added = records.add(record); !added) return added.error();
    return queue_->append_wait(records, options);
  }
  Result<Appended> append_wait(EncodedRecords& records, const AppenderOptions& options) override {
    return queue_->append_wait(records, options);
  }
  Result<Appended> append_batch(BytesView batch, const AppenderOptions& options) override {
    return queue_->append_batch(batch, options);
  }
  void append(const RecordFields& record, Completion completion, const AppenderOptions& options) override {
    if (is_plain(record, options)) return queue_->append(record, options.durability, std::move(completion));
    AppendRequest request{.to = queue_->partition().name(), .since = options.since, .durability = options.durability};
    if (options.condition != nullptr) request.condition = *options.condition;
    if (Result<void> added = request.records.add(record); !added) return completion(added.error());
    queue_->append(std::move(request), std::move(completion));
  }

 private:
  static bool is_plain(const RecordFields& record, const AppenderOptions& options) {
    return options.condition == nullptr && !options.since &&
           std::ranges::none_of(record.headers, [](const HeaderView& header) { return header.name == kIdHeader; });
  }

  const std::shared_ptr<AppendQueue> queue_;
};

}  // namespace

void LocalEventLog::append(AppendRequest request, Completion completion) {
  const Result<std::shared_ptr<AppendQueue>> queue = queue_of(request.to);
  if (!queue) return completion(queue.error());
  (*queue)->append(std::move(request), std::move(completion));
}

// Without the timeout: a caller leads, or is told by who leads, and both are bounded by the disk.
Result<Appended> LocalEventLog::append_wait(AppendRequest request, Duration /*timeout*/) {
  const Result<std::shared_ptr<AppendQueue>> queue = queue_of(request.to);
  if (!queue) return queue.error();
  return (*queue)->append_wait(request.records, options_of(request));
}

Result<std::shared_ptr<Appender>> LocalEventLog::appender(const TopicPartition& partition) {
  Result<std::shared_ptr<AppendQueue>> queue = queue_of(partition);
  if (!queue) return queue.error();
  return std::shared_ptr<Appender>(std::make_shared<LocalAppender>(*std::move(queue)));
}

// ---- the clean stop ----

LocalEventLog::~LocalEventLog() {
  try {
    if (started_) stop();            // otherwise opening failed, and there is nothing to be told to the next one
  } catch (const std::bad_alloc&) {  // no clean stop: the next start recovers as after a crash
  }
  stop_activities();
}

void LocalEventLog::stop_activities() {
  recovery_points_running_.reset();
  if (scrubber_) scrubber_->stop();
  if (compactor_) compactor_->stop();
  if (housekeeper_) housekeeper_->stop();
  for (const std::unique_ptr<Flusher>& flusher : flushers_) flusher->stop();
}

void LocalEventLog::stop() {
  const Instant begin = ports().clock.monotonic();
  stop_activities();
  finish_late_deletions();  // those that can't be finished are by the next start
  PartitionMarks::CleanEnds clean_ends;
  OffsetsByPartition synced;
  bool clean = true;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    const TopicQueues& queues = queues_.find(topic->info.spec.name)->second;
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      clean = stop(clean_ends, synced, *topic->partitions[i], queues[i].appends.get()) && clean;
    }
  }
  // Of the partitions that failed nothing is known to be synced; without the marker all are walked from their recovery points.
  Result<void> noted = clean ? dir_->marks().write_recovery_points(synced) : Result<void>{};
  if (noted && clean) noted = dir_->write_clean_stop(clean_ends);
  if (!noted) logger()->warn("{}; the next start recovers as after a crash", noted.error().text());
  logger()->info("{} closed epoch={} clean={} ms={}", dir_->path(), dir_->epoch().value(), clean && noted,
                 milliseconds_between(begin, ports().clock.monotonic()));
}

/// Notes how the partition is left; false when nobody knows.
bool LocalEventLog::stop(PartitionMarks::CleanEnds& clean_ends, OffsetsByPartition& synced, OpenPartition& partition,
                         AppendQueue* queue) {
  const TopicPartition& name = partition.name();
  if (queue == nullptr) {  // at rest: as it was left before, if that is known
    const std::optional<PartitionAtRest> rest = partition.rest();
    if (rest->clean) clean_ends.emplace(name, *rest->clean);
    synced.emplace(name, rest->synced);
    partition.close();
    return true;
  }
  const Result<CleanEnd> end = queue->close();
  const std::shared_ptr<PartitionLog> log = partition.log();
  if (log->refused_since_opening()) {  // as it was found; the marker does not speak of it, so that it is looked at again
    synced.emplace(name, log->synced_end());
  } else if (end) {
    clean_ends.emplace(name, *end);
    synced.emplace(name, end->end);
  } else {
    logger()->error("{} did not stop cleanly: {}", to_string(name), end.error().text());
    return false;
  }
  return true;
}

// ---- the public entry ----

namespace {

/// A log, and what it stands on.
struct LogOnFoundation {
  LogOnFoundation(const Ports* ports, std::size_t open_files_max) : foundation(ports, open_files_max) {}

  LogFoundation foundation;
  std::shared_ptr<EventLog> log;  // destroyed first
};

}  // namespace

Result<std::vector<TopicInfo>> adopt_kafka_directory(const std::string& directory, const Ports* ports) {
  const Result<std::string> path = directory_path(directory);
  if (!path) return path.error();
  if (ports != nullptr) return LogDir::adopt_kafka(ports->storage, ports->random, *path);
  PosixPorts own;
  return LogDir::adopt_kafka(own.ports().storage, own.ports().random, *path);
}

Result<std::shared_ptr<EventLog>> open_local(const std::string& directory, LocalOptions options) {
  const Result<std::string> path = directory_path(directory);
  if (!path) return path.error();
  if (options.compaction_interval <= Duration::zero())
    return Error{Errc::invalid_argument, "compaction_interval is not above 0"};
  const auto base = std::make_shared<LogOnFoundation>(options.ports, options.open_files_max);
  const Ports ports = base->foundation.ports();
  Result<std::shared_ptr<EventLog>> log = std::shared_ptr<EventLog>{};
  try {
    log = options.read_only ? TailingEventLog::open(ports, *path)
                            : LocalEventLog::open(ports, base->foundation.files(), *path, options);
  } catch (const std::system_error& none_left) {
    return no_thread(*path, none_left);
  }
  if (!log) return log;
  base->log = std::move(*log);
  return std::shared_ptr<EventLog>(base, base->log.get());
}

}  // namespace lungo
