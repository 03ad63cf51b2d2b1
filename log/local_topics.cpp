// LocalEventLog: topics come, change and go, and so do their oldest records.

#include <algorithm>

#include "base/logger.hpp"
#include "local_event_log.hpp"
#include "segment.hpp"
#include "setting_table.hpp"

namespace lungo {

namespace {

constexpr Duration kDeletionWait = std::chrono::seconds{30};
constexpr Duration kDeletionPause = std::chrono::milliseconds{1};

Error no_topic(std::string_view name) { return {Errc::not_found, "no topic " + std::string(name)}; }

}  // namespace

const TopicEntry* LocalEventLog::find_entry(std::string_view name) const {
  for (const TopicEntry& entry : dir_->topics()) {
    if (entry.info.spec.name == name) return &entry;
  }
  return nullptr;
}

// ---- topics that come and change ----

Result<TopicInfo> LocalEventLog::create_topic(const TopicSpec& spec) {
  const std::lock_guard lock(dir_mutex_);
  if (const auto going = going_.find(spec.name); going != going_.end()) {
    const std::optional<TopicPartition> laggard = going->second.is_late ? going->second.deletion->laggard() : std::nullopt;
    const std::string when = laggard ? "when " + to_string(*laggard) + " is not written to any more" : "in a moment";
    return Error{Errc::busy, "topic " + spec.name + " is being deleted; its name is free " + when};
  }
  if (const TopicEntry* const there = find_entry(spec.name)) {
    const std::string other = difference(there->info.spec, spec, SettingStyle::code);
    if (!other.empty()) return Error{Errc::already_exists, "topic " + spec.name + " exists with " + other};
  } else if (Result<TopicInfo> made = dir_->create_topic(spec); !made) {
    return made;
  }
  return serve(*find_entry(spec.name));
}

Result<TopicInfo> LocalEventLog::add_partitions(std::string_view name, std::int32_t partitions) {
  const std::lock_guard lock(dir_mutex_);
  const TopicEntry* const there = find_entry(name);
  if (there == nullptr) return no_topic(name);
  const TopicSpec& spec = there->info.spec;
  if (spec.streams) {
    return Error{Errc::unsupported, "topic " + spec.name + " keeps streams: its partitions are fixed, or keys would move"};
  }
  if (partitions < spec.partitions) {
    return Error{Errc::invalid_argument, "topic " + spec.name + " has " + std::to_string(spec.partitions) + " partitions"};
  }
  if (partitions > spec.partitions) {
    if (Result<TopicInfo> added = dir_->add_partitions(name, partitions); !added) return added;
  }
  return serve(*find_entry(name));
}

/// Takes up what was just made in the directory: a topic or some partitions.
Result<TopicInfo> LocalEventLog::serve(const TopicEntry& entry) {
  const TopicInfo& info = entry.info;
  const Result<std::shared_ptr<const OpenTopic>> before = open_topics_.find(info.spec.name);
  const std::size_t open_before = before ? (*before)->partitions.size() : 0;
  if (open_before == static_cast<std::size_t>(info.spec.partitions)) return info;
  std::shared_ptr<OpenTopic> topic = topic_of(entry, before ? before->get() : nullptr, true);
  // All that are given: a topic that is opened late may have a lower place than another.
  if (Result<void> extended = tail_->extend_to(tail_places_end(dir_->topics())); !extended) {
    logger()->warn("{}; readers in other processes do not see all of topic {} yet", extended.error().text(), info.spec.name);
  }
  for (std::size_t i = open_before; i < topic->partitions.size(); ++i) {
    tail_->publish_start(topic->tail_places[i], Offset{0});
  }
  make_room_for_queues(*topic);
  if (before) {
    open_topics_.replace(std::move(topic));
  } else {
    open_topics_.add(std::move(topic));
  }
  topics_changed();
  return info;
}

/// Tells readers in other processes, after `lungo.topics`.
void LocalEventLog::topics_changed() { tail_->publish_changes(++topic_changes_); }

Result<TopicInfo> LocalEventLog::alter_topic(std::string_view name, const TopicChange& change) {
  std::vector<std::pair<std::shared_ptr<AppendQueue>, Offset>> changed;
  std::unique_lock lock(dir_mutex_);
  const Result<TopicInfo> info = dir_->alter_topic(name, change);
  if (!info) return info;
  topics_changed();
  const Result<std::shared_ptr<const OpenTopic>> before = open_topics_.find(name);
  if (!before) return info;  // made, and not opened yet
  auto topic = std::make_shared<OpenTopic>(**before);
  topic->info.spec = info->spec;
  topic->info.spec.partitions = (*before)->info.spec.partitions;  // as many as are open
  changed.reserve(topic->partitions.size());
  open_topics_.replace(topic);  // first: whoever opens one of its partitions from here on finds the new settings
  for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
    if (partition->log() == nullptr) continue;  // waits for who is opening it
    if (const std::shared_ptr<AppendQueue> queue = find_queue_of(*partition))
      changed.emplace_back(queue, queue->change(info->spec));
  }
  lock.unlock();  // completions and notifications may call the log
  for (const auto& [queue, committed] : changed) queue->tell_changed(committed);
  logger()->info("topic {} altered", name);
  return info;
}

// ---- topics and records that go ----

Result<void> LocalEventLog::delete_topic(std::string_view name) {
  std::shared_ptr<TopicDeletion> deletion;
  Result<void> deleted;
  {
    const std::lock_guard lock(dir_mutex_);
    const TopicEntry* const there = find_entry(name);
    if (there == nullptr) return no_topic(name);
    const TopicInfo info = there->info;
    deleted = dir_->delete_topic(name);
    if (find_entry(name) != nullptr) return deleted;
    topics_changed();
    deletion = set_aside(info, deleted.has_value());
  }
  // Before its name is another's: nobody writes under it any more. Without the lock, as who is waited for may be telling a
  // caller who changes topics, and a disk that hangs must not hold up those who want other topics.
  const Instant deadline = ports().clock.monotonic() + kDeletionWait;
  const auto let_go = [&] { return deletion->let_go(); };
  while (!ports().executor.wait_until(let_go, std::min(deadline, ports().clock.monotonic() + kDeletionPause))) {
    if (ports().clock.monotonic() >= deadline) return give_up_waiting(*deletion);
  }
  finish(*deletion);
  return deleted;
}

/// Nobody finds the topic any more, nor what writes to it. With the lock.
std::shared_ptr<TopicDeletion> LocalEventLog::set_aside(const TopicInfo& info, bool is_durable) {
  const std::string& name = info.spec.name;
  std::vector<std::shared_ptr<OpenPartition>> partitions;
  if (const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(name)) partitions = (*topic)->partitions;
  open_topics_.remove(info.id);
  TopicQueues queues;
  {
    const std::unique_lock lock(queues_mutex_);
    if (auto found = queues_.extract(name)) queues = std::move(found.mapped());
  }
  auto deletion = std::make_shared<TopicDeletion>(info, std::move(partitions), std::move(queues),
                                                  Error{Errc::not_found, "topic " + name + " was deleted"});
  going_.emplace(name, GoingTopic{.deletion = deletion, .is_durable = is_durable});
  return deletion;
}

/// Leaves the rest to the housekeeper.
Error LocalEventLog::give_up_waiting(TopicDeletion& deletion) {
  const std::string& name = deletion.topic().spec.name;
  const std::optional<TopicPartition> laggard = deletion.laggard();
  {
    const std::lock_guard lock(dir_mutex_);
    going_.find(name)->second.is_late = true;
  }
  housekeeper_->deletion_is_late();
  deletion.tell();  // those that need not wait for it
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(kDeletionWait).count();
  Error error{Errc::timed_out, "topic " + name + " is deleted, but " + (laggard ? to_string(*laggard) : "a partition") +
                                   " is still being written to by a call that has not ended for " + std::to_string(seconds) +
                                   " s, as on a disk that hangs; the name is free and the files go when it ends"};
  logger()->warn("{}", error.text());
  return error;
}

/// True while some can't be finished.
bool LocalEventLog::finish_late_deletions() {
  std::vector<std::shared_ptr<TopicDeletion>> late;
  {
    const std::lock_guard lock(dir_mutex_);
    for (const auto& [name, going] : going_) {
      if (going.is_late) late.push_back(going.deletion);
    }
  }
  bool some_are_left = false;
  for (const std::shared_ptr<TopicDeletion>& deletion : late) {
    const bool is_done = deletion->let_go();
    some_are_left = some_are_left || !is_done;
    if (is_done) finish(*deletion);
  }
  return some_are_left;
}

/// When all its partitions have let go.
void LocalEventLog::finish(TopicDeletion& deletion) {
  const TopicInfo& topic = deletion.topic();
  {
    const std::lock_guard lock(dir_mutex_);
    const bool is_durable = going_.extract(topic.spec.name).mapped().is_durable;
    if (is_durable) {
      dir_->release_names(topic);
      housekeeper_->remove_directories(dir_->take_deleted_directories());
    }
  }
  deletion.tell();  // without the lock, as completions and notifications may call the log
  logger()->info("topic {} deleted", topic.spec.name);
}

Result<Offset> LocalEventLog::delete_records(const TopicPartition& name, Offset below) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(name);
  if (!found) return found.error();
  const Result<std::shared_ptr<PartitionLog>> touched = (*found)->touch();
  if (!touched) return touched.error();
  PartitionLog* const log = touched->get();
  if (below > (*found)->committed()) {
    return Error{Errc::offset_out_of_range, to_string(name) + ": offset " + std::to_string(below.value()) +
                                                " lies above the committed end " +
                                                std::to_string((*found)->committed().value())};
  }
  if (below > log->synced_end()) {
    if (const Result<Offset> synced = log->sync(); !synced) return synced.error();
  }
  if (below > log->start()) {
    if (Result<void> moved = move_starts({{*found, below, *touched}}); !moved) return moved.error();
  }
  return log->start();
}

/// Errors: not_found, when the partition is gone.
Result<void> LocalEventLog::as_owner(const OpenPartition& partition, const std::function<Result<void>(PartitionLog&)>& job) {
  const std::shared_ptr<AppendQueue> queue = find_queue_of(partition);
  return queue ? queue->as_owner(job) : Error{Errc::not_found, "no partition " + to_string(partition.name())};
}

Result<void> LocalEventLog::sync_sealed(const OpenPartition& partition) {
  const std::shared_ptr<AppendQueue> queue = find_queue_of(partition);
  return queue ? queue->sync_sealed() : Error{Errc::not_found, "no partition " + to_string(partition.name())};
}

Result<void> LocalEventLog::note_cleaned_end(const OpenPartition& partition, Offset end) {
  const std::lock_guard lock(dir_mutex_);  // no other partition has its name meanwhile
  if (!find_queue_of(partition)) return Error{Errc::not_found, "no partition " + to_string(partition.name())};
  if (end == dir_->marks().cleaned_end(partition.name())) return {};
  CleanedEnd cleaned{.end = end, .again = end};
  for (const DamagedRange& range : partition.log()->damage()) {
    if (range.from < end) cleaned.again = std::min(cleaned.again, segment_base(range.file, kLogSuffix).value_or(range.from));
  }
  return dir_->marks().write_cleaned_end(partition.name(), cleaned);
}

/// What is known of the producers outlives the records that go. Errors: not_found, when the partition is gone.
Result<void> LocalEventLog::keep_producers(const StartMove& move) {
  bool has_producers = false;
  Result<void> kept = as_owner(*move.partition, [&](PartitionLog& log) -> Result<void> {
    const Result<bool> there = log.keep_producers(move.start);
    if (!there) return there.error();
    has_producers = *there;
    return {};
  });
  if (!kept || !has_producers) return kept;
  const Result<Offset> synced = move.log->sync();
  return synced ? Result<void>{} : Result<void>{synced.error()};
}

/// First on disk, then for readers; the files go later. Partitions that are gone meanwhile are left out.
Result<void> LocalEventLog::move_starts(const std::vector<StartMove>& moves) {
  Result<void> failed;
  std::vector<StartMove> kept;
  for (const StartMove& move : moves) {  // without the lock: a sync that hangs must not hold up those who want other topics
    if (move.start <= move.log->start()) continue;
    // Where nothing can be written, nothing is: what is known of its producers by then is what the next opening finds.
    const bool is_refused = move.log->refused_since_opening() && !move.log->unreadable_since_opening();
    const Result<void> done = is_refused ? Result<void>{} : keep_producers(move);
    if (done) kept.push_back(move);
    if (!done && find_queue_of(*move.partition)) failed = done;
  }
  const std::lock_guard lock(dir_mutex_);
  std::erase_if(kept,
                [this](const StartMove& move) { return !find_queue_of(*move.partition) || move.start <= move.log->start(); });
  if (kept.empty()) return failed;
  OffsetsByPartition starts;
  for (const StartMove& move : kept) starts.emplace(move.partition->name(), move.start);
  if (Result<void> written = dir_->marks().write_log_starts(starts); !written) return written;
  for (const StartMove& move : kept) {
    const auto move_it = [&move](PartitionLog& log) -> Result<void> { return log.set_start(move.start); };
    const bool is_refused = move.log->refused_since_opening().has_value();
    const Result<void> moved = is_refused ? move_it(*move.log) : as_owner(*move.partition, move_it);
    if (!moved) failed = moved;
    if (!moved) continue;
    const TopicPartition& name = move.partition->name();
    const std::shared_ptr<const OpenTopic> topic = *open_topics_.find(name.topic);
    tail_->publish_start(topic->tail_places[static_cast<std::size_t>(name.partition.value())], move.start);
    if (!is_refused) housekeeper_->trimmed(move.partition);
  }
  return failed;
}

}  // namespace lungo
