#include "tailing_event_log.hpp"

#include <algorithm>

#include <lungo/log/deadline.hpp>

#include "base/logger.hpp"
#include "partition_directories.hpp"

namespace lungo {

namespace {

constexpr int kAttempts = 10;
constexpr Duration kPointsAge = std::chrono::seconds{5};  // of recovery points that will do
constexpr Duration kPauseMin = std::chrono::milliseconds{2};
constexpr Duration kPauseMax = std::chrono::milliseconds{20};

}  // namespace

TailingEventLog::TailingEventLog(Ports ports, std::unique_ptr<LogDir> dir)
    : LogReads(dir->path(), ports), dir_(std::move(dir)), pause_(kPauseMin) {}

Result<std::shared_ptr<EventLog>> TailingEventLog::open(Ports ports, const std::string& directory) {
  const Result<TailState> tail = read_tail(ports.storage, directory + "/tail");  // before what it may tell of
  Result<std::unique_ptr<LogDir>> dir = LogDir::open_reader(ports.storage, directory);
  if (!dir) return dir.error();
  const std::shared_ptr<TailingEventLog> log(new TailingEventLog(ports, std::move(*dir)));
  log->open_topics();
  if (tail) {
    log->places_seen_ = tail->places.size();
    log->changes_seen_ = tail->changes;
  }
  log->logs_epoch_ = log->dir_->epoch();
  if (Result<bool> followed = log->follow(); !followed) return followed.error();
  log->running_ = ports.executor.start(*log);
  logger()->info("{} opened read-only epoch={} topics={}", directory, log->dir_->epoch().value(), log->dir_->topics().size());
  return std::shared_ptr<EventLog>(log);
}

TailingEventLog::~TailingEventLog() {
  running_.reset();
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) partition->close();
  }
}

Result<TopicInfo> TailingEventLog::create_topic(const TopicSpec& spec) {
  return Error{Errc::unsupported, "topic " + spec.name + ": the log is open read-only"};
}

void TailingEventLog::append(AppendRequest request, Completion completion) {
  completion(Error{Errc::unsupported, to_string(request.to) + ": the log is open read-only"});
}

EventLog::NotifyToken TailingEventLog::notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) {
  // Only what is open is followed. Where that fails, whoever looks when he is told learns why.
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found || log_of(**found)) return LogReads::notify_above(partition, end, std::move(notify));
  notify();
  return nullptr;
}

// ---- following the writer ----

Instant TailingEventLog::step(Instant now) {
  const Result<bool> moved = follow();
  if (!moved && !failure_logged_) logger()->warn("{}; what is known stays readable", moved.error().text());
  failure_logged_ = !moved;
  pause_ = moved && *moved ? kPauseMin : std::min(pause_ * 2, kPauseMax);
  if (moved && *moved) ports().executor.notify();
  return now + pause_;
}

/// True when readers see more than before.
Result<bool> TailingEventLog::follow() {
  Result<bool> moved = look();
  // A file that went between two steps of the look: the second one finds the page of behind that.
  if (!moved && moved.error() == Errc::not_found) moved = look();
  return moved;
}

/// One look at the tail page.
Result<bool> TailingEventLog::look() {
  const Result<TailState> tail = read_tail(ports().storage, dir_->path() + "/tail");
  if (!tail && tail.error() == Errc::not_found) return show(TailState{});
  if (!tail && tail.error() == Errc::corrupt) return show(TailState{});  // left by a power cut
  if (!tail) return tail.error();
  if (!tail->incarnation) return show(TailState{});  // a writer is starting

  // What is open decides, not what dir_ says: any step of an earlier look may have failed.
  const bool topics_moved = tail->places.size() > places_seen_ || tail->changes != changes_seen_;
  if (*tail->incarnation != logs_epoch_ || topics_moved) {
    if (Result<void> followed = follow_directory(); !followed) return followed.error();
    places_seen_ = tail->places.size();
    changes_seen_ = tail->changes;
  }
  return show(*tail);
}

Result<void> TailingEventLog::follow_directory() {
  {
    const std::lock_guard lock(logs_mutex_);
    if (Result<void> reloaded = dir_->reload(); !reloaded) return reloaded.error();
  }
  close_deleted_topics();
  if (dir_->epoch() != logs_epoch_) {
    reopen_logs();
    logs_epoch_ = dir_->epoch();
  }
  open_topics();
  return {};
}

Result<std::shared_ptr<PartitionLog>> TailingEventLog::open_log(const TopicPartition& partition, const OpenTopic& topic,
                                                                Offset start) {
  // All above its recovery point is read: an old one would make that long.
  const Instant now = ports().clock.monotonic();
  if (now >= points_until_ && dir_->marks().read_recovery_points()) points_until_ = deadline_after(now, kPointsAge);
  PartitionOptions options;
  options.segment_bytes = topic.info.spec.segment_bytes;
  options.streams = topic.info.spec.streams;
  options.read_only = true;
  options.gaps = topic.gaps;
  options.dense_end = topic.dense_end;
  options.start = std::max(start, dir_->marks().log_start(partition));
  const std::string path = dir_->partition_path(partition);
  for (int attempt = 1;; ++attempt) {
    Result<std::unique_ptr<PartitionLog>> log =
        PartitionLog::open(ports(), path, options, dir_->marks().clean_end(partition), dir_->marks().recovery_point(partition));
    if (log || log.error() == Errc::corrupt) {
      // A directory that was deleted has other names, and never this one again: so it is enough to look behind.
      if (Result<void> is_its = check_topic(path, topic); !is_its) return is_its.error().with_context(to_string(partition));
    }
    if (log) return std::shared_ptr<PartitionLog>(std::move(*log));
    if (log.error() == Errc::not_found && attempt < kAttempts) continue;  // segments are exchanged
    const Error cause = log.error().with_context(to_string(partition));
    if (cause != Errc::corrupt) return cause;
    logger()->error("{}; the partition can't be read", cause.text());
    return std::shared_ptr<PartitionLog>(PartitionLog::unreadable(ports(), path, options, cause, known_end(partition)));
  }
}

/// Errors: not_found when the directory is another topic's, or gone; corrupt; io.
Result<void> TailingEventLog::check_topic(const std::string& directory, const OpenTopic& topic) {
  const std::string path = directory + "/" + std::string(kPartitionMetadataFile);
  const Result<Bytes> bytes = read_file(ports().storage, path, kFileBytesMax);
  if (!bytes) return bytes.error();
  const Result<TopicId> id = parse_partition_metadata(path, *bytes);
  if (!id) return id.error();
  return *id == topic.info.id ? Result<void>{} : Error{Errc::not_found, "topic " + topic.info.spec.name + " was deleted"};
}

void TailingEventLog::close_deleted_topics() {
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    const auto is_it = [&](const TopicEntry& entry) { return entry.info.id == topic->info.id; };
    if (std::ranges::any_of(dir_->topics(), is_it)) continue;
    open_topics_.remove(topic->info.id);
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) partition->close();
  }
}

/// Those that are not there yet, wholly or in part, and those with other settings than before.
void TailingEventLog::open_topics() {
  for (const TopicEntry& entry : dir_->topics()) {
    const Result<std::shared_ptr<const OpenTopic>> before = open_topics_.find(entry.info.spec.name);
    if (before && (*before)->info.spec == entry.info.spec) continue;
    auto topic = std::make_shared<OpenTopic>();
    topic->info = entry.info;
    topic->gaps = entry.may_have_gaps();
    topic->dense_end = entry.has_dense_end();
    topic->tail_places = tail_place_numbers(entry);
    if (before) topic->partitions = (*before)->partitions;
    const std::lock_guard lock(logs_mutex_);
    for (std::size_t i = topic->partitions.size(); i < topic->tail_places.size(); ++i) {
      const TopicPartition name{topic->info.spec.name, PartitionId{static_cast<std::int32_t>(i)}};
      topic->partitions.push_back(std::make_shared<OpenPartition>(name, topic->info.id, known_end(name)));
    }
    if (before) {
      open_topics_.replace(std::move(topic));
    } else {
      open_topics_.add(std::move(topic));
    }
  }
}

/// A new writer may have cut a torn tail and has an epoch of its own: what was cached of the old one is void. What can't be
/// opened now is at rest again, and whoever uses it learns why.
void TailingEventLog::reopen_logs() {
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      const std::lock_guard lock(logs_mutex_);
      const std::shared_ptr<PartitionLog> before = partition->log();
      if (before == nullptr) continue;
      Result<std::shared_ptr<PartitionLog>> log = open_log(partition->name(), *topic, before->start());
      if (!log) logger()->warn("{}; it is opened again when it is used", log.error().text());
      partition->replace_log(log ? std::move(*log) : nullptr);
    }
  }
}

/// What is synced for certain, whatever the tail page says.
Offset TailingEventLog::known_end(const TopicPartition& partition) const {
  // A checkpoint has no checksum; the marker has one, and is never below it.
  const std::optional<CleanEnd> clean = dir_->marks().clean_end(partition);
  return clean ? clean->end : dir_->marks().recovery_point(partition);
}

Result<void> TailingEventLog::follow_start(OpenPartition& partition, const OpenTopic& topic, Offset start) {
  const std::shared_ptr<PartitionLog> log = partition.log();
  if (start <= log->written_end()) {
    log->follow_start(start);
    return {};
  }
  // What lies between went before it was looked at.
  Result<std::shared_ptr<PartitionLog>> behind = open_log(partition.name(), topic, start);
  if (!behind) return behind.error();
  partition.replace_log(std::move(*behind));
  return {};
}

/// Of all partitions that are open: one that can't be followed hides none behind it. Errors: the first one's.
Result<bool> TailingEventLog::show(const TailState& tail) {
  bool moved = false;
  std::optional<Error> error;
  std::size_t next_in_order = 0;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const std::size_t place = tail.in_order ? next_in_order++ : topic->tail_places[i];
      const TailPlace published = place < tail.places.size() ? tail.places[place] : TailPlace{};
      const Result<bool> shown = show(*topic->partitions[i], *topic, published);
      if (!shown && !error) error = shown.error();
      moved = moved || (shown && *shown);
    }
  }
  if (error && moved) ports().executor.notify();
  return error ? Result<bool>{*error} : Result<bool>{moved};
}

Result<bool> TailingEventLog::show(OpenPartition& partition, const OpenTopic& topic, const TailPlace& published) {
  if (partition.log() == nullptr) return false;  // at rest, as most may be: without the lock
  Offset reached;
  {
    const std::lock_guard lock(logs_mutex_);
    if (partition.log() == nullptr || partition.log()->unreadable_since_opening()) return false;
    const Offset start = std::max(published.start.value_or(Offset{0}), dir_->marks().log_start(partition.name()));
    if (start > partition.log()->start()) {
      if (Result<void> moved_up = follow_start(partition, topic, start); !moved_up) return moved_up.error();
    }
    const Offset end = std::max(published.end.value_or(Offset{0}), known_end(partition.name()));
    if (end <= partition.committed()) return false;
    const Result<Offset> refreshed = refresh(partition, topic, end);
    if (!refreshed) return refreshed.error();
    reached = std::min(end, *refreshed);
  }
  return partition.commit(reached);  // without the lock, as who waits for it may read at once
}

/// Returns what its log reaches by now.
Result<Offset> TailingEventLog::refresh(OpenPartition& partition, const OpenTopic& topic, Offset end) {
  const std::shared_ptr<PartitionLog> log = partition.log();
  Result<void> refreshed = log->refresh(end);
  if (refreshed) return log->written_end();
  if (refreshed.error() != Errc::not_found) return refreshed.error();
  // Either the segment that was written to has been compacted meanwhile, and its file is closed here; or the page promises more
  // than there is, which another look at the files does not change.
  const auto [tried, is_new] = promised_in_vain_.emplace(partition.name(), end);
  if (!is_new && tried->second == end) return refreshed.error();
  tried->second = end;
  Result<std::shared_ptr<PartitionLog>> another = open_log(partition.name(), topic, log->start());
  if (!another) return another.error();
  refreshed = (*another)->refresh(end);
  const Offset reached = (*another)->written_end();
  if (refreshed) promised_in_vain_.erase(tried);
  partition.replace_log(std::move(*another), std::min(end, reached));
  return refreshed ? Result<Offset>{reached} : refreshed.error();
}

// ---- what somebody uses ----

Result<std::shared_ptr<PartitionLog>> TailingEventLog::log_of(OpenPartition& partition) {
  if (std::shared_ptr<PartitionLog> log = partition.log()) return log;
  return opened(partition, nullptr);
}

bool TailingEventLog::open_again(OpenPartition& partition, const std::shared_ptr<PartitionLog>& log) {
  return opened(partition, log).has_value();
}

/// Opens it, unless somebody else has done so meanwhile.
Result<std::shared_ptr<PartitionLog>> TailingEventLog::opened(OpenPartition& partition,
                                                              const std::shared_ptr<PartitionLog>& instead_of) {
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(partition.name().topic);
  if (!topic) return topic.error();
  if ((*topic)->info.id != partition.topic())
    return Error{Errc::not_found, "the topic of " + to_string(partition.name()) + " was deleted"};
  {
    const std::lock_guard lock(logs_mutex_);
    if (partition.log() != instead_of) return partition.log();
    const Offset start = place_of(partition, **topic).start.value_or(Offset{0});
    Result<std::shared_ptr<PartitionLog>> log = open_log(partition.name(), **topic, start);
    if (!log) return log;
    // What a record gave place to has to be seen with it: the writer has told of it before it took the record.
    const Offset end = std::max(place_of(partition, **topic).end.value_or(Offset{0}), known_end(partition.name()));
    if (!(*log)->unreadable_since_opening()) static_cast<void>((*log)->refresh(end).has_value());
    const Offset reached = std::min(end, (*log)->written_end());
    partition.replace_log(std::move(*log), reached);
  }
  partition.tell_waiters();
  ports().executor.notify();
  return partition.log();
}

/// What the page says of it by now.
TailPlace TailingEventLog::place_of(const OpenPartition& partition, const OpenTopic& topic) {
  const std::string page = dir_->path() + "/tail";
  const auto number = static_cast<std::size_t>(partition.name().partition.value());
  Result<TailOfPlace> tail = read_tail_of(ports().storage, page, topic.tail_places[number]);
  if (!tail && tail.error() == Errc::unsupported) {
    std::size_t place = number;
    for (const std::shared_ptr<const OpenTopic>& other : open_topics_.all()) {
      if (other->info.id == topic.info.id) break;
      place += other->partitions.size();
    }
    const Result<TailState> all = read_tail(ports().storage, page);
    if (all && place < all->places.size()) tail = TailOfPlace{all->incarnation, all->places[place]};
  }
  return tail && tail->incarnation ? tail->place : TailPlace{};  // absent while a writer starts
}

}  // namespace lungo
