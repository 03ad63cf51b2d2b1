#include <lungo/log/mirror_batch.hpp>

#include <algorithm>
#include <limits>

#include <lungo/log/check.hpp>

#include "key_hash.hpp"
#include "record_writing.hpp"

namespace lungo {
namespace {

constexpr std::int64_t kLastDeltaMax = std::numeric_limits<std::int32_t>::max();
// More than any source skips; a batch covers 2^31 offsets, so that this is 512 of them.
constexpr std::int64_t kHoleMax = std::int64_t{1} << 40;
constexpr Timestamp kNoTime{std::chrono::milliseconds{-1}};  // Kafka's

}  // namespace

void MirrorBatches::begin(Offset base) {
  base_ = end_ = base;
  bytes_.clear();
  batches_.clear();
  is_open_ = false;
  key_hashes_.clear();
  offset_deltas_.clear();
}

Result<void> MirrorBatches::check_place(Offset offset) const {
  if (offset >= end_ && offset - end_ < kHoleMax && offset.value() < std::numeric_limits<std::int64_t>::max()) return {};
  return Error{Errc::invalid_argument,
               "offset " + std::to_string(offset.value()) + " can't follow where " + std::to_string(end_.value()) + " is due",
               offset};
}

Result<void> MirrorBatches::add(Offset offset, const RecordFields& record) {
  if (Result<void> placed = check_place(offset); !placed) return placed;
  const std::size_t size = body_size(record);
  if (size > kRecordBytesMax) {
    return Error{Errc::too_large,
                 "the record at offset " + std::to_string(offset.value()) + " takes " + std::to_string(size) +
                     " bytes, at most " + std::to_string(kRecordBytesMax) + " are allowed",
                 offset};
  }
  make_room_for_one();
  end_batches_below(offset);
  const bool has_records = open_batch().records > 0;
  const std::size_t bytes = bytes_.size() - batches_.back().position;
  if (has_records && bytes + kFramingBytesMax + size > batch_bytes_) end_batch(offset);
  Batch& batch = open_batch();
  std::byte* out = bytes_.make_room(kFramingBytesMax + size);  // the last memory: what throws leaves whole records
  if (batch.records == 0) batch.base_timestamp = batch.max_timestamp = record.timestamp;
  const auto offset_delta = static_cast<std::int32_t>(offset - batch.base);
  out = write_framing(out, time_delta(record.timestamp, batch.base_timestamp), offset_delta, size);
  bytes_.take_to(write_body(out, record));
  batch.max_timestamp = std::max(batch.max_timestamp, record.timestamp);
  ++batch.records;
  key_hashes_.push_back(record.key ? key_hash(as_text(*record.key)) : kNoKeyHash);
  offset_deltas_.push_back(offset_delta);
  end_ = offset.next();
  return {};
}

Result<void> MirrorBatches::end_at(Offset end) {
  if (Result<void> placed = check_place(end); !placed) return placed;
  if (end > base_) {
    end_batches_below(end.plus(-1));
    end_batch(end);
  }
  end_ = end;
  return {};
}

void MirrorBatches::make_room_for_one() {
  if (key_hashes_.size() == key_hashes_.capacity()) key_hashes_.reserve(std::max<std::size_t>(64, 2 * key_hashes_.size()));
  offset_deltas_.reserve(key_hashes_.capacity());
}

/// The one that is being filled; a new one begins where the last one ended.
MirrorBatches::Batch& MirrorBatches::open_batch() {
  if (is_open_) return batches_.back();
  const Offset base = batches_.empty() ? base_ : batches_.back().end;
  batches_.push_back({.base = base, .end = {}, .position = bytes_.size(), .first_record = key_hashes_.size()});
  bytes_.take_to(bytes_.make_room(kBatchHeaderBytes) + kBatchHeaderBytes);
  is_open_ = true;
  return batches_.back();
}

void MirrorBatches::end_batch(Offset end) {
  Batch& batch = open_batch();
  check(end > batch.base && end - batch.base <= kLastDeltaMax + 1, "a batch covers 1 to 2^31 offsets");
  batch.end = end;
  batch.size = bytes_.size() - batch.position;
  const bool has_records = batch.records > 0;
  std::byte* const at = bytes_.data() + batch.position;
  write_batch_header(at, batch.size,
                     {.count = static_cast<std::int32_t>(batch.records),
                      .last_offset_delta = static_cast<std::int32_t>(end - batch.base - 1),
                      .base_timestamp = has_records ? batch.base_timestamp : kNoTime,
                      .max_timestamp = has_records ? batch.max_timestamp : kNoTime});
  write_place(at, batch.base, kMirrorEpoch);
  is_open_ = false;
}

/// Those that can't reach up to it.
void MirrorBatches::end_batches_below(Offset offset) {
  while (offset - open_batch().base > kLastDeltaMax) end_batch(batches_.back().base.plus(kLastDeltaMax + 1));
}

CopiedBatch MirrorBatches::batch(std::size_t index) const {
  check(!is_open_, "end_at() comes first");
  const Batch& batch = batches_[index];
  return {.base = batch.base,
          .end = batch.end,
          .bytes = bytes_.view().subspan(batch.position, batch.size),
          .newest = batch.records > 0 ? std::optional{batch.max_timestamp} : std::nullopt,
          .key_hashes = std::span{key_hashes_}.subspan(batch.first_record, batch.records),
          .offset_deltas = std::span{offset_deltas_}.subspan(batch.first_record, batch.records)};
}

}  // namespace lungo
