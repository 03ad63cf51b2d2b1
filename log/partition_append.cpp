// PartitionLog's append path, from a group to the bytes of a segment.

#include <lungo/log/check.hpp>

#include "append_checks.hpp"
#include "base/byte_order.hpp"
#include "base/logger.hpp"
#include "batch_compression.hpp"
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

struct FinishedBatch {
  BytesView bytes;
  std::int32_t count;
  Timestamp max_timestamp;
};

FinishedBatch stamped(EncodedRecords& records, Offset base, LeaderEpoch epoch, std::optional<Timestamp> log_time) {
  return {records.stamp(base, epoch, log_time), static_cast<std::int32_t>(records.count()),
          log_time.value_or(records.max_timestamp())};
}

// One append is a batch already; several are put together.
FinishedBatch finish(const std::vector<Accepted>& accepted, BatchBuilder& builder, Offset base, LeaderEpoch epoch,
                     std::optional<Timestamp> log_time) {
  if (accepted.size() == 1) return stamped(*accepted.front().item->records, base, epoch, log_time);
  builder.clear();
  for (const Accepted& append : accepted) builder.add(*append.item->records);
  return {builder.finish(base, epoch, log_time), builder.count(), log_time.value_or(builder.max_timestamp())};
}

bool wants_checks(const GroupItem& item) { return item.condition != nullptr || item.since || item.records->id(0); }

Appended appended(const EncodedRecords& records, Offset first, LeaderEpoch epoch) {
  return {.first = first, .end = first.plus(static_cast<std::int64_t>(records.count())), .epoch = epoch};
}

void refuse_all(std::span<GroupItem> group, const Error& error) {
  for (GroupItem& item : group) item.outcome = error;
}

}  // namespace

void PartitionLog::append(std::span<GroupItem> group, LeaderEpoch epoch) {
  if (const std::optional<Error> refusal = parts_->refusal()) return refuse_all(group, *refusal);
  if (group.size() == 1 && group.front().batch != nullptr) {
    group.front().outcome = parts_->append_batch(*group.front().batch, epoch);
    return;
  }
  for (const GroupItem& item : group) check(item.records != nullptr && !item.records->empty(), "an append has records");
  if (group.size() == 1 && !wants_checks(group.front())) {
    group.front().outcome = parts_->append_unchecked(*group.front().records, epoch);
  } else {
    parts_->append_checked(group, epoch);
  }
}

// The short way of an append that is alone and asks for nothing.
Result<Appended> PartitionLog::Parts::append_unchecked(EncodedRecords& records, LeaderEpoch epoch) {
  const Offset first{written_end.load(std::memory_order_relaxed)};
  const FinishedBatch batch = stamped(records, first, epoch, log_append_time());
  if (streams) {
    key_hashes.clear();
    add_key_hashes(records, key_hashes);
  }
  const Result<void> written = write_records(batch.bytes, epoch, batch.count, batch.max_timestamp, key_hashes);
  if (!written) return written.error();
  if (recent_ids) recent_ids->add_all(records, first);
  return appended(records, first, epoch);
}

void PartitionLog::Parts::append_checked(std::span<GroupItem> group, LeaderEpoch epoch) {
  const Offset end{written_end.load(std::memory_order_relaxed)};
  AppendChecks checks{{.start = Offset{start}, .end = end, .epoch = epoch, .epochs = epochs, .streams = options.streams},
                      lookup(end),
                      [this] { return ids(); }};
  std::vector<Accepted> accepted;
  std::vector<GroupItem*> resting;  // on the batch being written
  std::size_t bytes = 0;
  Offset next = end;
  for (GroupItem& item : group) {
    Verdict verdict = checks.judge(item);
    if (verdict.rests_on_group) resting.push_back(&item);
    if (!verdict.outcome && bytes + item.records->size_bytes() > kBatchBytesMax) {
      verdict.outcome = Error{Errc::too_large, "the appends of one group do not fit one batch"};
    }
    item.outcome = std::move(verdict.outcome);
    if (item.outcome) continue;
    accepted.push_back({&item, next});
    checks.accept(*item.records);
    bytes += item.records->size_bytes();
    next = next.plus(static_cast<std::int64_t>(item.records->count()));
  }
  if (accepted.empty()) return;

  const FinishedBatch batch = finish(accepted, builder, end, epoch, log_append_time());
  const Result<void> written = write_records(batch.bytes, epoch, batch.count, batch.max_timestamp, checks.key_hashes());
  if (!written) {
    for (GroupItem* item : resting) item->outcome = written.error();
    for (const auto& [item, first] : accepted) item->outcome = written.error();
    return;
  }
  for (const auto& [item, first] : accepted) {
    item->outcome = appended(*item->records, first, epoch);
    if (recent_ids) recent_ids->add_all(*item->records, first);
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

// Where the topic's times are the log's: once for a batch.
std::optional<Timestamp> PartitionLog::Parts::log_append_time() const {
  if (timestamps == TimestampKind::create) return std::nullopt;
  return ports.clock.now();
}

// Writes a batch of our own, compressed as the topic says.
Result<void> PartitionLog::Parts::write_records(BytesView batch, LeaderEpoch epoch, std::int32_t count, Timestamp max_timestamp,
                                                std::span<const std::uint64_t> hashes) {
  if (options.compression != Compression::none) batch = compressed_batch(batch, options.compression, compressed);
  return write(batch, epoch, count, max_timestamp, hashes);
}

// Writes one finished batch: rolls if it is time, then segment, stream index, ends. Nothing changes on failure. `hashes` are
// those of its keys, where there is a stream index.
Result<void> PartitionLog::Parts::write(BytesView batch, LeaderEpoch epoch, std::int32_t count, Timestamp max_timestamp,
                                        std::span<const std::uint64_t> hashes) {
  const Offset end = Offset{written_end.load(std::memory_order_relaxed)}.plus(count);
  const Result<StreamIndex::Batch> placed = write_to_segment(batch, epoch, end, max_timestamp);
  if (!placed) return placed.error();
  if (streams) streams->add(*placed, hashes);
  move_end(end, batch.size());
  return {};
}

// Writes it behind the last one, up to `end`. Where it lies then.
Result<StreamIndex::Batch> PartitionLog::Parts::write_to_segment(BytesView batch, LeaderEpoch epoch, Offset end,
                                                                 std::optional<Timestamp> newest) {
  const Offset base{written_end.load(std::memory_order_relaxed)};
  const Offset last = end.plus(-1);
  if (active->is_full_for(batch.size(), last, segment_bytes)) {
    if (Result<void> rolled = roll(base); !rolled) return rolled.error();
  }
  if (Result<void> removed = remove_half_made(); !removed) return removed.error();
  const std::uint64_t place = active->size();
  if (Result<void> written = active->append(batch, last, newest); !written) {
    return written.error() == Errc::partition_failed ? fail(written.error()) : written.error();
  }
  if (epoch != noted_epoch) {
    epochs.note(epoch, base);
    noted_epoch = epoch;
  }
  last_batch_crc = load_big_endian<std::uint32_t>(batch.data() + batch_layout::kCrcAt);
  return StreamIndex::Batch{.first = base, .place = place, .crc = last_batch_crc, .epoch = epoch};
}

// Behind all that is to be seen of the batch.
void PartitionLog::Parts::move_end(Offset end, std::size_t bytes) {
  written_bytes.fetch_add(bytes, std::memory_order_relaxed);
  written_end.store(end.value(), std::memory_order_release);
  if (active->size() > segment_bytes / 2 && makes_ahead() && next_segment.want()) chores_due();
}

/// Begins the next segment. What can wait is left to do_chores().
Result<void> PartitionLog::Parts::roll(Offset base) {
  if (Result<void> cut = active->cut_back(); !cut) return cut;
  static_cast<void>(active->finish_indexes());
  const std::shared_ptr<Segment> full_one = segments.snapshot()->back();
  if (Result<void> added = add_segment(base); !added) return added;
  if (!chores_due) {
    full_one->give_back_room();
    return {};
  }
  bool was_empty = false;
  {
    const std::lock_guard lock(full_mutex);
    was_empty = full.empty();
    full.push_back(full_one);
  }
  if (was_empty) chores_due();
  return {};
}

Result<void> PartitionLog::Parts::add_segment(Offset base) {
  if (Result<void> removed = remove_half_made(); !removed) return removed;
  half_made = base;
  // Before the segment is there: from then on this is where its producers are made anew from.
  if (Result<void> noted = producers.roll(*segments.snapshot(), base, ports.clock.now()); !noted) return noted;
  next_segment.take(base);
  Result<std::shared_ptr<Segment>> segment = Segment::open(ports.storage, directory, base, options);
  if (!segment) return segment.error();
  half_made.reset();
  if (options.dense_end) (*segment)->expect_no_gaps();
  active = segment->get();
  segments.add(std::move(*segment));
  names_changed.store(true, std::memory_order_release);
  digests_due.store(true, std::memory_order_release);
  return {};
}

// The segment before it goes on: it would run past a name that says that it ends there.
Result<void> PartitionLog::Parts::remove_half_made() {
  if (!half_made) return {};
  if (Result<void> removed = remove_segment(ports.storage, directory, *half_made); !removed) return removed;
  half_made.reset();
  names_changed.store(true, std::memory_order_release);
  return {};
}

}  // namespace lungo
