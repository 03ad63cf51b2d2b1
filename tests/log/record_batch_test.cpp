// Goal: a batch is Kafka's bytes exactly, and hostile bytes give an error, never a crash or a wrong record.

#include <lungo/log/record_batch.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "tests/support/golden_file.hpp"

namespace lungo {
namespace {

Timestamp at_millisecond(std::int64_t value) { return Timestamp{std::chrono::milliseconds{value}}; }

RecordFields fields(std::string_view key, std::string_view value, std::int64_t time = 1000) {
  return {.timestamp = at_millisecond(time), .key = as_bytes(key), .value = as_bytes(value), .headers = {}};
}

Bytes batch_of(std::initializer_list<RecordFields> records, Offset base = Offset{0}, LeaderEpoch epoch = LeaderEpoch{0}) {
  EncodedRecords encoded;
  for (const RecordFields& record : records) EXPECT_TRUE(encoded.add(record));
  BatchBuilder builder;
  builder.add(encoded);
  const BytesView batch = builder.finish(base, epoch);
  return Bytes(batch.begin(), batch.end());
}

void stamp_crc(Bytes& batch) { store_big_endian(batch.data() + 17, crc32c(BytesView{batch}.subspan(21))); }

TEST(RecordBatch, MatchesTheGoldenBytesWrittenByHand) {
  const HeaderView headers[] = {{.name = "l.t", .value = as_bytes("Seen")}, {.name = "n", .value = {}, .has_value = false}};
  EncodedRecords encoded;
  ASSERT_TRUE(encoded.add({.timestamp = at_millisecond(1'700'000'000'000),
                           .key = as_bytes("visit-42"),
                           .value = as_bytes("hello"),
                           .headers = headers}));
  ASSERT_TRUE(encoded.add({.timestamp = at_millisecond(1'699'999'999'941), .key = {}, .value = {}, .headers = {}}));
  BatchBuilder builder;
  builder.add(encoded);
  const BytesView batch = builder.finish(Offset{258}, LeaderEpoch{3});
  const Bytes expected = test::golden_file("record_batch_v2.hex");
  EXPECT_EQ(Bytes(batch.begin(), batch.end()), expected);
  const BytesView stamped = encoded.stamp(Offset{258}, LeaderEpoch{3});
  EXPECT_EQ(Bytes(stamped.begin(), stamped.end()), expected);
}

// What was cut off has left nothing: the batch is that of the records which stay, with what is added behind them.
TEST(RecordBatch, TruncatedRecordsAreThoseThatStay) {
  const auto added = [](EncodedRecords& records, int from, int to) {
    for (int i = from; i < to; ++i) {
      const std::string text(static_cast<std::size_t>(3 + i), static_cast<char>('a' + i));
      const HeaderView id{kIdHeader, as_bytes(text), true};
      RecordFields record = fields(text, text, 1000 + (i * 37) % 11);
      record.headers = {&id, 1};
      ASSERT_TRUE(records.add(record));
    }
  };
  for (int stay = 0; stay <= 6; ++stay) {
    EncodedRecords cut;
    added(cut, 0, 6);
    cut.seal();
    cut.truncate(static_cast<std::size_t>(stay));
    EncodedRecords wanted;
    added(wanted, 0, stay);
    EXPECT_EQ(cut.count(), wanted.count());
    EXPECT_EQ(cut.size_bytes(), wanted.size_bytes());
    for (EncodedRecords* records : {&cut, &wanted}) added(*records, stay, stay + 2);
    EXPECT_EQ(cut.max_timestamp(), wanted.max_timestamp());
    EXPECT_EQ(cut.id(static_cast<std::size_t>(stay)), wanted.id(static_cast<std::size_t>(stay)));
    EXPECT_TRUE(std::ranges::equal(cut.stamp(Offset{7}, LeaderEpoch{1}), wanted.stamp(Offset{7}, LeaderEpoch{1}))) << stay;
  }
}

// An append that is alone in its batch is stamped, others are put together: the bytes are the same.
TEST(RecordBatch, StampedRecordsAreWhatABuilderMakesOfThem) {
  std::mt19937_64 random{20261126};
  EncodedRecords records;  // used again and again
  for (int round = 0; round < 300; ++round) {
    records.clear();
    const std::size_t count = 1 + random() % (round % 10 == 0 ? 400 : 5);
    const std::string bytes(300, static_cast<char>('a' + round % 26));
    for (std::size_t i = 0; i < count; ++i) {
      const HeaderView headers[] = {{.name = "l.id", .value = as_bytes(std::string_view{bytes}.substr(0, random() % 20))}};
      const std::int64_t time =
          round % 7 == 0 ? static_cast<std::int64_t>(random()) : 1000 + static_cast<std::int64_t>(random() % 100);
      RecordFields fields{.timestamp = at_millisecond(time), .key = {}, .value = {}, .headers = {}};
      if (random() % 3 != 0) fields.key = as_bytes(std::string_view{bytes}.substr(0, random() % 30));
      if (random() % 3 != 0) fields.value = as_bytes(std::string_view{bytes}.substr(0, random() % 300));
      if (random() % 3 == 0) fields.headers = headers;
      ASSERT_TRUE(records.add(fields));
      if (random() % 4 == 0) records.seal();  // what is added later is in it all the same
    }
    const Offset base{static_cast<std::int64_t>(random() % 1'000'000)};
    BatchBuilder builder;
    builder.add(records);
    const BytesView built = builder.finish(base, LeaderEpoch{round});
    EncodedRecords copy = records;
    EncodedRecords moved = std::move(copy);
    for (EncodedRecords* each : {&records, &moved}) {
      each->stamp(Offset{7}, LeaderEpoch{7});  // a place that a failed write had, say
      const BytesView stamped = each->stamp(base, LeaderEpoch{round});
      ASSERT_TRUE(std::ranges::equal(stamped, built)) << round;
    }
    EXPECT_TRUE(verify_batch(built));
    EXPECT_EQ(records.max_timestamp(), builder.max_timestamp());
    EXPECT_EQ(builder.size_bytes(), built.size());
  }
}

TEST(RecordBatch, GivesBackWhatWasPutIn) {
  const HeaderView headers[] = {{.name = "l.id", .value = as_bytes("id-1")},
                                {.name = "empty", .value = as_bytes("")},
                                {.name = "null", .value = {}, .has_value = false}};
  EncodedRecords encoded;
  ASSERT_TRUE(encoded.add(fields("k1", "v1", 5)));
  ASSERT_TRUE(encoded.add({.timestamp = at_millisecond(-7), .key = {}, .value = as_bytes(""), .headers = headers}));
  EXPECT_EQ(encoded.key(0), "k1");
  EXPECT_EQ(encoded.key(1), std::nullopt);
  EXPECT_EQ(encoded.id(0), std::nullopt);
  EXPECT_EQ(encoded.id(1), "id-1");

  BatchBuilder builder;
  builder.add(encoded);
  builder.add(encoded);
  EXPECT_EQ(builder.count(), 4);
  EXPECT_EQ(builder.max_timestamp(), at_millisecond(5));
  const BytesView batch = builder.finish(Offset{100}, LeaderEpoch{9});
  EXPECT_EQ(batch.size(), builder.size_bytes());

  const Result<BatchHeader> header = verify_batch(batch);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, Offset{100});
  EXPECT_EQ(header->end_offset(), Offset{104});
  EXPECT_EQ(header->epoch, LeaderEpoch{9});
  EXPECT_EQ(header->size_bytes(), batch.size());

  RecordCursor cursor{batch, Offset{101}};
  const RecordView* record = cursor.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->offset, Offset{101});
  EXPECT_EQ(record->timestamp, at_millisecond(-7));
  EXPECT_EQ(record->epoch, LeaderEpoch{9});
  EXPECT_FALSE(record->has_key);
  EXPECT_TRUE(record->has_value);
  EXPECT_TRUE(record->value.empty());
  HeaderCursor walk{*record};
  EXPECT_EQ(walk.next()->name, "l.id");
  EXPECT_TRUE(walk.next()->has_value);
  EXPECT_FALSE(walk.next()->has_value);
  EXPECT_EQ(walk.next(), nullptr);
  EXPECT_TRUE(walk.ok());
  EXPECT_EQ(as_text(*find_header(*record, "l.id")), "id-1");
  EXPECT_FALSE(find_header(*record, "null"));
  EXPECT_FALSE(find_header(*record, "absent"));

  EXPECT_EQ(as_text(cursor.next()->key), "k1");
  EXPECT_EQ(cursor.next()->offset, Offset{103});
  EXPECT_EQ(cursor.next(), nullptr);
  EXPECT_FALSE(cursor.error());
}

TEST(RecordBatch, AnEncodedBodyParsesBack) {
  EncodedRecords encoded;
  ASSERT_TRUE(encoded.add(fields("key", "value")));
  ASSERT_TRUE(encoded.add(fields("", "")));
  const Result<RecordView> first = parse_record_body(encoded.body(0));
  ASSERT_TRUE(first);
  EXPECT_EQ(as_text(first->key), "key");
  EXPECT_EQ(as_text(first->value), "value");
  EXPECT_TRUE(parse_record_body(encoded.body(1))->has_key);
  EXPECT_EQ(parse_record_body(encoded.body(0).first(3)).error(), Errc::corrupt);
}

TEST(RecordBatch, ExtremeTimesSurvive) {
  const std::int64_t low = std::numeric_limits<std::int64_t>::min();
  const std::int64_t high = std::numeric_limits<std::int64_t>::max();
  const Bytes batch = batch_of({fields("a", "", low), fields("b", "", high), fields("c", "", 0)});
  RecordCursor cursor{batch, Offset{0}};
  EXPECT_EQ(cursor.next()->timestamp, at_millisecond(low));
  EXPECT_EQ(cursor.next()->timestamp, at_millisecond(high));
  EXPECT_EQ(cursor.next()->timestamp, at_millisecond(0));
}

TEST(RecordBatch, TooManyBytesForOneAppendAreRefused) {
  EncodedRecords encoded;
  const Bytes big(kRecordBytesMax / 2);
  ASSERT_TRUE(encoded.add({.timestamp = {}, .key = {}, .value = big, .headers = {}}));
  EXPECT_EQ(encoded.add({.timestamp = {}, .key = {}, .value = big, .headers = {}}).error(), Errc::too_large);
  EXPECT_EQ(encoded.count(), 1u);
}

TEST(RecordBatch, SeveralBatchesReadAsOneRunAndControlBatchesAreSkipped) {
  Bytes run = batch_of({fields("a", "1"), fields("b", "2")}, Offset{0});
  Bytes control = batch_of({fields("marker", "")}, Offset{2});
  store_big_endian(control.data() + 21, std::int16_t{0x20});
  stamp_crc(control);
  const Bytes last = batch_of({fields("c", "3")}, Offset{3});
  run.insert(run.end(), control.begin(), control.end());
  run.insert(run.end(), last.begin(), last.end());
  RecordCursor cursor{run, Offset{1}};
  EXPECT_EQ(as_text(cursor.next()->key), "b");
  EXPECT_EQ(as_text(cursor.next()->key), "c");
  EXPECT_EQ(cursor.next(), nullptr);
  EXPECT_FALSE(cursor.error());
}

TEST(RecordBatch, ABatchOfAnUnknownCodecIsUnsupportedNotGarbage) {
  Bytes batch = batch_of({fields("a", "1")});
  store_big_endian(batch.data() + 21, std::int16_t{5});
  stamp_crc(batch);
  RecordCursor cursor{batch, Offset{0}};
  EXPECT_EQ(cursor.next(), nullptr);
  ASSERT_TRUE(cursor.error());
  EXPECT_EQ(*cursor.error(), Errc::unsupported);
}

// The CRC covers all but base offset, length, epoch and magic: a flip of any covered byte must be seen.
TEST(RecordBatch, EveryFlippedByteUnderTheCrcIsSeen) {
  const Bytes good = batch_of({fields("key", "value"), fields("key2", "value2")});
  for (std::size_t at = 8; at < good.size(); ++at) {
    if (at >= 12 && at < 16) continue;  // leader epoch: checked against its neighbours by the segment
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      EXPECT_FALSE(verify_batch(bad)) << "byte " << at << " bit " << bit;
    }
  }
}

// A sender can stamp a right CRC over wrong contents: no flip may crash the cursor or make it read outside.
TEST(RecordBatch, EveryFlippedByteWithARightCrcIsReadOrRefused) {
  const HeaderView headers[] = {{.name = "l.id", .value = as_bytes("x")}};
  EncodedRecords encoded;
  ASSERT_TRUE(encoded.add({.timestamp = {}, .key = as_bytes("k"), .value = as_bytes("v"), .headers = headers}));
  ASSERT_TRUE(encoded.add(fields("k2", "v2")));
  BatchBuilder builder;
  builder.add(encoded);
  const BytesView good = builder.finish(Offset{0}, LeaderEpoch{0});
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bad(good.begin(), good.end());
      bad[at] = static_cast<std::byte>(value);
      stamp_crc(bad);
      RecordCursor cursor{bad, Offset{0}};
      int records = 0;
      while (const RecordView* record = cursor.next()) {
        HeaderCursor walk{*record};
        while (walk.next() != nullptr) {
        }
        ASSERT_LE(++records, 2);
      }
    }
  }
}

TEST(RecordBatch, EveryTruncationIsRefused) {
  const Bytes good = batch_of({fields("key", "value")});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(verify_batch(BytesView{good}.first(size)).error(), Errc::corrupt);
    RecordCursor cursor{BytesView{good}.first(size), Offset{0}};
    EXPECT_EQ(cursor.next(), nullptr);
    EXPECT_EQ(cursor.error().has_value(), size > 0);
  }
}

struct BadHeader {
  const char* what;
  std::size_t at;
  std::int64_t value;
  std::size_t width;
};

TEST(RecordBatch, HeadersThatCannotBeAreRefused) {
  const std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();
  const BadHeader table[] = {
      {"negative base offset", 0, -1, 8},
      {"end offset overflows", 0, std::numeric_limits<std::int64_t>::max(), 8},
      {"zero length", 8, 0, 4},
      {"length below the header", 8, 48, 4},
      {"negative length", 8, -1, 4},
      {"length past the bytes", 8, int32_max, 4},
      {"magic 0", 16, 0, 1},
      {"magic 1", 16, 1, 1},
      {"magic 3", 16, 3, 1},
      {"negative last offset delta", 23, -1, 4},
      {"negative count", 57, -1, 4},
      {"count above the last offset delta", 57, 2, 4},
      {"count that no bytes hold", 57, int32_max, 4},
  };
  for (const BadHeader& bad : table) {
    Bytes batch = batch_of({fields("key", "value")});
    if (bad.width == 8) store_big_endian(batch.data() + bad.at, bad.value);
    if (bad.width == 4) store_big_endian(batch.data() + bad.at, static_cast<std::int32_t>(bad.value));
    if (bad.width == 1) store_big_endian(batch.data() + bad.at, static_cast<std::int8_t>(bad.value));
    stamp_crc(batch);
    EXPECT_EQ(verify_batch(batch).error(), Errc::corrupt) << bad.what;
    RecordCursor cursor{batch, Offset{0}};
    EXPECT_EQ(cursor.next(), nullptr) << bad.what;
    EXPECT_TRUE(cursor.error()) << bad.what;
  }
}

// Readers make room for the whole batch: what its header claims is limited before.
TEST(RecordBatch, ALengthAboveAnyBatchIsDamage) {
  BatchBuilder builder;
  EncodedRecords records;
  ASSERT_TRUE(records.add({.timestamp = Timestamp{}, .key = {}, .value = as_bytes("v"), .headers = {}}));
  builder.add(records);
  const BytesView batch = builder.finish(Offset{0}, LeaderEpoch{0});
  Bytes bytes(batch.begin(), batch.end());
  const auto with_length = [&bytes](std::uint32_t length) {
    for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(8 + i)] = static_cast<std::byte>(length >> (24 - 8 * i));
    return parse_batch_header(bytes);
  };
  EXPECT_TRUE(with_length(512u << 20));
  EXPECT_EQ(with_length((512u << 20) + 1).error(), Errc::corrupt);
  EXPECT_EQ(with_length(0x7fffffff).error(), Errc::corrupt);
}

TEST(RecordBatch, RandomBytesAreNeverABatch) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random() % 200);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    if (bytes.size() > 16) bytes[16] = std::byte{2};
    EXPECT_FALSE(verify_batch(bytes));
    RecordCursor cursor{bytes, Offset{0}};
    while (cursor.next() != nullptr) {
    }
    static_cast<void>(parse_record_body(bytes).has_value());
  }
}

}  // namespace
}  // namespace lungo
