#include "local_event_log.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "base/logger.hpp"
#include "file_cache.hpp"
#include "parallel.hpp"
#include "tailing_event_log.hpp"

namespace lungo {

namespace {

constexpr std::string_view kTailFile = "tail";
/// Syncs wait for the disk, which takes several at once: four threads that each sync a file of their own get a multiple of what
/// one thread gets that syncs them in turn.
constexpr std::size_t kFlushers = 4;
/// For the same reason, and each takes a window of 512 KiB.
constexpr std::size_t kOpenedAtATime = 4;

std::int64_t milliseconds_between(Instant begin, Instant end) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(end - begin).count();
}

}  // namespace

// ---- opening ----

LocalEventLog::LocalEventLog(Ports ports, std::unique_ptr<LogDir> dir, const LocalOptions& options)
    : LogReads(dir->path(), ports), dir_(std::move(dir)), queued_bytes_max_(options.queued_bytes_max) {}

Result<std::shared_ptr<EventLog>> LocalEventLog::open(Ports ports, const std::string& directory, const LocalOptions& options) {
  const Instant begin = ports.clock.monotonic();
  Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(ports.storage, ports.random, directory);
  if (!dir) return dir.error();
  const char* const after = (*dir)->epoch() == LeaderEpoch{0} ? "nothing"
                            : (*dir)->was_stopped_cleanly()   ? "clean-stop"
                                                              : "crash";
  const std::shared_ptr<LocalEventLog> log(new LocalEventLog(ports, std::move(*dir), options));
  const Result<Opened> opened = log->open_partitions();
  if (!opened) return opened.error();
  if (Result<void> started = log->start(); !started) return started.error();
  logger()->info("{} opened epoch={} topics={} partitions={} after={} scanned_bytes={} cut_bytes={} damaged_ranges={} ms={}",
                 directory, log->dir_->epoch().value(), log->dir_->topics().size(), opened->partitions, after,
                 opened->recovery.bytes_scanned, opened->recovery.bytes_cut, opened->recovery.damaged_ranges,
                 milliseconds_between(begin, ports.clock.monotonic()));
  return std::shared_ptr<EventLog>(log);
}

Result<LocalEventLog::Opened> LocalEventLog::open_partitions() {
  std::vector<std::shared_ptr<OpenTopic>> topics;
  for (const TopicEntry& entry : dir_->topics()) topics.push_back(topic_of(entry, nullptr));
  Result<Opened> opened = open_missing(topics, kOpenedAtATime);
  if (!opened) return opened;
  for (std::shared_ptr<OpenTopic>& topic : topics) open_topics_.add(std::move(topic));
  return opened;
}

/// With the partitions that are open `before`, if it was.
std::shared_ptr<OpenTopic> LocalEventLog::topic_of(const TopicEntry& entry, const OpenTopic* before) {
  auto topic = std::make_shared<OpenTopic>();
  topic->info = entry.info;
  topic->tail_places = tail_place_numbers(entry);
  topic->gaps = entry.gaps || entry.info.spec.compact;
  if (before != nullptr) topic->partitions = before->partitions;
  return topic;
}

/// Opens the partitions of the topics that are not, `width` at a time: more than one only while nobody holds a lock that an
/// activity may want. Errors: of the first that can't be opened.
Result<LocalEventLog::Opened> LocalEventLog::open_missing(const std::vector<std::shared_ptr<OpenTopic>>& topics,
                                                          std::size_t width) {
  std::vector<std::pair<OpenTopic*, std::size_t>> missing;
  for (const std::shared_ptr<OpenTopic>& topic : topics) {
    for (std::size_t i = topic->partitions.size(); i < topic->tail_places.size(); ++i) missing.emplace_back(topic.get(), i);
    topic->partitions.resize(topic->tail_places.size());
  }
  std::mutex mutex;
  Opened opened;                                             // under mutex
  std::optional<std::pair<std::size_t, Error>> first_error;  // under mutex
  run_in_parallel(ports().executor, width, missing.size(), [&](std::size_t job) {
    const auto [topic, index] = missing[job];
    const Result<std::shared_ptr<OpenPartition>> partition =
        open_partition(*topic, PartitionId{static_cast<std::int32_t>(index)});
    const std::lock_guard lock(mutex);
    if (!partition) {
      if (!first_error || job < first_error->first) first_error.emplace(job, partition.error());
      return;
    }
    topic->partitions[index] = *partition;
    const RecoveryReport report = (*partition)->log()->recovery();
    opened.partitions += 1;
    opened.recovery.bytes_scanned += report.bytes_scanned;
    opened.recovery.bytes_cut += report.bytes_cut;
    opened.recovery.damaged_ranges += report.damaged_ranges;
  });
  return first_error ? Result<Opened>{first_error->second} : Result<Opened>{opened};
}

/// One partition alone is no reason to keep the others closed.
std::unique_ptr<PartitionLog> LocalEventLog::stand_in(const TopicPartition& name, const PartitionOptions& options,
                                                      const Error& cause) {
  logger()->error("{}; the partition can't be read or written", cause.text());
  const std::optional<CleanEnd> clean = dir_->clean_end(name);
  const Offset end = std::max(dir_->recovery_point(name), clean ? clean->end : Offset{0});
  return PartitionLog::unreadable(ports(), dir_->partition_path(name), options, cause, end);
}

Result<std::shared_ptr<OpenPartition>> LocalEventLog::open_partition(const OpenTopic& topic, PartitionId number) {
  const TopicPartition name{topic.info.spec.name, number};
  PartitionOptions options;
  options.segment_bytes = topic.info.spec.segment_bytes;
  options.streams = topic.info.spec.streams;
  options.gaps = topic.gaps;
  options.compression = topic.info.spec.compression;
  options.timestamps = topic.info.spec.timestamps;
  options.producer_expiry = topic.info.spec.producer_expiry;
  options.start = dir_->log_start(name);
  Result<std::unique_ptr<PartitionLog>> log =
      PartitionLog::open(ports(), dir_->partition_path(name), options, dir_->clean_end(name), dir_->recovery_point(name));
  if (!log && log.error() == Errc::corrupt) {
    log = stand_in(name, options, log.error().with_context(to_string(name)));
  }
  if (!log) return log.error().with_context(to_string(name));
  check((*log)->synced_end() == (*log)->written_end(), "opening a partition syncs what it found");
  const Offset committed = (*log)->synced_end();
  return std::make_shared<OpenPartition>(name, topic.info.id, std::move(*log), committed);
}

/// Makes the opened directory ours, and begins to work. Before the first append, after the last check.
Result<void> LocalEventLog::start() {
  LeaderEpoch newest = kNoEpoch;  // batches of a broker may be of a later epoch than this directory has had
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      newest = std::max(newest, partition->log()->last_epoch());
    }
  }
  if (Result<void> begun = dir_->begin_writing(newest); !begun) return begun;
  std::vector<TailPlace> places(tail_places_end(dir_->topics()));
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const OpenPartition& partition = *topic->partitions[i];
      if (partition.log()->unreadable_since_opening()) continue;
      places[topic->tail_places[i]] = {.start = partition.log()->start(), .end = partition.committed()};
    }
  }
  Result<std::unique_ptr<TailWriter>> tail =
      TailWriter::open(ports().storage, dir_->path() + "/" + std::string(kTailFile), dir_->epoch(), places);
  if (!tail) return tail.error();
  tail_ = std::move(*tail);
  for (std::size_t i = 0; i < kFlushers; ++i) flushers_.push_back(std::make_unique<Flusher>(ports().executor));
  Housekeeper::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.move_starts = [this](const std::vector<StartMove>& moves) { return move_starts(moves); };
  housekeeper_ = std::make_unique<Housekeeper>(ports(), open_topics_, std::move(hooks));
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) add_queues(*topic);
  housekeeper_->remove_directories(dir_->take_deleted_directories());
  housekeeper_->start();
  start_compactor();
  recovery_points_ = std::make_unique<RecoveryPoints>(*dir_, dir_mutex_, open_topics_);
  recovery_points_running_ = ports().executor.start(*recovery_points_);
  started_ = true;
  return {};
}

void LocalEventLog::start_compactor() {
  Compactor::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.cleaned_end = [this](const OpenPartition& partition) {
    const std::lock_guard lock(dir_mutex_);
    return dir_->cleaned_end(partition.name());
  };
  hooks.note_cleaned_end = [this](const OpenPartition& partition, Offset end) { return note_cleaned_end(partition, end); };
  hooks.remove_files = [this](std::shared_ptr<OpenPartition> partition) { housekeeper_->trimmed(std::move(partition)); };
  compactor_ = std::make_unique<Compactor>(ports(), open_topics_, std::move(hooks));
  compactor_->start();
}

/// For the partitions of the topic that have none.
void LocalEventLog::add_queues(const OpenTopic& topic) {
  AppendQueue::Options options;
  options.ack_level = topic.info.spec.ack_level;
  options.flush_interval = topic.info.spec.flush_interval;
  options.queued_bytes_max = queued_bytes_max_;
  options.streams = topic.info.spec.streams;
  options.compact = topic.info.spec.compact;
  options.batches.bytes_max = topic.info.spec.batch_bytes_max;
  options.batches.keys_needed = topic.info.spec.compact;
  options.batches.key_hashes = topic.info.spec.streams;
  options.epoch = dir_->epoch();
  const std::unique_lock lock(queues_mutex_);
  TopicQueues& queues = queues_[topic.info.spec.name];
  for (std::size_t i = queues.size(); i < topic.partitions.size(); ++i) {
    Flusher& flusher = *flushers_[i % flushers_.size()];
    Flusher::Slot& slot = flusher.add_slot();
    AppendQueue::Hooks hooks;
    hooks.wake_flusher = [&slot] { slot.mark(); };
    hooks.publish_committed = [this, place = topic.tail_places[i]](Offset end) { tail_->publish(place, end); };
    queues.push_back({std::make_shared<AppendQueue>(topic.partitions[i], options, std::move(hooks), ports()), &flusher, &slot});
    Flusher::set_queue(slot, *queues.back().appends);
    topic.partitions[i]->log()->when_streams_are_due([this, partition = std::weak_ptr{topic.partitions[i]}] {
      if (std::shared_ptr<OpenPartition> open = partition.lock()) housekeeper_->streams_due(std::move(open));
    });
  }
}

// ---- writing ----

std::shared_ptr<AppendQueue> LocalEventLog::find_queue(const TopicPartition& partition) {
  const std::shared_lock lock(queues_mutex_);
  const auto found = queues_.find(partition.topic);
  if (found == queues_.end()) return nullptr;
  const std::int32_t index = partition.partition.value();
  if (index < 0 || static_cast<std::size_t>(index) >= found->second.size()) return nullptr;
  return found->second[static_cast<std::size_t>(index)].appends;
}

/// Null when the partition is gone, also if another one has its name.
std::shared_ptr<AppendQueue> LocalEventLog::find_queue_of(const OpenPartition& partition) {
  std::shared_ptr<AppendQueue> queue = find_queue(partition.name());
  return queue && &queue->partition() == &partition ? queue : nullptr;
}

namespace {

Error no_partition(const TopicPartition& partition) { return Error{Errc::not_found, "no partition " + to_string(partition)}; }

/// Holds its queue: after the log has gone it answers `closed`.
class LocalAppender : public Appender {
 public:
  explicit LocalAppender(std::shared_ptr<AppendQueue> queue) : queue_(std::move(queue)) {}

  Result<Appended> append_wait(const RecordFields& record, const AppendOptions& options) override {
    if (is_plain(record, options)) return queue_->append_wait(record, options.durability);
    EncodedRecords records;
    if (Result<void> added = records.add(record); !added) return added.error();
    return queue_->append_wait(records, options);
  }
  Result<Appended> append_wait(EncodedRecords& records, const AppendOptions& options) override {
    return queue_->append_wait(records, options);
  }
  Result<Appended> append_batch(BytesView batch, const AppendOptions& options) override {
    return queue_->append_batch(batch, options);
  }
  void append(const RecordFields& record, Completion completion, const AppendOptions& options) override {
    if (is_plain(record, options)) return queue_->append(record, options.durability, std::move(completion));
    AppendRequest request{.to = queue_->partition().name(), .since = options.since, .durability = options.durability};
    if (options.condition != nullptr) request.condition = *options.condition;
    if (Result<void> added = request.records.add(record); !added) return completion(added.error());
    queue_->append(std::move(request), std::move(completion));
  }

 private:
  static bool is_plain(const RecordFields& record, const AppendOptions& options) {
    return options.condition == nullptr && !options.since &&
           std::ranges::none_of(record.headers, [](const HeaderView& header) { return header.name == kIdHeader; });
  }

  const std::shared_ptr<AppendQueue> queue_;
};

}  // namespace

void LocalEventLog::append(AppendRequest request, Completion completion) {
  const std::shared_ptr<AppendQueue> queue = find_queue(request.to);
  if (queue == nullptr) return completion(no_partition(request.to));
  queue->append(std::move(request), std::move(completion));
}

// Without the timeout: a caller leads, or is told by who leads, and both are bounded by the disk.
Result<Appended> LocalEventLog::append_wait(AppendRequest request, Duration /*timeout*/) {
  const std::shared_ptr<AppendQueue> queue = find_queue(request.to);
  if (queue == nullptr) return no_partition(request.to);
  return queue->append_wait(request.records, options_of(request));
}

Result<std::shared_ptr<Appender>> LocalEventLog::appender(const TopicPartition& partition) {
  std::shared_ptr<AppendQueue> queue = find_queue(partition);
  if (queue == nullptr) return no_partition(partition);
  return std::shared_ptr<Appender>(std::make_shared<LocalAppender>(std::move(queue)));
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
  if (compactor_) compactor_->stop();
  if (housekeeper_) housekeeper_->stop();
  for (const std::unique_ptr<Flusher>& flusher : flushers_) flusher->stop();
}

void LocalEventLog::stop() {
  const Instant begin = ports().clock.monotonic();
  stop_activities();
  LogDir::CleanEnds clean_ends;
  OffsetsByPartition synced;
  bool clean = true;
  for (auto& [topic, queues] : queues_) {
    for (const Queue& queue : queues) {
      const TopicPartition& name = queue.appends->partition().name();
      const Result<CleanEnd> end = queue.appends->close();
      const std::shared_ptr<PartitionLog> log = queue.appends->partition().log();
      if (log->refused_since_opening()) {  // as it was found; the marker does not speak of it, so that it is looked at again
        synced.emplace(name, log->synced_end());
      } else if (end) {
        clean_ends.emplace(name, *end);
        synced.emplace(name, end->end);
      } else {
        clean = false;
        logger()->error("{} did not stop cleanly: {}", to_string(name), end.error().text());
      }
    }
  }
  // Of the partitions that failed nothing is known to be synced; without the marker all are walked from their recovery points.
  Result<void> noted = clean ? dir_->write_recovery_points(synced) : Result<void>{};
  if (noted && clean) noted = dir_->write_clean_stop(clean_ends);
  if (!noted) logger()->warn("{}; the next start recovers as after a crash", noted.error().text());
  logger()->info("{} closed epoch={} clean={} ms={}", dir_->path(), dir_->epoch().value(), clean && noted,
                 milliseconds_between(begin, ports().clock.monotonic()));
}

// ---- the public entry ----

namespace {

/// What a log stands on, for as long as it lives.
struct Foundation {
  Foundation(std::unique_ptr<PosixPorts> own_ports, Storage& storage, std::size_t open_files_max)
      : own(std::move(own_ports)), files(storage, open_files_max) {}

  std::unique_ptr<PosixPorts> own;  // null: the caller's
  FileCache files;
  std::shared_ptr<EventLog> log;  // destroyed first
};

Result<std::string> directory_path(const std::string& directory) {
  if (directory.empty()) return Error{Errc::invalid_argument, "the data directory has no name"};
  const std::size_t last = directory.find_last_not_of('/');
  return last == std::string::npos ? std::string("/") : directory.substr(0, last + 1);
}

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
  auto own = options.ports == nullptr ? std::make_unique<PosixPorts>() : nullptr;
  const Ports given = own ? own->ports() : *options.ports;
  const auto base = std::make_shared<Foundation>(std::move(own), given.storage, options.open_files_max);
  const Ports ports{base->files, given.clock, given.executor, given.random};
  // What a reader has opened it keeps open: its writer renames and removes files that it goes on in.
  Result<std::shared_ptr<EventLog>> log =
      options.read_only ? TailingEventLog::open(given, *path) : LocalEventLog::open(ports, *path, options);
  if (!log) return log;
  base->log = std::move(*log);
  return std::shared_ptr<EventLog>(base, base->log.get());
}

}  // namespace lungo
