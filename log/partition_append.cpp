// PartitionLog's append path, from a group to the bytes of a segment.

#include <lungo/log/check.hpp>

#include "append_checks.hpp"
#include "base/byte_order.hpp"
#include "base/logger.hpp"
#include "batch_layout.hpp"
#include "partition_parts.hpp"
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

}  // namespace lungo
