// PartitionLog: open and close.

#include <lungo/log/partition_log.hpp>

#include <algorithm>

#include "base/logger.hpp"
#include "partition_parts.hpp"
#include "partition_recovery.hpp"
#include "segment_directory.hpp"

namespace lungo {

PartitionLog::PartitionLog(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PartitionLog::~PartitionLog() = default;

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(Ports ports, std::string directory, PartitionOptions options,
                                                         std::optional<CleanEnd> clean, Offset recovery_point) {
  if (options.segment_bytes == 0 || options.segment_bytes > kSegmentBytesMax) {
    return Error{Errc::invalid_argument, "segment_bytes is " + std::to_string(options.segment_bytes) + ", allowed are 1 to " +
                                             std::to_string(kSegmentBytesMax)};
  }
  auto parts = std::make_unique<Parts>(ports, std::move(directory), options);
  if (!options.read_only) {
    // Not if the mark is there: it is made behind this, and a thousand partitions would sync one directory a thousand times.
    const Result<bool> was_made = ports.storage.exists(parts->directory + "/" + SyncedMark::kFileName);
    if (!was_made) return was_made.error();
    Result<void> made = *was_made ? Result<void>{} : make_directories_durably(ports.storage, parts->directory);
    if (!made) return made.error();
  }
  Result<RecoveredLog> log = recover_partition(ports.storage, parts->directory, options, clean, recovery_point, parts->epochs);
  if (!log) return log.error();
  parts->recovery = log->report;
  parts->last_batch_crc = log->last_batch_crc;
  parts->start = std::max(options.start, log->begin).value();
  parts->written_end = parts->synced_end = log->end.value();
  if (!log->segments.empty()) parts->active = log->segments.back().get();
  parts->digests_due = !options.read_only && log->segments.size() > 1;
  parts->segments.assign(std::move(log->segments));
  parts->damage_on_disk = log->damage.proved();
  parts->damage.assign(std::move(log->damage));
  if (log->refusal) parts->refuse_from_now_on(*log->refusal);
  if (!options.read_only && !log->refusal) {
    const bool is_as_stopped = clean && log->report.bytes_scanned == 0;
    // The mark before the first segment: from then on a torn tail can be told from rot.
    Result<std::unique_ptr<SyncedMark>> mark = SyncedMark::open(ports.storage, parts->directory, log->end, is_as_stopped);
    if (!mark) return mark.error();
    parts->mark = std::move(*mark);
    // Behind damage in a file of its own: the offsets that are lost take no bytes, or any number of them. And behind what
    // compaction has written: nothing is missing from the last segment.
    if (parts->active == nullptr || log->ends_in_damage || log->last_is_sealed) {
      if (Result<void> added = parts->add_segment(log->end); !added) return added.error();
      // Now, or a power cut could keep a later segment's name and lose this one's: a log that seems to begin later.
      if (Result<void> synced = ports.storage.sync_directory(parts->directory); !synced) return synced.error();
    }
    const std::optional<Offset> unsynced_from = is_as_stopped ? std::nullopt : std::optional{recovery_point};
    const Result<void> looked =
        parts->producers.open(*parts->segments.snapshot(), log->end, log->has_producers, unsynced_from, ports.clock.now());
    if (!looked) return looked.error();
    parts->first_unsynced_segment = parts->active->base();
  }
  if (options.streams) {
    Result<std::unique_ptr<StreamIndex>> streams = StreamIndex::open(parts->stream_log(), log->end);
    if (!streams) return streams.error();
    parts->streams = std::move(*streams);
  }
  return std::unique_ptr<PartitionLog>{new PartitionLog(std::move(parts))};
}

/// The last batch lies in a segment that compaction may have changed. Where it can't be read, the next opening finds out.
void PartitionLog::Parts::find_last_batch_crc() {
  const std::shared_ptr<const Segments> list = segments.snapshot();
  const auto with_batches = std::find_if(list->rbegin(), list->rend(), [](const auto& segment) { return segment->size() > 0; });
  if (with_batches == list->rend()) return;
  const Result<SegmentScan> walked = (*with_batches)->walk_headers([](const BatchHeader&) {});
  if (walked && walked->last) last_batch_crc = walked->last->crc;
}

Result<CleanEnd> PartitionLog::close() {
  if (parts_->options.read_only || parts_->closed) return Error{Errc::closed, parts_->directory + " has nothing to close"};
  if (parts_->opening_refusal) return *parts_->opening_refusal;
  {
    const std::lock_guard lock(parts_->removing);
    parts_->next_segment.remove();
    parts_->give_back_room();
  }
  if (Result<void> cut = parts_->active->cut_back(); !cut) return cut.error();
  parts_->active->seal();
  const Result<Offset> synced = sync();
  if (!synced) return synced.error();
  parts_->write_changed_epochs();  // what recovery has learnt, also when nothing was appended since
  parts_->closed = true;
  Segment& active = *parts_->active;
  if (parts_->options.gaps && active.size() == 0) parts_->find_last_batch_crc();
  if (Result<void> durable = active.sync(true); !durable) return durable.error();
  if (Result<void> kept = parts_->keep_damage(); !kept) return kept.error();
  if (parts_->streams) {
    if (Result<void> saved = parts_->streams->save(); !saved) {
      logger()->warn("stream index of {} is made anew at the next need: {}", parts_->directory, saved.error().text());
    }
  }
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  if (Result<void> saved = parts_->producers.save(*list, written_end(), parts_->ports.clock.now()); !saved) {
    return saved.error().with_context("producers");  // no clean stop: the next opening has to meet them in the log
  }
  return CleanEnd{.end = written_end(), .last_batch_crc = parts_->last_batch_crc};
}

}  // namespace lungo
