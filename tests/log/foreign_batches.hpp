// Batches as Kafka's cleaner and its transactions leave them: with holes, emptied, control batches.
#pragma once

#include <map>
#include <string>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"
#include "batch_layout.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

constexpr std::int16_t kTransactionalBatch = 0x10;
constexpr std::int16_t kControlBatch = 0x20;

struct ForeignBatch {
  Offset base;
  std::int32_t last_delta = 0;
  std::map<std::int32_t, TestRecord> records;  // by offset delta; may be empty
  LeaderEpoch epoch{0};
  std::int16_t attributes = 0;
  std::int64_t max_time = 1000;
};

inline Bytes encode(const ForeignBatch& batch) {
  using namespace batch_layout;
  Bytes bytes(kBatchHeaderBytes);
  for (const auto& [delta, record] : batch.records) {
    const EncodedRecords encoded = encode(std::vector{record});
    const BytesView body = encoded.body(0);
    std::byte framing[32];
    std::byte* out = framing;
    *out++ = std::byte{0};
    out = write_signed_varint(out, record.time);
    out = write_signed_varint(out, delta);
    const auto prefix = static_cast<std::size_t>(out - framing);
    std::byte size[16];
    bytes.insert(bytes.end(), size, write_signed_varint(size, static_cast<std::int64_t>(prefix + body.size())));
    bytes.insert(bytes.end(), framing, out);
    bytes.insert(bytes.end(), body.begin(), body.end());
  }
  std::byte* const at = bytes.data();
  store_big_endian(at, batch.base.value());
  store_big_endian(at + kLengthAt, static_cast<std::int32_t>(bytes.size() - kBatchPrefixBytes));
  store_big_endian(at + kEpochAt, batch.epoch.value());
  store_big_endian(at + kMagicAt, std::int8_t{2});
  store_big_endian(at + kAttributesAt, batch.attributes);
  store_big_endian(at + kLastDeltaAt, batch.last_delta);
  store_big_endian(at + kBaseTimestampAt, std::int64_t{0});
  store_big_endian(at + kMaxTimestampAt, batch.max_time);
  store_big_endian(at + kProducerAt, std::int64_t{-1});
  store_big_endian(at + kProducerEpochAt, std::int16_t{-1});
  store_big_endian(at + kBaseSequenceAt, std::int32_t{-1});
  store_big_endian(at + kCountAt, static_cast<std::int32_t>(batch.records.size()));
  store_big_endian(at + kCrcAt, crc32c(BytesView{bytes}.subspan(kCrcCoversFrom)));
  return bytes;
}

inline Bytes encode(const std::vector<ForeignBatch>& batches) {
  Bytes all;
  for (const ForeignBatch& batch : batches) {
    const Bytes one = encode(batch);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

/// What a partition holds, by offset; read in pieces from `from`, or the start, on.
inline std::map<std::int64_t, TestRecord> records_by_offset(PartitionLog& log, std::optional<Offset> from = {},
                                                            std::size_t bytes_max = 1) {
  std::map<std::int64_t, TestRecord> records;
  Offset at = from.value_or(log.start());
  while (at < log.written_end()) {
    const Result<Fetched> fetched = log.read(at, log.written_end(), bytes_max, {}, {});
    EXPECT_TRUE(fetched) << fetched.error();
    if (!fetched) break;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      EXPECT_TRUE(records.emplace(record->offset.value(), decode(*record)).second) << record->offset.value();
    }
    EXPECT_FALSE(cursor.error()) << *cursor.error();
    EXPECT_GT(fetched->next().offset, at);
    if (cursor.error() || fetched->next().offset <= at) break;
    at = fetched->next().offset;
  }
  EXPECT_EQ(at, log.written_end());
  return records;
}

}  // namespace lungo::test
