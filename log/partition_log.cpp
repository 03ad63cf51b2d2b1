// PartitionLog's owner's side: open, the append path from top to bottom, truncate, close.

#include <lungo/log/partition_log.hpp>

#include <lungo/log/check.hpp>

#include "append_checks.hpp"
#include "base/byte_order.hpp"
#include "base/logger.hpp"
#include "batch_layout.hpp"
#include "partition_parts.hpp"
#include "partition_recovery.hpp"
#include "segment_directory.hpp"

namespace lungo {
namespace {

// Several appends share a batch as long as it keeps well below the 31 bits of its length.
constexpr std::size_t kBatchBytesMax = 2 * kRecordBytesMax;

// An item that takes part in the batch, and where its records will lie.
struct Accepted {
  GroupItem* item;
  Offset first;
};

void refuse_all(std::span<GroupItem> group, const Error& error) {
  for (GroupItem& item : group) item.outcome = error;
}

}  // namespace

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
  parts->start = log->segments.empty() ? 0 : log->segments.front()->base().value();
  parts->written_end = parts->synced_end = log->end.value();
  parts->segments.assign(std::move(log->segments));
  if (!options.read_only) {
    // The mark before the first segment: from then on a torn tail can be told from rot.
    Result<std::unique_ptr<SyncedMark>> mark = SyncedMark::open(ports.storage, parts->directory, log->end);
    if (!mark) return mark.error();
    parts->mark = std::move(*mark);
    if (parts->segments.snapshot()->empty()) {
      if (Result<void> added = parts->add_segment(log->end); !added) return added.error();
      // Now, or a power cut could keep a later segment's name and lose this one's: a log that seems to begin later.
      if (Result<void> synced = ports.storage.sync_directory(parts->directory); !synced) return synced.error();
    }
    parts->first_unsynced_segment = parts->first_unindexed_segment = parts->active().base();
  }
  return std::unique_ptr<PartitionLog>{new PartitionLog(std::move(parts))};
}

void PartitionLog::append(std::span<GroupItem> group, LeaderEpoch epoch) {
  if (const std::optional<Error> refusal = parts_->refusal()) return refuse_all(group, *refusal);
  const Offset end = written_end();
  AppendChecks checks{
      {.start = start(), .end = end, .epoch = epoch, .epochs = parts_->epochs, .streams = parts_->options.streams},
      parts_->lookup(end),
      [this] { return parts_->ids(); }};
  BatchBuilder& builder = parts_->builder;
  builder.clear();
  std::vector<Accepted> accepted;
  std::vector<GroupItem*> resting;  // on the batch being written
  for (GroupItem& item : group) {
    check(item.records != nullptr && !item.records->empty(), "an append has records");
    Verdict verdict = checks.judge(item);
    if (verdict.rests_on_group) resting.push_back(&item);
    if (!verdict.outcome && builder.size_bytes() + item.records->size_bytes() > kBatchBytesMax) {
      verdict.outcome = Error{Errc::too_large, "the appends of one group do not fit one batch"};
    }
    item.outcome = std::move(verdict.outcome);
    if (item.outcome) continue;
    accepted.push_back({&item, end.plus(builder.count())});
    checks.accept(*item.records);
    builder.add(*item.records);
  }
  if (accepted.empty()) return;

  const Result<void> written = parts_->write(builder.finish(end, epoch), epoch, builder.count());
  if (!written) {
    for (GroupItem* item : resting) item->outcome = written.error();
    for (const auto& [item, first] : accepted) item->outcome = written.error();
    return;
  }
  if (SegmentStreams* const streams = parts_->active().streams()) streams->add(end, checks.key_hashes());
  for (const auto& [item, first] : accepted) {
    item->outcome =
        Appended{.first = first, .end = first.plus(static_cast<std::int64_t>(item->records->count())), .epoch = epoch};
    if (parts_->recent_ids) parts_->recent_ids->add_all(*item->records, first);
  }
}

std::optional<Error> PartitionLog::Parts::refusal() const {
  if (closed) return Error{Errc::closed, directory + " is closed"};
  if (options.read_only) return Error{Errc::unsupported, directory + " is open for reading only"};
  return failure.get();
}

// Nothing may be written from now on; says so once. Returns what further calls are answered.
Error PartitionLog::Parts::fail(const Error& cause) {
  const Error error{Errc::partition_failed,
                    "writes to " + directory + " are refused until it is opened again: " + std::string(cause.text())};
  if (failure.set(error)) logger()->error("{}", error.text());
  return error;
}

// Writes one finished batch: rolls if it is time, then segment, ends. Nothing changes on failure.
Result<void> PartitionLog::Parts::write(BytesView batch, LeaderEpoch epoch, std::int32_t count) {
  const Offset base{written_end.load(std::memory_order_relaxed)};
  const Offset end = base.plus(count);
  const Offset last = base.plus(count - 1);
  if (active().is_full_for(batch.size(), last, options.segment_bytes)) {
    active().seal();
    if (Result<void> rolled = add_segment(base); !rolled) return rolled;
  }
  if (Result<void> written = active().append(batch, last, builder.max_timestamp()); !written) {
    return written.error() == Errc::partition_failed ? fail(written.error()) : written;
  }
  epochs.note(epoch, base);
  last_batch_crc = load_big_endian<std::uint32_t>(batch.data() + batch_layout::kCrcAt);
  written_bytes.fetch_add(batch.size(), std::memory_order_relaxed);
  written_end.store(end.value(), std::memory_order_release);
  return {};
}

Result<void> PartitionLog::Parts::add_segment(Offset base) {
  // A failed attempt may have left files of this name.
  if (Result<void> removed = remove_segment(ports.storage, directory, base); !removed) return removed;
  Result<std::shared_ptr<Segment>> segment = Segment::open(ports.storage, directory, base, options);
  if (!segment) return segment.error();
  segments.add(std::move(*segment));
  names_changed.store(true, std::memory_order_release);
  return {};
}

Result<void> PartitionLog::truncate_to(Offset end) {
  if (const std::optional<Error> refusal = parts_->refusal()) return *refusal;
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  if (end < start() || end > written_end()) {
    return Error{Errc::invalid_argument, "can't cut " + parts_->directory + " at offset " + std::to_string(end.value())};
  }
  const std::size_t index = segment_index(*list, end).value_or(0);
  const Result<std::uint64_t> position = (*list)[index]->border_at(end);
  if (!position) return position.error();

  parts_->sync_turn.take();
  Result<void> done = parts_->cut(*list, index, *position, end);
  if (!done) static_cast<void>(parts_->fail(done.error()));
  parts_->sync_turn.give_back();
  return done;
}

Result<void> PartitionLog::Parts::cut(const Segments& list, std::size_t index, std::uint64_t position, Offset end) {
  // The mark first: it must never promise more than there is.
  const Offset synced = std::min(end, Offset{synced_end});
  if (Result<void> reset = mark->reset(synced); !reset) return reset;
  for (std::size_t i = list.size(); i-- > index + 1;) {
    if (Result<void> removed = remove_segment(ports.storage, directory, list[i]->base()); !removed) return removed;
  }
  const Offset base = list[index]->base();
  if (Result<void> removed = remove_stream_run(ports.storage, directory, base); !removed) return removed;
  if (Result<void> cut_off = list[index]->cut(position); !cut_off) return cut_off;
  // A fresh object: readers that hold the old one keep a consistent view of what it had in memory.
  const Result<std::shared_ptr<Segment>> segment = Segment::open(ports.storage, directory, base, options);
  if (!segment) return segment.error();
  const Result<SegmentScan> rebuilt = (*segment)->rebuild(true, kNoEpoch, [](const BatchHeader&) {});
  if (!rebuilt) return rebuilt.error();
  if (rebuilt->damage) return *rebuilt->damage;
  // A power cut must not bring back what was cut: what is appended next would lie behind it, or beside it.
  if (Result<void> durable = (*segment)->sync(true); !durable) return durable;
  if (Result<void> durable = ports.storage.sync_directory(directory); !durable) return durable;
  last_batch_crc = rebuilt->last ? rebuilt->last->crc : 0;
  Segments kept(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(index));
  kept.push_back(*segment);
  segments.assign(std::move(kept));
  epochs.trim_to(end);
  recent_ids.reset();
  names_changed = true;
  first_unsynced_segment = std::min(first_unsynced_segment, base);
  first_unindexed_segment = std::min(first_unindexed_segment, base);
  written_end = end.value();
  synced_end = synced.value();
  return {};
}

Result<CleanEnd> PartitionLog::close() {
  if (parts_->options.read_only || parts_->closed) return Error{Errc::closed, parts_->directory + " has nothing to close"};
  parts_->active().seal();
  const Result<Offset> synced = sync();
  if (!synced) return synced.error();
  parts_->closed = true;
  Segment& active = parts_->active();
  if (Result<void> durable = active.sync(true); !durable) return durable.error();
  if (active.streams() != nullptr && parts_->written_bytes > 0) {
    if (Result<void> saved = active.streams()->save(written_end()); !saved) {
      logger()->warn("stream index of {} is made anew at the next need: {}", active.path(), saved.error().text());
    }
  }
  return CleanEnd{.end = written_end(), .last_batch_crc = parts_->last_batch_crc};
}

}  // namespace lungo
