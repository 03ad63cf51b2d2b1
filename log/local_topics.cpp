// LocalEventLog: topics come, change and go, and so do their oldest records.

#include <algorithm>

#include "base/logger.hpp"
#include "local_event_log.hpp"
#include "segment.hpp"

namespace lungo {

namespace {

/// Which setting of an existing topic differs from what was asked for; empty when none does.
std::string difference(const TopicSpec& there, const TopicSpec& wanted) {
  if (there.partitions != wanted.partitions) return "partitions=" + std::to_string(there.partitions);
  if (there.streams != wanted.streams) return there.streams ? "streams=true" : "streams=false";
  if (there.compact != wanted.compact) return there.compact ? "compact=true" : "compact=false";
  if (there.ack_level != wanted.ack_level) return there.ack_level == AckLevel::isr ? "ack_level=isr" : "ack_level=isr_sync";
  if (there.flush_interval != wanted.flush_interval) {
    return "flush_interval=" + std::to_string(there.flush_interval.count()) + "ms";
  }
  if (there.segment_bytes != wanted.segment_bytes) return "segment_bytes=" + std::to_string(there.segment_bytes);
  if (there.compression != wanted.compression) return "compression=" + std::string(to_string(there.compression));
  if (there.timestamps != wanted.timestamps) {
    return there.timestamps == TimestampKind::create ? "timestamps=create" : "timestamps=log_append";
  }
  if (there.batch_bytes_max != wanted.batch_bytes_max) return "batch_bytes_max=" + std::to_string(there.batch_bytes_max);
  if (there.producer_expiry != wanted.producer_expiry) {
    return "producer_expiry=" + std::to_string(there.producer_expiry.count()) + "ms";
  }
  const auto text = [](const auto& limit, const auto& count) { return limit ? std::to_string(count(*limit)) : "none"; };
  const auto ms = [](std::chrono::milliseconds age) { return age.count(); };
  if (there.segment_age != wanted.segment_age) return "segment_age=" + text(there.segment_age, ms);
  if (there.retention_age != wanted.retention_age) return "retention_age=" + text(there.retention_age, ms);
  if (there.retention_bytes != wanted.retention_bytes) {
    return "retention_bytes=" + text(there.retention_bytes, [](std::uint64_t bytes) { return bytes; });
  }
  if (there.tombstone_age != wanted.tombstone_age) {
    return "tombstone_age=" + std::to_string(there.tombstone_age.count()) + "ms";
  }
  if (there.compaction_lag != wanted.compaction_lag) {
    return "compaction_lag=" + std::to_string(there.compaction_lag.count()) + "ms";
  }
  if (there.dirty_ratio_min != wanted.dirty_ratio_min) return "dirty_ratio_min=" + std::to_string(there.dirty_ratio_min);
  return {};
}

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
  if (names_going_.contains(spec.name)) {
    return Error{Errc::busy, "topic " + spec.name + " is being deleted; its name is free in a moment"};
  }
  if (const TopicEntry* const there = find_entry(spec.name)) {
    const std::string other = difference(there->info.spec, spec);
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
  std::unique_lock lock(dir_mutex_);
  const TopicEntry* const there = find_entry(name);
  if (there == nullptr) return no_topic(name);
  const TopicInfo info = there->info;
  const Result<void> deleted = dir_->delete_topic(name);
  if (find_entry(name) != nullptr) return deleted;
  topics_changed();
  const Error gone{Errc::not_found, "topic " + std::string(name) + " was deleted"};
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(name);
  open_topics_.remove(info.id);
  // Who is about to open one of its partitions has done so when this has been there.
  if (topic) std::ranges::for_each((*topic)->partitions, [&](const auto& partition) { partition->keep_at_rest(gone); });
  TopicQueues queues;
  {
    const std::unique_lock queues_lock(queues_mutex_);
    if (auto found = queues_.extract(std::string(name))) queues = std::move(found.mapped());
  }
  std::erase_if(queues, [](const Queue& queue) { return queue.appends == nullptr; });
  // Before its name is another's: nobody writes under it any more. Without the lock, as who is waited for may be telling a
  // caller who changes topics.
  names_going_.emplace(name);
  lock.unlock();
  for (const Queue& queue : queues) {
    queue.flusher->forget(*queue.slot);
    queue.appends->abandon(gone);
  }
  lock.lock();
  names_going_.erase(std::string(name));
  if (deleted) {  // or else the topic may be there again at the next opening
    dir_->release_names(info);
    housekeeper_->remove_directories(dir_->take_deleted_directories());
  }
  lock.unlock();  // completions and notifications may call the log
  for (const Queue& queue : queues) queue.appends->tell_abandoned(gone);
  if (topic) std::ranges::for_each((*topic)->partitions, [](const auto& partition) { partition->close(); });
  logger()->info("topic {} deleted", name);
  return deleted;
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
  if (end == dir_->cleaned_end(partition.name())) return {};
  CleanedEnd cleaned{.end = end, .again = end};
  for (const DamagedRange& range : partition.log()->damage()) {
    if (range.from < end) cleaned.again = std::min(cleaned.again, segment_base(range.file, kLogSuffix).value_or(range.from));
  }
  return dir_->write_cleaned_end(partition.name(), cleaned);
}

/// What is known of the producers outlives the records that go.
Result<void> LocalEventLog::keep_producers(const StartMove& move) {
  const std::shared_ptr<AppendQueue> queue = find_queue_of(*move.partition);
  bool has_producers = false;
  Result<void> kept = queue->as_owner([&](PartitionLog& log) -> Result<void> {
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
  const std::lock_guard lock(dir_mutex_);
  OffsetsByPartition starts;
  Result<void> failed;
  for (const StartMove& move : moves) {
    const OpenPartition& partition = *move.partition;
    if (!find_queue_of(partition) || move.start <= move.log->start()) continue;
    if (Result<void> kept = keep_producers(move); !kept) {
      failed = kept;
    } else {
      starts.emplace(partition.name(), move.start);
    }
  }
  if (starts.empty()) return failed;
  if (Result<void> written = dir_->write_log_starts(starts); !written) return written;
  for (const auto& [name, start] : starts) {
    const Result<void> moved =
        find_queue(name)->as_owner([to = start](PartitionLog& log) -> Result<void> { return log.set_start(to); });
    if (!moved) failed = moved;
    if (!moved) continue;
    const std::shared_ptr<const OpenTopic> topic = *open_topics_.find(name.topic);
    const auto index = static_cast<std::size_t>(name.partition.value());
    tail_->publish_start(topic->tail_places[index], start);
    housekeeper_->trimmed(topic->partitions[index]);
  }
  return failed;
}

}  // namespace lungo
