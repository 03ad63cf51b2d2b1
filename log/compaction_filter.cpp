#include "compaction_filter.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/deadline.hpp>

#include "base/byte_order.hpp"
#include "base/byte_reader.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"
#include "batch_compression.hpp"
#include "batch_header.hpp"

namespace lungo {
namespace {

using namespace batch_layout;

constexpr std::int16_t kCodecBits = 0x07;
constexpr std::int64_t kNoTime = -1;

std::int64_t milliseconds_of(Timestamp time) { return time.time_since_epoch().count(); }

// As unsigned: hostile times wrap, here and where they are read.
std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

void append(Bytes& out, BytesView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

}  // namespace

struct CompactionFilter::Record {
  BytesView whole;  // with its length
  std::byte attributes{};
  std::int64_t time = 0;
  std::int32_t offset_delta = 0;
  BytesView body;
  RecordView fields;
};

CompactionFilter::CompactionFilter(const KeyOffsets& keys, Settings settings) : keys_(keys), settings_(settings) {}
CompactionFilter::~CompactionFilter() = default;

Result<BytesView> CompactionFilter::clean(BytesView batch, Emptied emptied) {
  const Result<BatchHeader> header = parse_batch_header(batch);
  if (!header) return header.error();
  if (header->size_bytes() != batch.size()) return Error{Errc::corrupt, "the bytes are not one whole batch"};
  // A value that stays here would be the newest of its key once a tombstone above it is gone.
  if (header->is_transactional() && !header->is_control()) keep_tombstones();
  if (!takes_part(*header) || header->base_offset >= keys_.end()) return batch;
  BytesView records = batch.subspan(kBatchHeaderBytes);
  if (header->compression() != kNoCompression && header->records_count > 0) {
    const Result<BytesView> decompressed = decompressed_records(*header, batch, decompressed_);
    if (!decompressed) return decompressed;
    records = *decompressed;
  }
  if (Result<void> taken = take_records(*header, records); !taken) return taken.error();
  if (kept_.empty()) {
    if (emptied == Emptied::goes) return BytesView{};
    return header->records_count == 0 ? batch : header_alone(*header, batch);
  }
  if (dropped_ == 0 && !needs_horizon_) return batch;
  return rebuilt(*header, batch);
}

/// Fills kept_ with those that stay.
Result<void> CompactionFilter::take_records(const BatchHeader& header, BytesView records) {
  const auto malformed = [&] {
    return Error{Errc::corrupt,
                 "record in the batch at offset " + std::to_string(header.base_offset.value()) + " is malformed"};
  };
  kept_.clear();
  dropped_ = 0;
  needs_horizon_ = false;
  const bool has_horizon = (header.attributes & kDeleteHorizonBit) != 0;
  ByteReader reader{records};
  for (std::int32_t i = 0; i < header.records_count; ++i) {
    const BytesView rest = reader.rest();
    const std::int32_t size = reader.signed_varint32();
    ByteReader inside{size < 0 ? BytesView{} : reader.bytes(static_cast<std::size_t>(size))};
    Record record;
    record.attributes = static_cast<std::byte>(inside.big_endian<std::int8_t>());
    record.time = sum(milliseconds_of(header.base_timestamp), inside.signed_varint());
    record.offset_delta = inside.signed_varint32();
    if (!reader.ok() || !inside.ok() || record.offset_delta < 0 || record.offset_delta > header.last_offset_delta) {
      return malformed();
    }
    record.whole = rest.first(rest.size() - reader.remaining());
    record.body = inside.rest();
    const Result<RecordView> fields = parse_record_body(record.body);
    if (!fields) return malformed();
    record.fields = *fields;
    if (!stays(record, header)) {
      ++dropped_;
      continue;
    }
    const bool is_known = header.base_offset.plus(record.offset_delta) < keys_.end();
    if (record.fields.has_key && !record.fields.has_value && is_known && !has_horizon) needs_horizon_ = true;
    kept_.push_back(record);
  }
  return reader.remaining() == 0 ? Result<void>{} : malformed();
}

bool CompactionFilter::stays(const Record& record, const BatchHeader& header) const {
  const Offset offset = header.base_offset.plus(record.offset_delta);
  if (!record.fields.has_key || offset >= keys_.end()) return true;
  const std::optional<Offset> last = keys_.find(record.fields.key);
  if (last && offset < *last) return false;
  const bool has_horizon = (header.attributes & kDeleteHorizonBit) != 0;
  return record.fields.has_value || !has_horizon || tombstones_stay_ || header.base_timestamp >= settings_.now;
}

/// The batch with the records that stay.
BytesView CompactionFilter::rebuilt(const BatchHeader& header, BytesView batch) {
  out_.assign(batch.begin(), batch.begin() + kBatchHeaderBytes);
  std::int64_t base_time = milliseconds_of(header.base_timestamp);
  if (needs_horizon_) base_time = milliseconds_of(deadline_after(settings_.now, settings_.tombstone_age));
  std::int64_t max_time = kept_.front().time;
  for (const Record& record : kept_) {
    max_time = std::max(max_time, record.time);
    if (!needs_horizon_) {
      append(out_, record.whole);
      continue;
    }
    std::array<std::byte, 2 * kVarintBytesMax + 1> framing;
    std::byte* at = framing.data();
    *at++ = record.attributes;
    at = write_signed_varint(at, difference(record.time, base_time));
    at = write_signed_varint(at, record.offset_delta);
    const auto framing_bytes = static_cast<std::size_t>(at - framing.data());
    std::array<std::byte, kVarintBytesMax> size;
    const std::byte* const size_end =
        write_signed_varint(size.data(), static_cast<std::int64_t>(framing_bytes + record.body.size()));
    append(out_, {size.data(), size_end});
    append(out_, BytesView{framing}.first(framing_bytes));
    append(out_, record.body);
  }
  if (header.is_log_append_time()) max_time = milliseconds_of(header.max_timestamp);
  auto attributes = static_cast<std::int16_t>(header.attributes & ~kCodecBits);
  if (needs_horizon_) attributes = static_cast<std::int16_t>(attributes | kDeleteHorizonBit);
  finish_header(attributes, base_time, max_time, static_cast<std::int32_t>(kept_.size()));
  if (header.compression() == kNoCompression) return out_;
  return compressed_batch(out_, static_cast<Compression>(header.compression()), compressed_);
}

BytesView CompactionFilter::header_alone(const BatchHeader& header, BytesView batch) {
  out_.assign(batch.begin(), batch.begin() + kBatchHeaderBytes);
  const auto attributes = static_cast<std::int16_t>(header.attributes & ~(kCodecBits | kDeleteHorizonBit));
  finish_header(attributes, kNoTime, milliseconds_of(header.max_timestamp), 0);
  return out_;
}

void CompactionFilter::finish_header(std::int16_t attributes, std::int64_t base_time, std::int64_t max_time,
                                     std::int32_t count) {
  std::byte* const at = out_.data();
  store_big_endian(at + kLengthAt, static_cast<std::int32_t>(out_.size() - kBatchPrefixBytes));
  store_big_endian(at + kAttributesAt, attributes);
  store_big_endian(at + kBaseTimestampAt, base_time);
  store_big_endian(at + kMaxTimestampAt, max_time);
  store_big_endian(at + kCountAt, count);
  store_big_endian(at + kCrcAt, crc32c(BytesView{out_}.subspan(kCrcCoversFrom)));
}

}  // namespace lungo
