// Goal: batches that Kafka compressed are read by every road that leads to records, ours are written so that they can be, and
// hostile ones are an error.
#include "batch_compression.hpp"

#include <algorithm>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "partition_fixture.hpp"
#include "tests/support/golden_file.hpp"

namespace lungo::test {
namespace {

constexpr Offset kKafkasBase{258};
constexpr std::int64_t kKafkasTime = 1'700'000'000'000;
constexpr char kKafkasSegment[] = "00000000000000000258.log";

// As tests/golden/compression/WriteCompressed.java wrote them.
std::vector<TestRecord> kafkas_records() {
  std::vector<TestRecord> records;
  for (int i = 0; i < 20; ++i) {
    const std::string value = "saw /shop/item-" + std::to_string(i * 7919 % 100);
    records.push_back({.key = "visit-" + std::to_string(i % 4), .value = value, .time = kKafkasTime + i});
  }
  return records;
}

std::vector<TestRecord> some_records(int count, int from = 0) {
  std::vector<TestRecord> records;
  for (int i = from; i < from + count; ++i) {
    records.push_back(
        {.key = "k" + std::to_string(i % 7), .value = std::string(200, static_cast<char>('a' + i % 26)), .time = i});
  }
  return records;
}

void stamp_crc(Bytes& batch) { store_big_endian(batch.data() + 17, crc32c(BytesView{batch}.subspan(21))); }

Bytes plain_batch(const std::vector<TestRecord>& records, Offset base = Offset{0}) {
  EncodedRecords encoded = encode(records);
  const BytesView batch = encoded.stamp(base, LeaderEpoch{0});
  return Bytes(batch.begin(), batch.end());
}

Result<std::vector<TestRecord>> records_of(BytesView batches, Offset from = Offset{0}) {
  std::vector<TestRecord> records;
  RecordCursor cursor{batches, from};
  while (const RecordView* record = cursor.next()) records.push_back(decode(*record));
  if (cursor.error()) return *cursor.error();
  return records;
}

class CompressedBatches : public testing::TestWithParam<Compression> {
 protected:
  [[nodiscard]] Bytes kafkas_batch() const {
    return golden_file("compression/" + std::string(to_string(GetParam())) + "_batch.hex");
  }
};

INSTANTIATE_TEST_SUITE_P(EveryCodec, CompressedBatches,
                         testing::Values(Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(CompressedBatches, OfKafkaAreReadFromAnyOffsetOn) {
  const Bytes batch = kafkas_batch();
  const Result<BatchHeader> header = verify_batch(batch);
  ASSERT_TRUE(header) << header.error();
  EXPECT_EQ(header->compression(), static_cast<int>(GetParam()));
  const std::vector<TestRecord> all = kafkas_records();
  for (int from = 0; from <= 20; ++from) {
    const Result<std::vector<TestRecord>> records = records_of(batch, kKafkasBase.plus(from));
    ASSERT_TRUE(records) << records.error();
    EXPECT_EQ(*records, std::vector(all.begin() + from, all.end()));
  }
}

TEST_P(CompressedBatches, OfKafkaAreFoundInASegmentByOffsetTimeAndKey) {
  PartitionFixture fixture;
  fixture.options.streams = true;
  ASSERT_TRUE(fixture.simulation->disk.make_directories(fixture.directory));
  ASSERT_TRUE(fixture.simulation->disk.open(fixture.path(kKafkasSegment), OpenMode::create_new));
  fixture.write(kKafkasSegment, 0, kafkas_batch());
  for (int opening = 0; opening < 2; ++opening) {  // the second one finds what the first one made
    const std::unique_ptr<PartitionLog> log = fixture.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(contents(*log), kafkas_records());
    const Result<std::optional<Offset>> at =
        log->offset_at(Timestamp{std::chrono::milliseconds{kKafkasTime + 7}}, log->written_end());
    ASSERT_TRUE(at) << at.error();
    EXPECT_EQ(*at, kKafkasBase.plus(7));
    const Result<KeyRecords> found = log->read_key("visit-3", log->start(), log->written_end(), 100);
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found->records.size(), 5u);
    EXPECT_EQ(found->records[1].offset, kKafkasBase.plus(7));
    EXPECT_EQ(as_text(found->records[1].value), "saw /shop/item-33");
  }
}

TEST_P(CompressedBatches, AreWrittenFoundAndRecovered) {
  PartitionFixture fixture;
  fixture.options.streams = true;
  fixture.options.compression = GetParam();
  fixture.options.segment_bytes = 4000;
  std::vector<TestRecord> all;
  {
    const std::unique_ptr<PartitionLog> log = fixture.opened();
    for (int round = 0; round < 40; ++round) {
      const std::vector<TestRecord> records = some_records(30, round * 30);
      ASSERT_TRUE(append(*log, records));
      all.insert(all.end(), records.begin(), records.end());
    }
    EXPECT_EQ(append(*log, {{.key = "k1", .value = "late"}}, LeaderEpoch{0}, Condition{"k1", Offset{5}}).error(),
              Errc::conflict);
    ASSERT_TRUE(log->sync());
    EXPECT_LT(log->unsynced_bytes() + fixture.file_size("00000000000000000000.log"), 4100u);
  }
  PartitionFixture found = fixture.after_power_cut(3);
  const std::unique_ptr<PartitionLog> log = found.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(contents(*log), all);
  for (const int time : {0, 29, 30, 700, 1199}) {
    EXPECT_EQ(*log->offset_at(Timestamp{std::chrono::milliseconds{time}}, log->written_end()), Offset{time});
  }
  const Result<KeyRecords> keyed = log->read_key("k3", Offset{0}, log->written_end(), 10'000);
  ASSERT_TRUE(keyed) << keyed.error();
  EXPECT_EQ(keyed->records.size(), 171u);
  const Result<Fetched> fetched = log->read(Offset{0}, log->written_end(), 0, {}, {});
  EXPECT_EQ(parse_batch_header(fetched->batches())->compression(), static_cast<int>(GetParam()));
}

TEST_P(CompressedBatches, AreOnlyWrittenWhereThatSavesSomething) {
  Bytes out;
  const Bytes small = plain_batch({{.key = "k", .value = "v"}});
  EXPECT_EQ(compressed_batch(small, GetParam(), out).data(), small.data());

  const Bytes plain = plain_batch(some_records(100), Offset{77});
  const BytesView compressed = compressed_batch(plain, GetParam(), out);
  EXPECT_LT(compressed.size(), plain.size() / 2);
  ASSERT_TRUE(verify_batch(compressed)) << verify_batch(compressed).error();
  EXPECT_EQ(verify_batch(compressed)->size_bytes(), compressed.size());
  EXPECT_EQ(verify_batch(compressed)->base_offset, Offset{77});
  EXPECT_EQ(records_of(compressed).value(), some_records(100));
}

TEST_P(CompressedBatches, WhatOurOwnLimitsWouldRefuseIsWrittenPlain) {
  Bytes out;
  const Bytes plain = plain_batch({{.key = "k", .value = std::string(20u << 20, 'x')}});
  const BytesView written = compressed_batch(plain, GetParam(), out);
  const Result<std::vector<TestRecord>> records = records_of(written);
  ASSERT_TRUE(records) << records.error();
  EXPECT_EQ(records->front().value.size(), 20u << 20);
}

TEST_P(CompressedBatches, ThatDoNotHoldWhatTheirHeaderSaysAreCorrupt) {
  const Bytes good = kafkas_batch();
  for (std::size_t size = kBatchHeaderBytes; size < good.size(); ++size) {
    Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    store_big_endian(cut.data() + 8, static_cast<std::int32_t>(size - kBatchPrefixBytes));
    stamp_crc(cut);
    ASSERT_TRUE(verify_batch(cut));
    EXPECT_FALSE(records_of(cut)) << size;
  }
  for (const std::int32_t count : {0, 19, 21, 1'000'000'000}) {
    Bytes other = good;
    store_big_endian(other.data() + 57, count);
    store_big_endian(other.data() + 23, std::max(19, count - 1));
    stamp_crc(other);
    ASSERT_TRUE(verify_batch(other)) << verify_batch(other).error();
    EXPECT_EQ(records_of(other).error(), Errc::corrupt) << count;
  }
  for (std::size_t at = kBatchHeaderBytes; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{0x41};
    static_cast<void>(records_of(bad));
  }
}

TEST_P(CompressedBatches, AboveTheLimitAreTooLarge) {
  EncodedRecords encoded;
  const Bytes zeros(1u << 20);
  ASSERT_TRUE(encoded.add({.timestamp = {}, .key = {}, .value = zeros, .headers = {}}));
  const BytesView plain = encoded.stamp(Offset{0}, LeaderEpoch{0});
  Bytes bomb;
  if (GetParam() == Compression::zstd) {
    EXPECT_EQ(compressed_batch(plain, GetParam(), bomb).data(), plain.data());  // a thousandth is left at most
    store_big_endian(bomb.data() + 8, static_cast<std::int32_t>(bomb.size() - kBatchPrefixBytes));
    store_big_endian(bomb.data() + 21, std::int16_t{4});
    stamp_crc(bomb);
    EXPECT_EQ(records_of(bomb).error(), Errc::too_large);
  } else {
    EXPECT_NE(compressed_batch(plain, GetParam(), bomb).data(), plain.data());
    EXPECT_TRUE(records_of(bomb));
  }
}

TEST_P(CompressedBatches, StayForWhomKeepsThem) {
  Bytes run;
  Bytes out;
  for (int batch = 0; batch < 3; ++batch) {
    const Bytes plain = plain_batch(some_records(10, batch * 10), Offset{batch * 10});
    const BytesView bytes = batch == 1 ? BytesView{plain} : compressed_batch(plain, GetParam(), out);
    run.insert(run.end(), bytes.begin(), bytes.end());
  }
  std::vector<RecordView> kept;
  std::vector<std::shared_ptr<const Bytes>> buffers;
  {
    RecordCursor cursor{run, Offset{0}};
    while (const RecordView* record = cursor.next()) {
      kept.push_back(*record);
      buffers.push_back(cursor.decompressed());
    }
    ASSERT_FALSE(cursor.error()) << *cursor.error();
  }
  std::vector<TestRecord> records;
  for (const RecordView& record : kept) records.push_back(decode(record));
  EXPECT_EQ(records, some_records(30));
}

}  // namespace
}  // namespace lungo::test
