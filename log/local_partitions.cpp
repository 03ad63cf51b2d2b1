// LocalEventLog: how partitions are opened, and their append queues.

#include <algorithm>

#include <lungo/log/check.hpp>

#include "base/logger.hpp"
#include "local_event_log.hpp"
#include "parallel.hpp"

namespace lungo {

namespace {

/// They wait for the disk, as the flushers do, and each takes a window of 512 KiB.
constexpr std::size_t kOpenedAtATime = 4;
/// A partition that can't be opened is not looked at again with each call that wants it.
constexpr Duration kRetryPause = std::chrono::seconds{1};

Error no_partition(const TopicPartition& partition) { return Error{Errc::not_found, "no partition " + to_string(partition)}; }

}  // namespace

// ---- at the opening ----

/// Opens those that were not left by a clean stop, several at a time. A partition that can't be read is no reason to keep the
/// others closed. Errors: of the first one that can't be opened for another reason.
Result<LocalEventLog::Opened> LocalEventLog::open_partitions() {
  Opened opened;
  std::vector<std::shared_ptr<OpenPartition>> unclean;
  for (const TopicEntry& entry : dir_->topics()) {
    const std::shared_ptr<OpenTopic> topic = topic_of(entry, nullptr, false);
    opened.partitions += topic->partitions.size();
    std::ranges::copy_if(topic->partitions, std::back_inserter(unclean),
                         [](const auto& partition) { return !partition->rest()->clean; });
    open_topics_.add(topic);
  }
  std::mutex mutex;
  std::optional<std::pair<std::size_t, Error>> first_error;  // under mutex, as is `opened`
  run_in_parallel(ports().executor, kOpenedAtATime, unclean.size(), [&](std::size_t number) {
    {
      const std::lock_guard lock(mutex);
      if (first_error) return;  // nothing comes of it any more
    }
    const Result<std::shared_ptr<PartitionLog>> log = unclean[number]->touch();
    const std::lock_guard lock(mutex);
    if (log) {
      const RecoveryReport report = (*log)->recovery();
      opened.recovery.bytes_scanned += report.bytes_scanned;
      opened.recovery.bytes_cut += report.bytes_cut;
      opened.recovery.damaged_ranges += report.damaged_ranges;
    } else if (log.error() != Errc::io && (!first_error || number < first_error->first)) {
      first_error.emplace(number, log.error());
    }
  });
  return first_error ? Result<Opened>{first_error->second} : Result<Opened>{opened};
}

/// With the partitions that were there `before`, if any; of a new topic nothing else is there yet.
std::shared_ptr<OpenTopic> LocalEventLog::topic_of(const TopicEntry& entry, const OpenTopic* before, bool is_new) {
  auto topic = std::make_shared<OpenTopic>();
  topic->info = entry.info;
  topic->tail_places = tail_place_numbers(entry);
  topic->gaps = entry.may_have_gaps();
  topic->dense_end = entry.has_dense_end();
  if (before != nullptr) topic->partitions = before->partitions;
  PartitionOpener& opener = *this;
  for (std::size_t i = topic->partitions.size(); i < topic->tail_places.size(); ++i) {
    const TopicPartition name{entry.info.spec.name, PartitionId{static_cast<std::int32_t>(i)}};
    topic->partitions.push_back(std::make_shared<OpenPartition>(name, entry.info.id, rest_of(name, is_new), opener));
  }
  return topic;
}

/// What the directory says of the partition. One that was just made is as empty as its directory.
PartitionAtRest LocalEventLog::rest_of(const TopicPartition& name, bool is_new) const {
  if (is_new) return {.start = Offset{0}, .synced = Offset{0}, .clean = CleanEnd{Offset{0}, 0}, .failure = {}};
  PartitionAtRest rest{
      .start = dir_->marks().log_start(name), .synced = dir_->marks().recovery_point(name), .clean = {}, .failure = {}};
  rest.clean = dir_->marks().clean_end(name);
  if (rest.clean) rest.synced = rest.clean->end;  // it has a checksum, the recovery points have none
  return rest;
}

// ---- at the first use ----

Result<std::shared_ptr<PartitionLog>> LocalEventLog::open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                                    PartitionAtRest& rest) {
  if (rest.failure && ports().clock.monotonic() < rest.retry_at) return *rest.failure;
  // As it is by now: its settings may have changed, and it may be gone.
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(partition->name().topic);
  if (!topic || (*topic)->info.id != partition->topic()) return no_partition(partition->name());
  Result<std::shared_ptr<PartitionLog>> log = open_log(*partition, **topic, rest);
  if (!log) {
    rest.failure = log.error();
    rest.retry_at = ports().clock.monotonic() + kRetryPause;
    const bool fails_the_opening = tail_ == nullptr && log.error() != Errc::io;
    if (!fails_the_opening) logger()->error("{}; it can't be read or written", log.error().text());
    return log;
  }
  if (tail_ == nullptr) return log;  // the log does not write yet
  show_to_readers(**topic, *partition, **log, rest);
  if (!add_queue(**topic, partition, *log)) return no_partition(partition->name());
  return log;
}

// What is found of a partition that failed, or is damaged, is to be seen for as long as the log is open.
std::optional<PartitionAtRest> LocalEventLog::close_partition(const OpenPartition& partition,
                                                              const std::shared_ptr<PartitionLog>& log) {
  if (log->refused_since_opening() || !log->damage().empty()) return std::nullopt;
  PartitionQueue queue;
  {
    const std::unique_lock lock(queues_mutex_);
    PartitionQueue* const there = queue_at(partition.name());
    if (there == nullptr || there->appends == nullptr || &there->appends->partition() != &partition) return std::nullopt;
    constexpr long kOwners = 2;  // the partition and its queue
    if (there->appends.use_count() > 1 || log.use_count() > kOwners || partition.is_used()) return std::nullopt;
    if (log->synced_end() < log->written_end()) return std::nullopt;
    // Without waiting: a completion that the flusher calls may be about to use this partition, which waits for the caller.
    if (!there->flusher->try_forget(*there->slot)) return std::nullopt;
    queue = std::exchange(*there, PartitionQueue{});
  }
  const Result<CleanEnd> end = queue.appends->close_for_rest();
  if (end) return PartitionAtRest{.start = log->start(), .synced = end->end, .clean = *end, .failure = {}};
  logger()->error("{} did not close: {}; it is recovered at the next use", to_string(partition.name()), end.error().text());
  return PartitionAtRest{.start = log->start(), .synced = log->synced_end(), .clean = {}, .failure = {}};
}

Result<std::shared_ptr<PartitionLog>> LocalEventLog::open_log(const OpenPartition& partition, const OpenTopic& topic,
                                                              const PartitionAtRest& rest) {
  const TopicPartition& name = partition.name();
  PartitionOptions options;
  options.segment_bytes = topic.info.spec.segment_bytes;
  options.streams = topic.info.spec.streams;
  options.gaps = topic.gaps;
  options.dense_end = topic.dense_end;
  options.compression = topic.info.spec.compression;
  options.timestamps = topic.info.spec.timestamps;
  options.producer_expiry = topic.info.spec.producer_expiry;
  options.start = rest.start;
  Result<std::unique_ptr<PartitionLog>> log =
      PartitionLog::open(ports(), dir_->partition_path(name), options, rest.clean, rest.synced);
  if (!log && log.error() == Errc::corrupt)
    return stand_in(name, options, log.error().with_context(to_string(name)), rest.synced);
  if (!log) return log.error().with_context(to_string(name));
  check((*log)->synced_end() == (*log)->written_end(), "opening a partition syncs what it found");
  // A broker removes segments without a word on disk; here the start is on disk before any goes.
  const bool came_from_kafka = topic.gaps && !topic.info.spec.compact;
  if ((*log)->start() > options.start && !came_from_kafka) {
    logger()->warn("{} has no records in [{}, {}), and nothing says that they were deleted: a file is missing", to_string(name),
                   options.start.value(), (*log)->start().value());
  }
  if (tail_ != nullptr && (*log)->last_epoch() > dir_->epoch()) {
    // Ours was chosen without a look at it. What is left without a clean stop is looked at by the next opening.
    const Error cause{Errc::corrupt, to_string(name) + " holds batches of epoch " +
                                         std::to_string((*log)->last_epoch().value()) +
                                         ", later than the writer's: it can be written to after the next start"};
    logger()->error("{}", cause.text());
    const bool refused = (*log)->try_refuse(cause);
    check(refused, "nobody else has the log yet");
  }
  return std::shared_ptr<PartitionLog>(*std::move(log));
}

/// One partition alone is no reason to keep the others closed.
std::shared_ptr<PartitionLog> LocalEventLog::stand_in(const TopicPartition& name, const PartitionOptions& options,
                                                      const Error& cause, Offset end) {
  logger()->error("{}; the partition can't be read or written", cause.text());
  return PartitionLog::unreadable(ports(), dir_->partition_path(name), options, cause, end);
}

/// In other processes: where the log is not as it was said to be.
void LocalEventLog::show_to_readers(const OpenTopic& topic, const OpenPartition& partition, const PartitionLog& log,
                                    const PartitionAtRest& rest) {
  if (log.unreadable_since_opening()) return;
  const std::size_t place = topic.tail_places[static_cast<std::size_t>(partition.name().partition.value())];
  if (!rest.clean || log.start() != rest.start) tail_->publish_start(place, log.start());
  if (!rest.clean || log.synced_end() != rest.clean->end) tail_->publish(place, log.synced_end());
}

// ---- append queues ----

void LocalEventLog::make_room_for_queues(const OpenTopic& topic) {
  const std::unique_lock lock(queues_mutex_);
  queues_[topic.info.spec.name].resize(topic.partitions.size());
}

/// False, and nothing is there, when the topic was deleted meanwhile.
bool LocalEventLog::add_queue(const OpenTopic& topic, const std::shared_ptr<OpenPartition>& partition,
                              const std::shared_ptr<PartitionLog>& log) {
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
  log->when_chores_are_due([this, weak = std::weak_ptr{partition}] {
    if (std::shared_ptr<OpenPartition> open = weak.lock()) housekeeper_->chores_due(std::move(open));
  });
  const auto index = static_cast<std::size_t>(partition->name().partition.value());
  Flusher& flusher = *flushers_[index % flushers_.size()];
  const std::unique_lock lock(queues_mutex_);
  const auto queues = queues_.find(partition->name().topic);
  if (queues == queues_.end()) return false;
  Flusher::Slot& slot = flusher.add_slot();
  AppendQueue::Hooks hooks;
  hooks.wake_flusher = [&slot] { slot.mark(); };
  hooks.publish_committed = [this, place = topic.tail_places[index]](Offset end) { tail_->publish(place, end); };
  const auto queue = std::make_shared<AppendQueue>(partition, log, options, std::move(hooks), ports());
  Flusher::set_queue(slot, *queue);
  queues->second[index] = {queue, &flusher, &slot};
  return true;
}

/// With queues_mutex_. Null when there is no such partition.
PartitionQueue* LocalEventLog::queue_at(const TopicPartition& partition) {
  const auto found = queues_.find(partition.topic);
  if (found == queues_.end()) return nullptr;
  const std::int32_t index = partition.partition.value();
  if (index < 0 || static_cast<std::size_t>(index) >= found->second.size()) return nullptr;
  return &found->second[static_cast<std::size_t>(index)];
}

std::shared_ptr<AppendQueue> LocalEventLog::find_queue(const TopicPartition& partition) {
  const std::shared_lock lock(queues_mutex_);
  const PartitionQueue* const found = queue_at(partition);
  return found == nullptr ? nullptr : found->appends;
}

/// Null when the partition is at rest or gone, also if another one has its name.
std::shared_ptr<AppendQueue> LocalEventLog::find_queue_of(const OpenPartition& partition) {
  std::shared_ptr<AppendQueue> queue = find_queue(partition.name());
  return queue && &queue->partition() == &partition ? queue : nullptr;
}

/// For who appends. Errors: not_found; why the partition can't be opened.
Result<std::shared_ptr<AppendQueue>> LocalEventLog::queue_of(const TopicPartition& partition) {
  {
    const std::shared_lock lock(queues_mutex_);  // over both, as who puts partitions to rest looks at the use under it
    const PartitionQueue* const found = queue_at(partition);
    if (found != nullptr && found->appends) {
      found->appends->partition().note_use();
      return found->appends;
    }
  }
  const Result<std::shared_ptr<OpenPartition>> at_rest = open_topics_.find(partition);
  if (!at_rest) return no_partition(partition);
  const Result<std::shared_ptr<PartitionLog>> log = (*at_rest)->touch();  // held: nobody puts it to rest now
  if (!log) return log.error();
  std::shared_ptr<AppendQueue> queue = find_queue(partition);
  return queue ? Result<std::shared_ptr<AppendQueue>>{queue} : no_partition(partition);
}

}  // namespace lungo
