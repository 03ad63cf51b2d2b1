#include "tailing_event_log.hpp"

#include <algorithm>

#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds{2};
constexpr Duration kPauseMax = std::chrono::milliseconds{20};

}  // namespace

TailingEventLog::TailingEventLog(Ports ports, std::unique_ptr<LogDir> dir)
    : LogReads(dir->path(), ports), dir_(std::move(dir)), pause_(kPauseMin) {}

Result<std::shared_ptr<EventLog>> TailingEventLog::open(Ports ports, const std::string& directory) {
  Result<std::unique_ptr<LogDir>> dir = LogDir::open_reader(ports.storage, directory);
  if (!dir) return dir.error();
  const std::shared_ptr<TailingEventLog> log(new TailingEventLog(ports, std::move(*dir)));
  if (Result<void> opened = log->open_new_topics(); !opened) return opened.error();
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

// ---- following the writer ----

Instant TailingEventLog::step(Instant now) {
  const Result<bool> moved = follow();
  if (!moved && !failure_logged_) logger()->warn("{}; what is known stays readable", moved.error().text());
  failure_logged_ = !moved;
  pause_ = moved && *moved ? kPauseMin : std::min(pause_ * 2, kPauseMax);
  if (moved && *moved) ports().executor.notify();
  return now + pause_;
}

/// One look at the tail page; true when readers see more than before.
Result<bool> TailingEventLog::follow() {
  const Result<TailState> tail = read_tail(ports().storage, dir_->path() + "/tail");
  if (!tail && tail.error() == Errc::not_found) return show(TailState{});
  if (!tail && tail.error() == Errc::corrupt) return show(TailState{});  // left by a power cut
  if (!tail) return tail.error();
  if (!tail->incarnation) return show(TailState{});  // a writer is starting

  // What is open decides, not what dir_ says: any step of an earlier look may have failed.
  if (*tail->incarnation != logs_epoch_ || tail->places.size() > places_known(tail->in_order)) {
    if (Result<bool> reloaded = dir_->reload(); !reloaded) return reloaded.error();
    if (dir_->epoch() != logs_epoch_) {
      if (Result<void> reopened = reopen_logs(); !reopened) return reopened.error();
      logs_epoch_ = dir_->epoch();
    }
    if (Result<void> opened = open_new_topics(); !opened) return opened.error();
  }
  return show(*tail);
}

Result<std::shared_ptr<PartitionLog>> TailingEventLog::open_log(const TopicPartition& partition, const TopicSpec& spec) {
  PartitionOptions options;
  options.segment_bytes = spec.segment_bytes;
  options.streams = spec.streams;
  options.read_only = true;
  Result<std::unique_ptr<PartitionLog>> log = PartitionLog::open(ports(), dir_->partition_path(partition), options,
                                                                 dir_->clean_end(partition), dir_->recovery_point(partition));
  if (!log) return log.error().with_context(to_string(partition));
  return std::shared_ptr<PartitionLog>(std::move(*log));
}

Result<void> TailingEventLog::open_new_topics() {
  const std::vector<TopicEntry>& entries = dir_->topics();
  for (std::size_t i = open_topics_.all().size(); i < entries.size(); ++i) {
    auto topic = std::make_shared<OpenTopic>();
    topic->info = entries[i].info;
    topic->tail_places = tail_place_numbers(entries[i]);
    for (std::int32_t p = 0; p < topic->info.spec.partitions; ++p) {
      const TopicPartition name{topic->info.spec.name, PartitionId{p}};
      Result<std::shared_ptr<PartitionLog>> log = open_log(name, topic->info.spec);
      if (!log) return log.error();
      const Offset committed = (*log)->start();
      topic->partitions.push_back(std::make_shared<OpenPartition>(name, topic->info.id, std::move(*log), committed));
    }
    open_topics_.add(std::move(topic));
  }
  return {};
}

/// A new writer may have cut a torn tail and has an epoch of its own: what was cached of the old one is void.
Result<void> TailingEventLog::reopen_logs() {
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      Result<std::shared_ptr<PartitionLog>> log = open_log(partition->name(), topic->info.spec);
      if (!log) return log.error();
      partition->replace_log(std::move(*log));
    }
  }
  return {};
}

/// What is synced for certain, whatever the tail page says.
Offset TailingEventLog::known_end(const TopicPartition& partition) const {
  const std::optional<CleanEnd> clean = dir_->clean_end(partition);
  return std::max(clean ? clean->end : Offset{0}, dir_->recovery_point(partition));
}

/// How long a page has to be at least that says something of all open partitions.
std::size_t TailingEventLog::places_known(bool in_order) const {
  std::size_t partitions = 0;
  std::size_t end = 0;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    partitions += topic->partitions.size();
    for (const std::size_t place : topic->tail_places) end = std::max(end, place + 1);
  }
  return in_order ? partitions : end;
}

Result<bool> TailingEventLog::show(const TailState& tail) {
  bool moved = false;
  std::size_t next_in_order = 0;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const std::shared_ptr<OpenPartition>& partition = topic->partitions[i];
      const std::size_t place = tail.in_order ? next_in_order++ : topic->tail_places[i];
      const std::optional<Offset> published = place < tail.places.size() ? tail.places[place].end : std::nullopt;
      const Offset end = std::max(published.value_or(Offset{0}), known_end(partition->name()));
      if (end <= partition->committed()) continue;
      const std::shared_ptr<PartitionLog> log = partition->log();
      if (Result<void> refreshed = log->refresh(end); !refreshed) return refreshed.error();
      moved = partition->commit(std::min(end, log->written_end())) || moved;
    }
  }
  return moved;
}

}  // namespace lungo
