// Goal: the bytes of a producer snapshot are Kafka's, both ways, and no others are taken for one.
#include "producer_snapshot.hpp"

#include <gtest/gtest.h>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"

namespace lungo {
namespace {

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits += c;
  }
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Producer producer_seven() {
  Producer producer{.id = ProducerId{7}, .epoch = 1, .seen = Timestamp{std::chrono::milliseconds{1000}}};
  producer.add({.last_sequence = 5, .last = Offset{42}, .offset_delta = 2});
  return producer;
}

// The example of the header.
const Bytes kSeven = from_hex(
    "0001 6160c886 00000001  0000000000000007 0001 00000005 000000000000002a 00000002 00000000000003e8 ffffffff "
    "ffffffffffffffff");
// Two that Apache Kafka 4 wrote (tests/golden/kafka4): inside a transaction, and behind its marker.
const Bytes kInTransaction = from_hex(
    "0001 8d156bff 00000001  0000000000000000 0006 00000001 0000000000000024 00000001 0000018bcff4aa41 00000000 "
    "0000000000000023");
const Bytes kBehindMarker = from_hex(
    "0001 010495d3 00000001  0000000000000000 0007 ffffffff ffffffffffffffff 00000000 000001a216dff02c 00000000 "
    "ffffffffffffffff");

Result<std::vector<Producer>> parse(BytesView bytes, Offset base = Offset{43}) {
  return parse_producer_snapshot("a.snapshot", base, bytes);
}

TEST(ProducerSnapshot, HasKafkasBytes) {
  const std::vector<Producer> producers{producer_seven()};
  EXPECT_EQ(format_producer_snapshot(producers), kSeven);
  EXPECT_EQ(parse(kSeven).value(), producers);
  EXPECT_EQ(format_producer_snapshot({}).size(), 10u);
  EXPECT_TRUE(parse(format_producer_snapshot({}))->empty());
}

TEST(ProducerSnapshot, WhatKafkaWroteIsReadAndWrittenAsItIs) {
  const std::vector<Producer> open = parse(kInTransaction, Offset{37}).value();
  EXPECT_EQ(open.at(0).epoch, 6);
  EXPECT_EQ(open.at(0).transaction, Offset{35});
  EXPECT_EQ(open.at(0).coordinator_epoch, 0);
  ASSERT_EQ(open.at(0).batch_count, 1);
  EXPECT_EQ(open.at(0).known()[0].first(), Offset{35});
  EXPECT_EQ(open.at(0).known()[0].first_sequence(), 0);
  const std::vector<Producer> ended = parse(kBehindMarker, Offset{38}).value();
  EXPECT_EQ(ended.at(0).batch_count, 0);
  EXPECT_FALSE(ended.at(0).transaction);
  EXPECT_EQ(format_producer_snapshot(open), kInTransaction);
  EXPECT_EQ(format_producer_snapshot(ended), kBehindMarker);
}

TEST(ProducerSnapshot, OnlyTheLastBatchIsKept) {
  Producer producer = producer_seven();
  producer.add({.last_sequence = 6, .last = Offset{50}, .offset_delta = 0});
  const std::vector<Producer> read = parse(format_producer_snapshot({&producer, 1}), Offset{51}).value();
  ASSERT_EQ(read.at(0).batch_count, 1);
  EXPECT_EQ(read.at(0).known()[0], producer.known()[1]);
}

TEST(ProducerSnapshot, NoFlippedBitAndNoOtherLengthIsTaken) {
  for (std::size_t at = 0; at < kSeven.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = kSeven;
      flipped[at] ^= static_cast<std::byte>(1 << bit);
      const Result<std::vector<Producer>> read = parse(flipped);
      ASSERT_FALSE(read) << "bit " << bit << " of byte " << at;
      EXPECT_EQ(read.error(), Errc::corrupt);
    }
  }
  for (std::size_t size = 0; size < kSeven.size(); ++size) {
    ASSERT_FALSE(parse(BytesView{kSeven}.first(size))) << size;
  }
  Bytes longer = kSeven;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse(longer));
}

// With a CRC that holds.
TEST(ProducerSnapshot, WhatCannotBeIsNotTaken) {
  const auto with = [](std::size_t at, auto value) {
    Bytes bytes = kSeven;
    store_big_endian(bytes.data() + at, value);
    store_big_endian(bytes.data() + 2, crc32c(BytesView{bytes}.subspan(6)));
    return bytes;
  };
  EXPECT_TRUE(parse(with(10, std::int64_t{8})));
  EXPECT_FALSE(parse(with(0, std::int16_t{2})));
  EXPECT_FALSE(parse(with(6, std::int32_t{-1})));
  EXPECT_FALSE(parse(with(6, std::int32_t{0})));
  EXPECT_FALSE(parse(with(6, std::int32_t{0x7fffffff}))) << "and takes no memory for them";
  EXPECT_FALSE(parse(with(10, std::int64_t{-1})));
  EXPECT_FALSE(parse(with(18, std::int16_t{-2})));
  EXPECT_FALSE(parse(with(20, std::int32_t{-2})));
  EXPECT_FALSE(parse(with(24, std::int64_t{-2})));
  EXPECT_FALSE(parse(with(24, std::int64_t{43}))) << "an offset of records that came later";
  EXPECT_FALSE(parse(with(32, std::int32_t{-1})));
  EXPECT_FALSE(parse(with(32, std::int32_t{43}))) << "it would begin below 0";
  EXPECT_FALSE(parse(with(48, std::int64_t{-2})));
  EXPECT_FALSE(parse(with(48, std::int64_t{43})));
  EXPECT_TRUE(parse(with(36, std::int64_t{-1})));
}

}  // namespace
}  // namespace lungo
