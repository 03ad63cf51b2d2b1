// Goal: of what a producer sends only what every reader can read gets through, unchanged but for what the log has to say; the
// rest is refused with its reason, whatever the bytes are.
// Method: a table of hostile batches, each a good one with one thing wrong and a CRC that holds; every truncation; every byte.
#include "batch_validation.hpp"

#include <functional>

#include "base/compression.hpp"
#include "base/varint.hpp"
#include "foreign_batches.hpp"
#include "key_hash.hpp"
#include "producer_batches.hpp"

namespace lungo::test {
namespace {

using namespace batch_layout;

Bytes good_batch() { return encode(produced_by(7, 40, 3, 2)); }

template <class T>
std::function<void(Bytes&)> set(std::size_t at, T value) {
  return [at, value](Bytes& batch) { store_big_endian(batch.data() + at, value); };
}

/// The batch's header in front of other records.
std::function<void(Bytes&)> with_records(std::int32_t count, Bytes records) {
  return [count, records = std::move(records)](Bytes& batch) {
    batch.resize(kBatchHeaderBytes);
    batch.insert(batch.end(), records.begin(), records.end());
    store_big_endian(batch.data() + kLengthAt, static_cast<std::int32_t>(batch.size() - kBatchPrefixBytes));
    store_big_endian(batch.data() + kCountAt, count);
    store_big_endian(batch.data() + kLastDeltaAt, count - 1);
  };
}

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

/// Records without key and value: length attributes timestampDelta offsetDelta keyLength valueLength headerCount.
Bytes empty_records(std::initializer_list<int> offset_deltas) {
  Bytes records;
  for (const int delta : offset_deltas) {
    const Bytes one = bytes_of({12, 0, 0, delta * 2, 1, 1, 0});
    records.insert(records.end(), one.begin(), one.end());
  }
  return records;
}

std::function<void(Bytes&)> compressed(Compression codec, const Bytes& records, std::int32_t count) {
  Bytes packed;
  EXPECT_TRUE(compress(codec, records, packed));
  return [codec, count, packed = std::move(packed)](Bytes& batch) {
    with_records(count, packed)(batch);
    store_big_endian(batch.data() + kAttributesAt, static_cast<std::int16_t>(codec));
  };
}

struct Hostile {
  const char* what;
  Errc code;
  std::function<void(Bytes&)> make;
};

TEST(BatchValidation, RefusesWhatAProducerMustNotSend) {
  const std::int16_t zstd = 4;
  const std::vector<Hostile> table{
      {"magic 0", Errc::corrupt, set(kMagicAt, std::int8_t{0})},
      {"magic 1", Errc::corrupt, set(kMagicAt, std::int8_t{1})},
      {"magic 3", Errc::corrupt, set(kMagicAt, std::int8_t{3})},
      {"no length", Errc::corrupt, set(kLengthAt, std::int32_t{0})},
      {"a negative length", Errc::corrupt, set(kLengthAt, std::int32_t{-1})},
      {"a length of the header alone", Errc::corrupt, set(kLengthAt, std::int32_t{49})},
      {"the greatest length", Errc::corrupt, set(kLengthAt, std::int32_t{0x7fffffff})},
      {"a byte behind it", Errc::corrupt, [](Bytes& batch) { batch.push_back(std::byte{0}); }},
      {"two batches", Errc::corrupt,
       [](Bytes& batch) {
         const Bytes copy = batch;
         batch.insert(batch.end(), copy.begin(), copy.end());
       }},
      {"no records", Errc::invalid_argument,
       [](Bytes& batch) {
         with_records(0, {})(batch);
         set(kLastDeltaAt, std::int32_t{0})(batch);
       }},
      {"a negative count", Errc::corrupt, set(kCountAt, std::int32_t{-1})},
      {"more records than it claims", Errc::corrupt,
       [](Bytes& batch) {
         set(kCountAt, std::int32_t{2})(batch);
         set(kLastDeltaAt, std::int32_t{1})(batch);
       }},
      {"fewer records than it claims", Errc::corrupt,
       [](Bytes& batch) {
         set(kCountAt, std::int32_t{4})(batch);
         set(kLastDeltaAt, std::int32_t{3})(batch);
       }},
      {"more records than it has bytes", Errc::corrupt,
       [](Bytes& batch) {
         set(kCountAt, std::int32_t{0x7ffffffe})(batch);
         set(kLastDeltaAt, std::int32_t{0x7ffffffd})(batch);
       }},
      {"a last delta above its count", Errc::invalid_argument, set(kLastDeltaAt, std::int32_t{3})},
      {"a last delta below its count", Errc::corrupt, set(kLastDeltaAt, std::int32_t{1})},
      {"a negative last delta", Errc::corrupt, set(kLastDeltaAt, std::int32_t{-1})},
      {"the greatest last delta", Errc::invalid_argument, set(kLastDeltaAt, std::int32_t{0x7fffffff})},
      {"codec 5", Errc::unsupported, set(kAttributesAt, std::int16_t{5})},
      {"codec 7", Errc::unsupported, set(kAttributesAt, std::int16_t{7})},
      {"the log's time", Errc::invalid_argument, set(kAttributesAt, std::int16_t{0x08})},
      {"a transaction", Errc::unsupported, set(kAttributesAt, std::int16_t{0x10})},
      {"a control batch", Errc::invalid_argument, set(kAttributesAt, std::int16_t{0x20})},
      {"a control batch of a transaction", Errc::invalid_argument, set(kAttributesAt, std::int16_t{0x30})},
      {"a delete horizon", Errc::invalid_argument, set(kAttributesAt, std::int16_t{0x40})},
      {"attribute bit 7", Errc::invalid_argument, set(kAttributesAt, std::int16_t{0x80})},
      {"attribute bit 15", Errc::invalid_argument, set(kAttributesAt, std::int16_t{-0x8000})},
      {"producer -2", Errc::invalid_argument, set(kProducerAt, std::int64_t{-2})},
      {"a producer without epoch", Errc::invalid_argument, set(kProducerEpochAt, std::int16_t{-1})},
      {"a producer without sequence", Errc::invalid_argument, set(kBaseSequenceAt, std::int32_t{-1})},
      {"offset deltas from 1", Errc::invalid_argument, with_records(2, empty_records({1, 2}))},
      {"an offset delta twice", Errc::invalid_argument, with_records(2, empty_records({0, 0}))},
      {"offset deltas that descend", Errc::invalid_argument, with_records(2, empty_records({1, 0}))},
      {"a gap", Errc::corrupt, with_records(2, empty_records({0, 2}))},
      {"a negative offset delta", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 1, 1, 1, 0}))},
      {"a record of no length", Errc::corrupt, with_records(1, bytes_of({0, 0, 0, 0, 0, 0, 0}))},
      {"a record of negative length", Errc::corrupt, with_records(1, bytes_of({1, 0, 0, 0, 1, 1, 0}))},
      {"a record that reaches behind the batch", Errc::corrupt, with_records(1, bytes_of({14, 0, 0, 0, 1, 1, 0}))},
      {"a record with bytes behind its headers", Errc::corrupt, with_records(1, bytes_of({14, 0, 0, 0, 1, 1, 0, 0}))},
      {"a length of ten bytes", Errc::corrupt,
       with_records(1, bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))},
      {"a key longer than its record", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 0, 100, 1, 0}))},
      {"a key of length -2", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 0, 3, 1, 0}))},
      {"a value longer than its record", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 0, 1, 100, 0}))},
      {"a negative number of headers", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 0, 1, 1, 1}))},
      {"headers that are not there", Errc::corrupt, with_records(1, bytes_of({12, 0, 0, 0, 1, 1, 2}))},
      {"more headers than bytes", Errc::corrupt, with_records(1, bytes_of({16, 0, 0, 0, 1, 1, 100, 0, 1}))},
      {"a header without a name", Errc::corrupt, with_records(1, bytes_of({16, 0, 0, 0, 1, 1, 2, 1, 1}))},
      {"a header's value longer than its record", Errc::corrupt, with_records(1, bytes_of({16, 0, 0, 0, 1, 1, 2, 0, 50}))},
      {"bytes behind its headers", Errc::corrupt, with_records(1, bytes_of({18, 0, 0, 0, 1, 1, 2, 0, 1, 0}))},
      {"plain records that call themselves zstd", Errc::corrupt, set(kAttributesAt, zstd)},
      {"a compressed gap", Errc::corrupt, compressed(Compression::gzip, empty_records({0, 2}), 2)},
      {"a compressed offset delta twice", Errc::invalid_argument, compressed(Compression::lz4, empty_records({0, 0}), 2)},
      {"fewer compressed records than it claims", Errc::corrupt, compressed(Compression::snappy, empty_records({0}), 2)},
      {"more compressed records than it claims", Errc::corrupt, compressed(Compression::zstd, empty_records({0, 1}), 1)},
      {"a bomb", Errc::too_large, compressed(Compression::zstd, Bytes(65u << 20), 1)},
  };
  ASSERT_TRUE(ProducerBatch::validate(good_batch(), {}));
  for (const Hostile& hostile : table) {
    Bytes batch = good_batch();
    hostile.make(batch);
    stamp_crc(batch);
    const Result<ProducerBatch> valid = ProducerBatch::validate(batch, {});
    ASSERT_FALSE(valid) << hostile.what;
    EXPECT_EQ(valid.error(), hostile.code) << hostile.what << ": " << valid.error();
  }
}

TEST(BatchValidation, RefusesEveryTruncation) {
  const Bytes batch = good_batch();
  for (std::size_t size = 0; size < batch.size(); ++size) {
    const Result<ProducerBatch> valid = ProducerBatch::validate(BytesView{batch}.first(size), {});
    ASSERT_FALSE(valid) << size;
    EXPECT_EQ(valid.error(), Errc::corrupt) << size;
  }
}

TEST(BatchValidation, NoFlippedBitGetsThroughBesideThoseOfThePlaceInTheLog) {
  for (std::size_t at = 0; at < good_batch().size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes batch = good_batch();
      batch[at] ^= static_cast<std::byte>(1 << bit);
      const bool is_place = at < kLengthAt || (at >= kEpochAt && at < kMagicAt);
      ASSERT_EQ(ProducerBatch::validate(batch, {}).has_value(), is_place) << "bit " << bit << " of byte " << at;
    }
  }
}

// With CRCs that hold: whatever gets through is read back, record for record.
TEST(BatchValidation, WhatGetsThroughCanBeRead) {
  const std::uint64_t seed = test_seed(1);
  SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
  Random random{seed};
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes batch = good_batch();
    for (std::uint64_t left = 1 + random.below(2); left > 0; --left) {
      batch[kAttributesAt + random.below(batch.size() - kAttributesAt)] = static_cast<std::byte>(random.below(256));
    }
    stamp_crc(batch);
    Result<ProducerBatch> valid = ProducerBatch::validate(batch, {});
    if (!valid) continue;
    ++accepted;
    RecordCursor records{valid->stamp(Offset{100}, LeaderEpoch{3}, {}), Offset{100}};
    std::int32_t count = 0;
    Timestamp newest = Timestamp::min();
    while (const RecordView* record = records.next()) {
      ASSERT_EQ(record->offset, Offset{100}.plus(count++));
      newest = std::max(newest, record->timestamp);
    }
    ASSERT_FALSE(records.error()) << *records.error();
    ASSERT_EQ(count, valid->count());
    ASSERT_EQ(valid->header().max_timestamp, newest);
    ASSERT_TRUE(verify_batch(valid->bytes()));
  }
  EXPECT_GT(accepted, 1'000) << "a run that accepts nothing shows nothing";
}

TEST(BatchValidation, RefusesABatchAboveTheLimitWithoutALookAtIt) {
  const Bytes batch = good_batch();
  const auto size = static_cast<std::uint32_t>(batch.size());
  EXPECT_TRUE(ProducerBatch::validate(batch, {.bytes_max = size}));
  EXPECT_EQ(ProducerBatch::validate(batch, {.bytes_max = size - 1}).error(), Errc::too_large);
  EXPECT_EQ(ProducerBatch::validate(Bytes(2'000'000), {}).error(), Errc::too_large);
}

TEST(BatchValidation, ACompactedTopicNeedsKeys) {
  Bytes batch = good_batch();
  EXPECT_TRUE(ProducerBatch::validate(batch, {.keys_needed = true}));
  with_records(1, empty_records({0}))(batch);
  stamp_crc(batch);
  EXPECT_TRUE(ProducerBatch::validate(batch, {}));
  EXPECT_EQ(ProducerBatch::validate(batch, {.keys_needed = true}).error(), Errc::invalid_argument);
}

TEST(BatchValidation, KeepsTheBytesAndGivesTheirPlaceOnly) {
  for (const Compression codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    Bytes batch = good_batch();
    if (codec != Compression::none) {
      const Bytes plain(batch.begin() + kBatchHeaderBytes, batch.end());
      compressed(codec, plain, 3)(batch);
    }
    store_big_endian(batch.data(), std::int64_t{-5});  // what a producer writes there is nobody's
    stamp_crc(batch);
    Result<ProducerBatch> valid = ProducerBatch::validate(batch, {.key_hashes = true});
    ASSERT_TRUE(valid) << to_string(codec) << " " << valid.error();
    EXPECT_EQ(valid->key_hashes(), std::vector(3, key_hash("p7")));
    Bytes expected = batch;
    store_big_endian(expected.data(), std::int64_t{1000});
    store_big_endian(expected.data() + kEpochAt, std::int32_t{9});
    const BytesView stamped = valid->stamp(Offset{1000}, LeaderEpoch{9}, {});
    EXPECT_TRUE(std::ranges::equal(stamped, expected)) << to_string(codec);
  }
}

TEST(BatchValidation, RecordsWithoutAKeyAreNoStream) {
  Bytes batch = good_batch();
  with_records(2, empty_records({0, 1}))(batch);
  stamp_crc(batch);
  EXPECT_EQ(ProducerBatch::validate(batch, {.key_hashes = true})->key_hashes(), std::vector(2, kNoKeyHash));
}

// By the thousand they compress to nothing; what waits to be written counts as what it takes.
TEST(BatchValidation, TheHashesOfItsRecordsCountAsItsMemory) {
  constexpr int kRecords = 20'000;
  Bytes batch = encode(produced_by(7, 40, kRecords));
  const Bytes plain(batch.begin() + kBatchHeaderBytes, batch.end());
  compressed(Compression::zstd, plain, kRecords)(batch);
  stamp_crc(batch);
  ASSERT_LT(batch.size(), kRecords * sizeof(std::uint64_t) / 2);
  const Result<ProducerBatch> hashed = ProducerBatch::validate(batch, {.key_hashes = true});
  ASSERT_TRUE(hashed) << hashed.error();
  EXPECT_GE(hashed->size_bytes(), batch.size() + kRecords * sizeof(std::uint64_t));
  EXPECT_EQ(ProducerBatch::validate(batch, {})->size_bytes(), batch.size());
}

TEST(BatchValidation, MendsALargestTimeThatIsNotTheRecords) {
  for (const std::int64_t claimed : {std::int64_t{-1}, std::int64_t{999}, std::int64_t{1} << 62}) {
    Bytes batch = good_batch();
    store_big_endian(batch.data() + kMaxTimestampAt, claimed);
    stamp_crc(batch);
    const Result<ProducerBatch> valid = ProducerBatch::validate(batch, {});
    ASSERT_TRUE(valid) << valid.error();
    EXPECT_EQ(valid->header().max_timestamp.time_since_epoch().count(), 1000);
    EXPECT_EQ(verify_batch(valid->bytes()).value().max_timestamp.time_since_epoch().count(), 1000);
  }
}

TEST(BatchValidation, TheLogsTimeIsThatOfAllRecords) {
  Result<ProducerBatch> valid = ProducerBatch::validate(good_batch(), {});
  const Timestamp now{std::chrono::milliseconds{77'000}};
  RecordCursor records{valid->stamp(Offset{5}, LeaderEpoch{0}, now), Offset{0}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(records.next()->timestamp, now);
  const BatchHeader header = verify_batch(valid->bytes()).value();
  EXPECT_TRUE(header.is_log_append_time());
  EXPECT_EQ(header.max_timestamp, now);
  EXPECT_EQ(header.producer, ProducerId{7});
  EXPECT_EQ(header.base_sequence, 40);
}

}  // namespace
}  // namespace lungo::test
