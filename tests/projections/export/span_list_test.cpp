#include "span_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/random.hpp"

namespace lungo::exporting {
namespace {

using Ranges = std::vector<SpanList::Range>;

Ranges ranges(const std::vector<std::pair<int, int>>& of) {
  Ranges out;
  for (const auto& [first, end] : of) out.push_back({Offset{first}, Offset{end}});
  return out;
}

SpanList list_of(const std::vector<std::pair<int, int>>& spans) {
  SpanList list;
  for (const SpanList::Range& span : ranges(spans)) list.add(span);
  return list;
}

TEST(SpanList, OfNothingHasNoEnd) {
  EXPECT_EQ(SpanList{}.end(), std::nullopt);
  EXPECT_TRUE(SpanList{}.gaps().empty());
}

TEST(SpanList, ThatTilesHasItsEndAndNothingElse) {
  const SpanList list = list_of({{10, 20}, {0, 10}, {20, 25}, {10, 20}, {10, 20}});
  EXPECT_EQ(list.end(), Offset{25});
  EXPECT_EQ(list.gaps(), Ranges{});
  EXPECT_EQ(list.overlaps(), Ranges{});
}

TEST(SpanList, TellsGapsAndOverlaps) {
  const SpanList list = list_of({{5, 10}, {12, 20}, {15, 17}, {16, 30}, {29, 31}, {40, 41}});
  EXPECT_EQ(list.gaps(), ranges({{10, 12}, {31, 40}}));
  EXPECT_EQ(list.overlaps(), ranges({{15, 20}, {29, 30}}));
  EXPECT_EQ(list.end(), Offset{41});
}

TEST(SpanList, AgreesWithCountingEachOffset) {
  test::Random random{11};
  for (int round = 0; round < 500; ++round) {
    std::vector<std::pair<int, int>> spans;
    for (std::uint64_t i = 0, n = 1 + random.below(6); i < n; ++i) {
      const int first = static_cast<int>(random.below(20));
      const std::pair span{first, first + 1 + static_cast<int>(random.below(8))};
      if (std::ranges::find(spans, span) == spans.end()) spans.push_back(span);
    }
    const SpanList list = list_of(spans);
    int begin = 40;
    int end = 0;
    std::vector<int> times(40);
    for (const auto& [first, last] : spans) {
      begin = std::min(begin, first);
      end = std::max(end, last);
      for (int at = first; at < last; ++at) ++times[static_cast<std::size_t>(at)];
    }
    const auto is_in = [](const Ranges& all, int at) {
      return std::ranges::any_of(all, [at](const auto& one) { return one.first <= Offset{at} && Offset{at} < one.end; });
    };
    for (int at = begin; at < end; ++at) {
      EXPECT_EQ(is_in(list.gaps(), at), times[static_cast<std::size_t>(at)] == 0) << at;
      EXPECT_EQ(is_in(list.overlaps(), at), times[static_cast<std::size_t>(at)] > 1) << at;
    }
    EXPECT_EQ(list.end(), Offset{end});
  }
}

}  // namespace
}  // namespace lungo::exporting
