// The bytes of a batch, field by field, for those who put batches together: EncodedRecords and BatchBuilder
// (record_encoding.cpp), and the batches of a mirror. Grammar in record_batch.hpp.
//
// For log/ only. Each `write_` writes at `out`, where there is room, and returns one past the last byte. Threads: none.
#pragma once

#include <cstring>
#include <optional>

#include <lungo/log/record_batch.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"
#include "batch_layout.hpp"

namespace lungo {

/// What stands before a record's body at its longest: length, attributes, timestampDelta and offsetDelta.
inline constexpr std::size_t kFramingBytesMax = 3 * kVarintBytesMax + 1;

inline std::size_t field_size(std::optional<BytesView> bytes) {
  return bytes ? signed_varint_size(static_cast<std::int64_t>(bytes->size())) + bytes->size() : signed_varint_size(-1);
}

inline std::byte* write_bytes(std::byte* out, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

inline std::byte* write_field(std::byte* out, std::optional<BytesView> bytes) {
  if (!bytes) return write_signed_varint(out, -1);
  return write_bytes(write_signed_varint(out, static_cast<std::int64_t>(bytes->size())), *bytes);
}

inline std::optional<BytesView> value_of(const HeaderView& header) {
  return header.has_value ? std::optional{header.value} : std::nullopt;
}

inline std::size_t body_size(const RecordFields& fields) {
  std::size_t size = field_size(fields.key) + field_size(fields.value);
  size += signed_varint_size(static_cast<std::int64_t>(fields.headers.size()));
  for (const HeaderView& header : fields.headers) size += field_size(as_bytes(header.name)) + field_size(value_of(header));
  return size;
}

inline std::byte* write_header_count(std::byte* out, const RecordFields& fields) {
  return write_signed_varint(out, static_cast<std::int64_t>(fields.headers.size()));
}

inline std::byte* write_body(std::byte* out, const RecordFields& fields) {
  out = write_header_count(write_field(write_field(out, fields.key), fields.value), fields);
  for (const HeaderView& header : fields.headers) {
    out = write_field(write_field(out, as_bytes(header.name)), value_of(header));
  }
  return out;
}

/// Subtracted as unsigned: two extreme times may lie further apart than a signed number can say, and the reader's sum wraps
/// back.
inline std::int64_t time_delta(Timestamp time, Timestamp base) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.time_since_epoch().count()) -
                                   static_cast<std::uint64_t>(base.time_since_epoch().count()));
}

/// What stands before a record's body.
inline std::byte* write_framing(std::byte* out, std::int64_t timestamp_delta, std::int32_t offset_delta,
                                std::size_t body_bytes) {
  const std::size_t size = 1 + signed_varint_size(timestamp_delta) + signed_varint_size(offset_delta) + body_bytes;
  out = write_signed_varint(out, static_cast<std::int64_t>(size));
  *out++ = std::byte{0};  // attributes, none are defined
  out = write_signed_varint(out, timestamp_delta);
  return write_signed_varint(out, offset_delta);
}

/// What a batch without producer says of its records.
struct BatchFacts {
  std::int32_t count = 0;
  std::int32_t last_offset_delta = 0;
  Timestamp base_timestamp;
  Timestamp max_timestamp;
  std::int16_t attributes = 0;
};

/// Fills in the header in front of the records of `batch`, all of it but the place in the log, and the CRC.
inline void write_batch_header(std::byte* batch, std::size_t size, const BatchFacts& facts) {
  using namespace batch_layout;
  store_big_endian(batch + kLengthAt, static_cast<std::int32_t>(size - kBatchPrefixBytes));
  store_big_endian(batch + kMagicAt, std::int8_t{2});
  store_big_endian(batch + kAttributesAt, facts.attributes);
  store_big_endian(batch + kLastDeltaAt, facts.last_offset_delta);
  store_big_endian(batch + kBaseTimestampAt, std::int64_t{facts.base_timestamp.time_since_epoch().count()});
  store_big_endian(batch + kMaxTimestampAt, std::int64_t{facts.max_timestamp.time_since_epoch().count()});
  store_big_endian(batch + kProducerAt, kNoProducer.value());
  store_big_endian(batch + kProducerEpochAt, std::int16_t{-1});
  store_big_endian(batch + kBaseSequenceAt, std::int32_t{-1});
  store_big_endian(batch + kCountAt, facts.count);
  store_big_endian(batch + kCrcAt, crc32c(BytesView{batch, size}.subspan(kCrcCoversFrom)));
}

/// The CRC covers neither.
inline void write_place(std::byte* batch, Offset base, LeaderEpoch epoch) {
  store_big_endian(batch, base.value());
  store_big_endian(batch + batch_layout::kEpochAt, epoch.value());
}

}  // namespace lungo
