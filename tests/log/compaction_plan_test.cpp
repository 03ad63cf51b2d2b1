// Goal: compaction looks at what may be taken, and when it is worth while.
#include "compaction_plan.hpp"

#include <gtest/gtest.h>

namespace lungo::test {
namespace {

using std::chrono::milliseconds;

Timestamp at(std::int64_t ms) { return Timestamp{milliseconds{ms}}; }

std::vector<SegmentFacts> four_segments() {
  std::vector<SegmentFacts> segments;
  for (std::int64_t i = 0; i < 4; ++i) {
    segments.push_back({.base = Offset{i * 10}, .end = Offset{i * 10 + 10}, .bytes = 100, .newest = at(i * 1000)});
  }
  return segments;
}

TEST(DirtyRange, TakesWholeSegmentsBelowTheLimitAndNeverTheLast) {
  struct Case {
    std::int64_t cleaned, limit, lag, now;
    std::int64_t begin, end;
    double ratio;
  };
  const std::vector<Case> cases{
      {0, 100, 0, 5000, 0, 30, 1.0},                                             // all but the one that is written
      {10, 100, 0, 5000, 10, 30, 2.0 / 3}, {15, 100, 0, 5000, 15, 30, 2.0 / 3},  // a round may end inside a segment
      {30, 100, 0, 5000, 30, 30, 0},       {0, 25, 0, 5000, 0, 20, 1.0},         // not committed, or not synced
      {10, 9, 0, 5000, 10, 10, 0},         {0, 100, 1500, 3000, 0, 20, 1.0},     // 2000 is too young
      {0, 100, 1000, 3000, 0, 30, 1.0},    {0, 100, 5000, 3000, 0, 0, 0},
      {77, 100, 0, 5000, 0, 30, 1.0},  // of another history: all of it
  };
  for (const Case& test : cases) {
    TopicSpec spec;
    spec.compaction_lag = milliseconds{test.lag};
    const DirtyRange range = dirty_range(four_segments(), spec, Offset{test.cleaned}, Offset{test.limit}, at(test.now));
    EXPECT_EQ(range.begin, Offset{test.begin}) << test.cleaned;
    EXPECT_EQ(range.end, Offset{test.end}) << test.cleaned << " " << test.limit << " " << test.lag;
    EXPECT_DOUBLE_EQ(range.ratio(), test.ratio) << test.cleaned << " " << test.limit << " " << test.lag;
  }
  EXPECT_TRUE(dirty_range({}, {}, Offset{0}, Offset{9}, at(0)).empty());
}

}  // namespace
}  // namespace lungo::test
