// Loading a batch's fixed fields without a text or a Result: for those who walk many small batches.
//
// For log/ only. What is wrong with a header is decided here and nowhere else; parse_batch_header() says it in words.
#pragma once

#include <cstdint>
#include <limits>

#include <lungo/log/record_batch.hpp>

#include "base/byte_order.hpp"
#include "batch_layout.hpp"

namespace lungo {

// Readers make room for a whole batch before they can check it. No batch of ours comes near (appends of 64 MiB of bodies, of
// which the smallest take seven times their size with framing), and Kafka's brokers take 1 MB unless told otherwise.
inline constexpr std::int32_t kBatchLengthMax = 512 << 20;
// length, attributes, timestampDelta, offsetDelta, keyLength, valueLength and headerCount at their shortest
inline constexpr std::size_t kRecordBytesMin = 7;
inline constexpr int kNoCompression = 0;

enum class HeaderFault : std::uint8_t { none, magic, length_low, length_high, base_offset, last_delta, count, room };

/// Loads the kBatchHeaderBytes at `at`, all of which are there. On a fault the header holds what stands there.
inline HeaderFault load_batch_header(const std::byte* at, BatchHeader& header) {
  using namespace batch_layout;
  const auto time = [at](std::size_t field) {
    return Timestamp{std::chrono::milliseconds{load_big_endian<std::int64_t>(at + field)}};
  };
  header.base_offset = Offset{load_big_endian<std::int64_t>(at)};
  header.batch_length = load_big_endian<std::int32_t>(at + kLengthAt);
  header.epoch = LeaderEpoch{load_big_endian<std::int32_t>(at + kEpochAt)};
  header.crc = load_big_endian<std::uint32_t>(at + kCrcAt);
  header.attributes = load_big_endian<std::int16_t>(at + kAttributesAt);
  header.last_offset_delta = load_big_endian<std::int32_t>(at + kLastDeltaAt);
  header.base_timestamp = time(kBaseTimestampAt);
  header.max_timestamp = time(kMaxTimestampAt);
  header.producer = ProducerId{load_big_endian<std::int64_t>(at + kProducerAt)};
  header.producer_epoch = load_big_endian<std::int16_t>(at + kProducerEpochAt);
  header.base_sequence = load_big_endian<std::int32_t>(at + kBaseSequenceAt);
  header.records_count = load_big_endian<std::int32_t>(at + kCountAt);

  if (at[kMagicAt] != std::byte{2}) return HeaderFault::magic;
  if (header.batch_length < static_cast<std::int32_t>(kBatchHeaderBytes - kBatchPrefixBytes)) return HeaderFault::length_low;
  if (header.batch_length > kBatchLengthMax) return HeaderFault::length_high;
  const std::int64_t base = header.base_offset.value();
  if (base < 0) return HeaderFault::base_offset;
  if (header.last_offset_delta < 0 || base > std::numeric_limits<std::int64_t>::max() - header.last_offset_delta - 1) {
    return HeaderFault::last_delta;
  }
  if (header.records_count < 0 || header.records_count - 1 > header.last_offset_delta) return HeaderFault::count;
  const std::size_t payload = header.size_bytes() - kBatchHeaderBytes;
  if (header.compression() == kNoCompression && static_cast<std::size_t>(header.records_count) > payload / kRecordBytesMin) {
    return HeaderFault::room;
  }
  return HeaderFault::none;
}

}  // namespace lungo
