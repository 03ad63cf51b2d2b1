// Goal: compaction leaves of a batch what it may and nothing else, in Kafka's bytes.
#include "compaction_filter.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "batch_compression.hpp"
#include "batch_layout.hpp"

namespace lungo::test {
namespace {

using std::chrono::milliseconds;

struct Row {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t time = 1000;
  std::int64_t offset = 0;  // of what was read
  friend bool operator==(const Row&, const Row&) = default;
};

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.offset << ":" << row.key.value_or("null") << "=" << row.value.value_or("null") << "@" << row.time;
}

std::optional<BytesView> view(const std::optional<std::string>& text) {
  return text ? std::optional{as_bytes(*text)} : std::nullopt;
}

Timestamp at(std::int64_t ms) { return Timestamp{milliseconds{ms}}; }

Bytes batch_of(const std::vector<Row>& rows, std::int64_t base = 100) {
  EncodedRecords records;
  for (const Row& row : rows) {
    EXPECT_TRUE(records.add({.timestamp = at(row.time), .key = view(row.key), .value = view(row.value), .headers = {}}));
  }
  const BytesView batch = records.stamp(Offset{base}, LeaderEpoch{7});
  return {batch.begin(), batch.end()};
}

/// Changes a field behind the CRC, and the CRC.
template <class Number>
Bytes with_field(Bytes batch, std::size_t at_byte, Number number) {
  store_big_endian(batch.data() + at_byte, number);
  store_big_endian(batch.data() + batch_layout::kCrcAt, crc32c(BytesView{batch}.subspan(batch_layout::kCrcCoversFrom)));
  return batch;
}
Bytes with_attributes(Bytes batch, std::int16_t bits) {
  return with_field(std::move(batch), batch_layout::kAttributesAt, bits);
}

std::vector<Row> rows_of(BytesView batch) {
  EXPECT_TRUE(batch.empty() || verify_batch(batch));
  std::vector<Row> rows;
  RecordCursor cursor{batch, Offset{0}};
  const auto text = [](bool there, BytesView bytes) {
    return there ? std::optional{std::string(as_text(bytes))} : std::nullopt;
  };
  while (const RecordView* record = cursor.next()) {
    rows.push_back({.key = text(record->has_key, record->key),
                    .value = text(record->has_value, record->value),
                    .time = record->timestamp.time_since_epoch().count(),
                    .offset = record->offset.value()});
  }
  EXPECT_FALSE(cursor.error()) << *cursor.error();
  return rows;
}

/// Keys with their last offsets, of the records below `end`.
struct Keys : KeyOffsets {
  Keys(const std::vector<std::pair<std::string, std::int64_t>>& last, std::int64_t end = 1000) : KeyOffsets(1 << 20) {
    for (const auto& [key, offset] : last) EXPECT_TRUE(put(as_bytes(key), Offset{offset}));
    reach(Offset{end});
  }
};

struct Cleaned {
  Bytes bytes;
  bool is_same = false;  // the very bytes that were given
};

Result<Cleaned> clean(const KeyOffsets& keys, BytesView batch, Emptied emptied = Emptied::goes, std::int64_t now = 5000,
                      std::int64_t tombstone_age = 300) {
  CompactionFilter filter{keys, {.now = at(now), .tombstone_age = milliseconds{tombstone_age}}};
  const Result<BytesView> left = filter.clean(batch, emptied);
  if (!left) return left.error();
  return Cleaned{.bytes = {left->begin(), left->end()}, .is_same = left->data() == batch.data()};
}

std::string hex(BytesView bytes) {
  std::string text;
  char digits[3];
  for (const std::byte byte : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(byte));
    text += digits;
  }
  return text;
}

TEST(CompactionFilter, TheLastRecordOfEachKeyStays) {
  const Bytes batch = batch_of({{"a", "1"}, {"b", "2"}, {"a", "3"}, {"c", "4"}, {"b", "5"}});
  struct Case {
    std::vector<std::pair<std::string, std::int64_t>> last;
    std::int64_t end;
    std::vector<std::int64_t> stay;
  };
  const std::vector<Case> cases{
      {{{"a", 102}, {"b", 104}, {"c", 103}}, 105, {102, 103, 104}},
      {{{"a", 300}, {"b", 104}, {"c", 103}}, 400, {103, 104}},
      {{{"a", 102}, {"b", 101}}, 103, {101, 102, 103, 104}},  // what lies at or above the end is not judged
      {{{"a", 100}}, 101, {100, 101, 102, 103, 104}},
      {{}, 100, {100, 101, 102, 103, 104}},
      {{}, 1000, {100, 101, 102, 103, 104}},  // of keys that are not known nothing is known
  };
  for (const Case& test : cases) {
    const Result<Cleaned> left = clean(Keys{test.last, test.end}, batch);
    ASSERT_TRUE(left) << left.error();
    std::vector<std::int64_t> offsets;
    for (const Row& row : rows_of(left->bytes)) offsets.push_back(row.offset);
    EXPECT_EQ(offsets, test.stay) << "up to " << test.end;
    EXPECT_EQ(left->is_same, test.stay.size() == 5);
  }
}

// attributes 0, lastOffsetDelta 2, base time 1000, count 1: the record with delta 2 keeps its bytes.
TEST(CompactionFilter, WhatIsLeftKeepsItsPlaceAndItsBytes) {
  const Bytes batch = batch_of({{"a", "1", 1000}, {"b", "2", 1009}, {"c", "3", 1004}});
  const Result<Cleaned> left = clean(Keys{{{"a", 200}, {"b", 300}}}, batch);
  ASSERT_TRUE(left) << left.error();
  EXPECT_EQ(hex(left->bytes),
            "0000000000000064"  // base offset
            "0000003a"          // length
            "00000007"          // epoch
            "02"
            "9ae57ea8"  // CRC-32C, by another program
            "0000"
            "00000002"          // last offset delta
            "00000000000003e8"  // base time
            "00000000000003ec"  // largest time: of what is left
            "ffffffffffffffffffffffffffff"
            "00000001"
            "100008040263023300");
  EXPECT_EQ(rows_of(left->bytes), (std::vector<Row>{{"c", "3", 1004, 102}}));
}

TEST(CompactionFilter, ATombstoneGetsAHorizonFromWhichTheTimesCount) {
  const Bytes batch = batch_of({{"a", "1", 1000}, {"b", std::nullopt, 1009}});
  const Keys keys{{{"a", 200}, {"b", 101}}};
  const Result<Cleaned> left = clean(keys, batch, Emptied::goes, 5000, 300);
  ASSERT_TRUE(left) << left.error();
  EXPECT_EQ(hex(left->bytes),
            "0000000000000064"
            "0000003a"
            "00000007"
            "02"
            "8bb7f386"
            "0040"
            "00000001"
            "00000000000014b4"  // the horizon, 5300
            "00000000000003f1"
            "ffffffffffffffffffffffffffff"
            "00000001"
            "1000854302"  // length, attributes, 1009 - 5300, offset delta
            "02620100");
  EXPECT_EQ(rows_of(left->bytes), (std::vector<Row>{{"b", std::nullopt, 1009, 101}}));
}

TEST(CompactionFilter, ATombstoneStaysUntilItsHorizonHasPassed) {
  const Keys keys{{{"a", 100}, {"b", 101}}};
  const Bytes first = clean(keys, batch_of({{"a", "1"}, {"b", std::nullopt, 1009}}), Emptied::goes, 5000, 300)->bytes;
  EXPECT_EQ(rows_of(first).size(), 2u);
  for (const std::int64_t now : {1, 5000, 5300}) {
    const Result<Cleaned> again = clean(keys, first, Emptied::goes, now, 1);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->is_same) << now << ": the horizon stands";
  }
  const Bytes behind = clean(keys, first, Emptied::goes, 5301, 1'000'000)->bytes;
  EXPECT_EQ(rows_of(behind), (std::vector<Row>{{"a", "1", 1000, 100}}));
  EXPECT_EQ(parse_batch_header(behind)->attributes, batch_layout::kDeleteHorizonBit) << "base time and deltas are as they were";
}

TEST(CompactionFilter, ATombstoneThatIsToStayForEverDoes) {
  const Keys keys{{{"a", 100}, {"b", 101}}};
  constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();
  const Bytes first = clean(keys, batch_of({{"a", "1"}, {"b", std::nullopt, 1009}}), Emptied::goes, 5000, kForEver)->bytes;
  EXPECT_EQ(rows_of(first), (std::vector<Row>{{"a", "1", 1000, 100}, {"b", std::nullopt, 1009, 101}}));
  EXPECT_TRUE(clean(keys, first, Emptied::goes, 4'000'000'000'000, 1)->is_same);
}

TEST(CompactionFilter, ATombstoneIsGivenAHorizonOnlyWhereItsKeyIsKnown) {
  const Bytes batch = batch_of({{"a", "1"}, {"b", std::nullopt}});
  EXPECT_TRUE(clean(Keys{{{"a", 100}}, 101}, batch)->is_same) << "what it deletes has not gone yet";
  EXPECT_FALSE(clean(Keys{{{"a", 100}, {"b", 101}}, 102}, batch)->is_same);
}

TEST(CompactionFilter, ControlBatchesAndTransactionsStayAsTheyAre) {
  const Bytes batch = batch_of({{"a", "1"}, {"b", std::nullopt}});
  const Keys keys{{{"a", 900}, {"b", 900}}};
  for (const std::int16_t bits : {0x10, 0x20, 0x30}) {
    const Bytes special = with_attributes(batch, bits);
    EXPECT_TRUE(clean(keys, special)->is_same) << bits;
    EXPECT_FALSE(takes_part(*parse_batch_header(special)));
  }
}

TEST(CompactionFilter, ATombstoneStaysAboveAValueOfATransaction) {
  const Keys keys{{{"b", 100}}};
  const Bytes tombstone = clean(keys, batch_of({{"b", std::nullopt}}), Emptied::goes, 5000, 300)->bytes;
  const Bytes value = batch_of({{"b", "1"}});
  CompactionFilter filter{keys, {.now = at(9000), .tombstone_age = milliseconds{300}}};
  EXPECT_TRUE(filter.clean(tombstone, Emptied::goes)->empty());
  EXPECT_FALSE(filter.clean(with_attributes(value, 0x30), Emptied::goes)->empty());
  EXPECT_TRUE(filter.clean(tombstone, Emptied::goes)->empty()) << "a marker is no value";
  EXPECT_FALSE(filter.clean(with_attributes(value, 0x10), Emptied::goes)->empty());
  EXPECT_FALSE(filter.clean(tombstone, Emptied::goes)->empty());
}

TEST(CompactionFilter, ABatchWithoutRecordsLeftGoesOrStaysAsAHeader) {
  const Keys keys{{{"a", 900}, {"b", 900}}};
  Bytes batch = with_attributes(batch_of({{"a", "1", 1000}, {"b", "2", 1009}}), batch_layout::kDeleteHorizonBit);
  batch = with_field(batch, batch_layout::kProducerAt, std::int64_t{12});
  batch = with_field(batch, batch_layout::kProducerEpochAt, std::int16_t{3});
  batch = with_field(batch, batch_layout::kBaseSequenceAt, std::int32_t{44});
  EXPECT_TRUE(clean(keys, batch, Emptied::goes)->bytes.empty());
  const Bytes left = clean(keys, batch, Emptied::stays)->bytes;
  EXPECT_EQ(hex(left),
            "0000000000000064"
            "00000031"
            "00000007"
            "02"
            "e389a60e"
            "0000"
            "00000001"
            "ffffffffffffffff"
            "00000000000003f1"
            "000000000000000c"
            "0003"
            "0000002c"
            "00000000");
  EXPECT_TRUE(verify_batch(left));
  EXPECT_TRUE(clean(keys, left, Emptied::stays)->is_same);
  EXPECT_TRUE(clean(keys, left, Emptied::goes)->bytes.empty());
}

TEST(CompactionFilter, ABatchKeepsItsCodec) {
  std::vector<Row> rows;
  for (int i = 0; i < 40; ++i) rows.push_back({"k" + std::to_string(i % 20), std::string(50, static_cast<char>('a' + i % 3))});
  std::vector<std::pair<std::string, std::int64_t>> last;
  for (int i = 0; i < 20; ++i) last.emplace_back("k" + std::to_string(i), 120 + i);
  for (const Compression codec : {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    Bytes compressed;
    const Bytes plain = batch_of(rows);
    const BytesView batch = compressed_batch(plain, codec, compressed);
    EXPECT_TRUE(clean(Keys{{}}, batch)->is_same) << "nothing goes, nothing is compressed again";
    const Result<Cleaned> left = clean(Keys{last}, batch);
    ASSERT_TRUE(left) << left.error();
    EXPECT_EQ(parse_batch_header(left->bytes)->compression(), static_cast<int>(codec));
    const std::vector<Row> found = rows_of(left->bytes);
    ASSERT_EQ(found.size(), 20u);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i], (Row{rows[20 + i].key, rows[20 + i].value, 1000, static_cast<std::int64_t>(120 + i)}));
    }
    Bytes nothing = clean(Keys{[&] {
                            auto later = last;
                            for (auto& [key, offset] : later) offset = 900;
                            return later;
                          }()},
                          batch, Emptied::stays)
                        ->bytes;
    EXPECT_EQ(nothing.size(), kBatchHeaderBytes);
    EXPECT_EQ(parse_batch_header(nothing)->compression(), 0);
  }
}

TEST(CompactionFilter, TimesThatTheLogGaveStay) {
  const Bytes batch = with_field(with_attributes(batch_of({{"a", "1", 1000}, {"b", std::nullopt, 1009}}), 0x08),
                                 batch_layout::kMaxTimestampAt, std::int64_t{7777});
  const Bytes left = clean(Keys{{{"a", 900}, {"b", 101}}}, batch)->bytes;
  EXPECT_EQ(rows_of(left), (std::vector<Row>{{"b", std::nullopt, 7777, 101}}));
  EXPECT_EQ(parse_batch_header(left)->attributes, 0x48);
}

TEST(CompactionFilter, TimesFarApartStay) {
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  const Bytes batch = batch_of({{"a", "1", kFirst}, {"b", std::nullopt, kLast}, {"c", std::nullopt, kFirst}, {"d", "4", -1}});
  const Bytes left = clean(Keys{{{"a", 900}, {"b", 101}, {"c", 102}, {"d", 103}}}, batch)->bytes;
  EXPECT_EQ(rows_of(left),
            (std::vector<Row>{{"b", std::nullopt, kLast, 101}, {"c", std::nullopt, kFirst, 102}, {"d", "4", -1, 103}}));
}

TEST(CompactionFilter, ARecordWithoutAKeyStays) {
  const Bytes batch = batch_of({{std::nullopt, "1"}, {"a", "2"}, {std::nullopt, std::nullopt}});
  const Result<Cleaned> left = clean(Keys{{{"a", 900}}}, batch);
  EXPECT_EQ(rows_of(left->bytes), (std::vector<Row>{{std::nullopt, "1", 1000, 100}, {std::nullopt, std::nullopt, 1000, 102}}));
  EXPECT_EQ(parse_batch_header(left->bytes)->attributes, 0) << "it is no tombstone";
}

TEST(CompactionFilter, HeadersOfRecordsStay) {
  EncodedRecords records;
  const HeaderView id{.name = kIdHeader, .value = as_bytes("id-1")};
  for (const char* key : {"a", "b"}) {
    ASSERT_TRUE(records.add({.timestamp = at(1), .key = as_bytes(key), .value = {}, .headers = {&id, 1}}));
  }
  const Bytes left = clean(Keys{{{"a", 900}, {"b", 101}}}, records.stamp(Offset{100}, LeaderEpoch{0}))->bytes;
  RecordCursor cursor{left, Offset{0}};
  const RecordView* const record = cursor.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(as_text(*find_header(*record, kIdHeader)), "id-1");
}

// Whatever the bytes are: an error, or a batch.
TEST(CompactionFilter, DamagedRecordsAreRefused) {
  const Bytes batch = batch_of({{"a", "1"}, {"b", std::nullopt}, {"c", "333"}});
  const Keys keys{{{"a", 900}, {"b", 101}, {"c", 102}}};
  int refused = 0;
  for (std::size_t byte = kBatchHeaderBytes; byte < batch.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = batch;
      flipped[byte] ^= static_cast<std::byte>(1 << bit);
      const Result<Cleaned> left = clean(keys, flipped);
      if (left && !left->bytes.empty() && !left->is_same) {
        EXPECT_TRUE(verify_batch(left->bytes));
      }
      if (!left) {
        EXPECT_EQ(left.error(), Errc::corrupt);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_EQ(clean(keys, BytesView{batch}.first(batch.size() - 1)).error(), Errc::corrupt);
}

// ---- the keys ----

TEST(KeyOffsets, FindTheLastOffsetOfEachKeyAsLongAsThereIsRoom) {
  KeyOffsets keys{1000 * KeyOffsets::kSlotBytes};
  std::int64_t offset = 0;
  std::size_t put = 0;
  while (keys.put(as_bytes("key " + std::to_string(put)), Offset{offset})) ++put, ++offset;
  EXPECT_EQ(put, 512u * 3 / 4) << "a power of two of slots, three quarters of them";
  EXPECT_EQ(keys.keys(), put);
  EXPECT_TRUE(keys.put(as_bytes("key 7"), Offset{9999})) << "one that is there takes no room";
  for (std::size_t i = 0; i < put; ++i) {
    const std::int64_t expected = i == 7 ? 9999 : static_cast<std::int64_t>(i);
    ASSERT_EQ(keys.find(as_bytes("key " + std::to_string(i))), Offset{expected});
  }
  EXPECT_EQ(keys.find(as_bytes("key " + std::to_string(put))), std::nullopt);
  EXPECT_EQ(keys.find(as_bytes("")), std::nullopt);
}

TEST(KeyOffsets, HaveRoomForSomeKeysHoweverLittleMemory) {
  KeyOffsets keys{0};
  EXPECT_TRUE(keys.put(as_bytes(""), Offset{0}));
  EXPECT_EQ(keys.find(as_bytes("")), Offset{0});
}

}  // namespace
}  // namespace lungo::test
