// MirrorLog: what its writer does to a partition, and asks of it.

#include <algorithm>

#include "mirror_partition.hpp"
#include "mirror_parts.hpp"

namespace lungo {

Result<void> MirrorLog::make_topic(const TopicInfo& source) {
  const std::lock_guard lock(parts_->owner);
  return parts_->make_topic(source);
}

Result<void> MirrorLog::forget_topic(std::string_view name) {
  const std::lock_guard lock(parts_->owner);
  return parts_->forget_topic(name);
}

Result<Offset> MirrorLog::end(const TopicPartition& partition) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  return at ? Result<Offset>{at->log->written_end()} : at.error();
}

Result<std::optional<RecordProof>> MirrorLog::last_record(const TopicPartition& partition) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  return at ? last_record_of(*at->log) : at.error();
}

Result<void> MirrorLog::append_copy(const TopicPartition& partition, const MirrorBatches& copy) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  for (std::size_t i = 0; i < copy.count(); ++i) {
    if (Result<void> written = at->log->append_copy(copy.batch(i)); !written) return written;
  }
  return {};
}

Result<void> MirrorLog::commit(const TopicPartition& partition, Offset end) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  Offset committed = at->log->written_end();
  if (end < committed) {  // readers get whole batches: inside of one they would miss its front
    const Result<std::optional<Offset>> border = border_below(*at->log, end);
    if (!border) return border.error();
    committed = border->value_or(at->log->start());
  }
  if (at->partition->commit(committed)) parts_->ports().executor.notify();
  return {};
}

Result<Offset> MirrorLog::start_at(const TopicPartition& partition, Offset start) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  if (start > at->log->written_end()) {
    return Error{Errc::offset_out_of_range,
                 to_string(partition) + " ends at " + std::to_string(at->log->written_end().value()) +
                     ", below the source's start " + std::to_string(start.value()),
                 at->log->written_end()};
  }
  if (Result<void> moved = parts_->move_start(*at, start); !moved) return moved.error();
  return at->log->start();
}

Result<Offset> MirrorLog::cut(const TopicPartition& partition, Offset offset) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  if (offset >= at->log->written_end() && at->log->damage().empty()) return at->log->written_end();
  const Result<std::optional<Offset>> border = border_below(*at->log, offset);
  if (!border) return border.error();
  if (*border) {
    at->partition->go_back(at->log, std::min(**border, at->partition->committed()));  // before what they may read goes
    if (Result<void> cut = parts_->cut(partition, *at->log, **border); !cut) return cut.error();
    return **border;
  }
  const Offset start = at->log->start();
  if (Result<void> emptied = parts_->empty(*at, start); !emptied) return emptied.error();
  return start;
}

Result<void> MirrorLog::empty_from(const TopicPartition& partition, Offset start) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  return at ? parts_->empty(*at, start) : at.error();
}

// ---- look-ups before an append ----

Result<std::optional<Appended>> MirrorLog::find_appended(const TopicPartition& partition, const EncodedRecords& records,
                                                         std::optional<Offset> since) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  return at->log->find_appended(records, since);
}

Result<std::optional<Offset>> MirrorLog::find_latest(const TopicPartition& partition, std::string_view key, Offset from) {
  const std::lock_guard lock(parts_->owner);
  const Result<Parts::Mirrored> at = parts_->find(partition);
  if (!at) return at.error();
  return at->log->find_latest(key, from);
}

// ---- with `owner` ----

/// First on disk, then for readers; the files go later.
Result<void> MirrorLog::Parts::move_start(const Mirrored& at, Offset start) {
  PartitionLog& log = *at.log;
  if (start <= log.start()) return {};
  if (start > log.synced_end()) {
    if (const Result<Offset> synced = log.sync(); !synced) return synced.error();
  }
  {
    const std::lock_guard lock(dir_mutex_);
    if (Result<void> noted = dir_->marks().write_log_starts({{at.partition->name(), start}}); !noted) return noted;
  }
  if (Result<void> moved = log.set_start(start); !moved) return moved;
  if (at.partition->commit(start)) ports().executor.notify();
  housekeeper_->trimmed(at.partition);
  return {};
}

Result<void> MirrorLog::Parts::cut(const TopicPartition& name, PartitionLog& log, Offset border) {
  {
    const std::lock_guard lock(dir_mutex_);
    if (Result<void> noted = dir_->marks().cut(name, border); !noted) return noted;
  }
  return log.truncate_to(border);
}

Result<void> MirrorLog::Parts::empty(const Mirrored& at, Offset start) {
  const TopicPartition& name = at.partition->name();
  // Before its directory is another's: nobody writes there any more.
  let_go(*at.partition, {Errc::partition_failed, to_string(name) + " was emptied"});
  if (Result<void> renewed = renew(name, start); !renewed) return renewed;
  Result<std::shared_ptr<PartitionLog>> log = open_log(name, {.start = start, .synced = start, .clean = {}, .failure = {}});
  if (!log) return log.error();
  at.partition->go_back(std::move(*log), start);
  at.partition->tell_waiters();
  ports().executor.notify();
  return {};
}

}  // namespace lungo
