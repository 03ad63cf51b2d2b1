// PartitionLog: cutting the log back to an earlier end.

#include "partition_parts.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"

namespace lungo {

Result<void> PartitionLog::truncate_to(Offset end) {
  if (const std::optional<Error> refusal = parts_->refusal()) return *refusal;
  const std::lock_guard no_exchange(parts_->removing);  // what would be put in place may be what is cut
  parts_->compaction.reset();
  parts_->digests.forget_from(end);
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  if (end < start() || end > written_end()) {
    return Error{Errc::invalid_argument, "can't cut " + parts_->directory + " at offset " + std::to_string(end.value())};
  }
  const std::size_t index = segment_index(*list, end).value_or(0);
  const Result<std::uint64_t> position = (*list)[index]->border_at(end);
  if (!position) return position.error();

  {
    const std::lock_guard full(parts_->full_mutex);
    std::erase_if(parts_->full, [&](const auto& segment) { return segment->base() >= (*list)[index]->base(); });
  }
  const std::lock_guard turn(parts_->sync_turn);
  Result<void> done = parts_->cut(*list, index, *position, end);
  if (!done) static_cast<void>(parts_->fail(done.error()));
  return done;
}

Result<void> PartitionLog::Parts::cut(const Segments& list, std::size_t index, std::uint64_t position, Offset end) {
  // The mark first: it must never promise more than there is.
  const Offset synced = std::min(end, Offset{synced_end});
  if (Result<void> reset = mark->reset(synced); !reset) return reset;
  // Nor must what is lost: a range above the end would say that there was more.
  damage.keep(Offset{start}, end);
  if (Result<void> kept = keep_damage(); !kept) return kept;
  if (streams) {
    if (Result<void> cut_off = streams->truncate(end); !cut_off) return cut_off;
  }
  for (std::size_t i = list.size(); i-- > index + 1;) {
    if (Result<void> removed = remove_segment(ports.storage, directory, list[i]->base()); !removed) return removed;
  }
  if (Result<void> removed = producers.cut(end); !removed) return removed;
  const Offset base = list[index]->base();
  if (Result<void> removed = remove_digest(ports.storage, directory, base); !removed) return removed;
  if (Result<void> cut_off = list[index]->cut(position); !cut_off) return cut_off;
  // A fresh object: readers that hold the old one keep a consistent view of what it had in memory.
  const Result<std::shared_ptr<Segment>> segment = Segment::open(ports.storage, directory, base, options);
  if (!segment) return segment.error();
  if (options.dense_end) (*segment)->expect_no_gaps();  // no round of compaction has been there
  if (const std::shared_ptr<const DamageList> lost = damage.get())
    (*segment)->set_damage(lost->of_file((*segment)->file_name()));
  const Result<SegmentScan> rebuilt = (*segment)->rebuild(true, kNoEpoch, [](const BatchHeader&) {});
  if (!rebuilt) return rebuilt.error();
  if (rebuilt->damage) return *rebuilt->damage;
  // A power cut must not bring back what was cut: what is appended next would lie behind it, or beside it.
  if (Result<void> durable = (*segment)->sync(true); !durable) return durable;
  if (Result<void> durable = ports.storage.sync_directory(directory); !durable) return durable;
  last_batch_crc = rebuilt->last ? rebuilt->last->crc : 0;
  Segments kept(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(index));
  kept.push_back(*segment);
  active = segment->get();
  noted_epoch = kNoEpoch;
  {
    const std::lock_guard lock(trimmed_mutex);
    segments.assign(std::move(kept));
    damage.keep(Offset{start}, end);  // a reader may have met the end that was being cut
  }
  epochs.trim_to(end);
  recent_ids.reset();
  names_changed = true;
  first_unsynced_segment = std::min(first_unsynced_segment, base);
  written_end = end.value();
  synced_end = synced.value();
  return {};
}

}  // namespace lungo
