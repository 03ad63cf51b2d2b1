// The bytes of a read of another process's rows: what goes comes back the same, and what is wrong is refused, whatever it is.
#include "spread_query.hpp"

#include <gtest/gtest.h>

#include <lungo/log/text.hpp>
#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

constexpr double kHalf = 0.5;

std::vector<Cell> cells_of_each_kind() {
  static const Bytes blob(3, std::byte{0x7f});
  return {Cell{}, Cell{std::int64_t{-3}}, Cell{kHalf}, Cell{std::string_view{"text"}}, Cell{BytesView{blob}}};
}

SpreadQuery whole_query() {
  SpreadQuery query;
  query.projection = "TopPages";
  query.partition = {"events", PartitionId{3}};
  query.meaning = "a b 0";
  query.descending = true;
  query.past_from = true;
  query.limit = 300;
  query.applied = Offset{42};
  query.from = bytes_of_cells(cells_of_each_kind());
  return query;
}

TEST(SpreadQuery, CellsComeAsTheyWent) {
  const Bytes bytes = bytes_of_cells(cells_of_each_kind());
  EXPECT_EQ(to_hex(bytes),
            "05"
            "00"
            "0105"
            "02000000000000e03f"
            "030474657874"
            "04037f7f7f");
  const std::vector<Cell> cells = cells_of(bytes).value();
  ASSERT_EQ(cells.size(), 5u);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(cells[0]));
  EXPECT_EQ(std::get<std::int64_t>(cells[1]), -3);
  EXPECT_EQ(std::get<double>(cells[2]), kHalf);
  EXPECT_EQ(std::get<std::string_view>(cells[3]), "text");
  EXPECT_EQ(bytes_of_cells(cells), bytes);
  EXPECT_EQ(bytes_of_cells({}), Bytes(1));
}

TEST(SpreadQuery, ComesAsItWentAndSoDoesAPage) {
  const Bytes bytes = to_bytes(whole_query());
  const SpreadQuery query = parse_spread_query(bytes).value();
  EXPECT_EQ(query.projection, "TopPages");
  EXPECT_EQ(query.partition, (TopicPartition{"events", PartitionId{3}}));
  EXPECT_EQ(query.meaning, "a b 0");
  EXPECT_TRUE(query.descending && query.past_from && !query.is_one);
  EXPECT_EQ(query.limit, 300u);
  EXPECT_EQ(query.applied, Offset{42});
  EXPECT_EQ(query.from, whole_query().from);
  EXPECT_TRUE(query.to.empty());
  EXPECT_EQ(to_bytes(query), bytes);

  const Bytes row = bytes_of_cells(cells_of_each_kind());
  const SpreadPage page = parse_spread_page(to_bytes(SpreadPage{true, row})).value();
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.rows, row);
  EXPECT_FALSE(parse_spread_page(to_bytes(SpreadPage{})).value().more);
}

TEST(SpreadQuery, ANewerVersionIsRefusedByName) {
  for (Bytes bytes : {to_bytes(whole_query()), to_bytes(SpreadPage{})}) {
    bytes[0] = std::byte{2};
    EXPECT_EQ(parse_spread_query(bytes).error(), Errc::newer_format);
    EXPECT_EQ(parse_spread_page(bytes).error(), Errc::newer_format);
    bytes[0] = std::byte{0};
    EXPECT_EQ(parse_spread_query(bytes).error(), Errc::invalid_argument);
    EXPECT_EQ(parse_spread_page(bytes).error(), Errc::invalid_argument);
  }
}

TEST(SpreadQuery, WhateverTheBytesAreTheyAreRefusedOrRead) {
  Random random{test_seed(1)};
  const Bytes whole = to_bytes(whole_query());
  for (std::size_t end = 0; end < whole.size(); ++end) {
    // In memory of its own, so that a sanitizer sees each look behind the end.
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(end));
    EXPECT_EQ(parse_spread_query(cut).error(), Errc::invalid_argument) << end;
  }
  const Bytes key = whole_query().from;
  for (std::size_t end = 0; end < key.size(); ++end) {
    const Bytes cut(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(end));
    EXPECT_EQ(cells_of(cut).error(), Errc::invalid_argument) << end;
  }
  for (int round = 0; round < 20'000; ++round) {
    Bytes noise = round % 2 == 0 ? whole : key;
    for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits)
      noise[random.below(noise.size())] = static_cast<std::byte>(random.below(256));
    if (const Result<SpreadQuery> query = parse_spread_query(noise)) {
      EXPECT_EQ(to_bytes(*query), noise) << "there is one way to write it";
    }
    if (const Result<std::vector<Cell>> cells = cells_of(noise)) {
      EXPECT_EQ(bytes_of_cells(*cells), noise);
    }
  }
}

}  // namespace
}  // namespace lungo::test
