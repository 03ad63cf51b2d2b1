// The parts that read models are made of: the visitor sketch, the exact sets, the funnel, the keys.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "model/funnel.hpp"
#include "model/hyperloglog.hpp"
#include "model/projections.hpp"
#include "tests/support/random.hpp"
#include "valid_utf8.hpp"

namespace tracker {
namespace {

TEST(VisitorSketch, EstimateIsWithinFiveStandardErrors) {
  lungo::test::Random random{lungo::test::test_seed(11)};
  Sketch sketch;
  std::uint64_t added = 0;
  for (const std::uint64_t count : {0, 1, 10, 1'000, 10'000, 100'000, 1'000'000}) {
    for (; added < count; ++added) sketch_add(sketch, random.next());
    EXPECT_NEAR(sketch_estimate(sketch), static_cast<double>(count), 5 * 0.01625 * static_cast<double>(count) + 0.5);
  }
}

TEST(VisitorSketch, MergeEqualsTheSketchOfBoth) {
  lungo::test::Random random{12};
  Sketch one;
  Sketch other;
  Sketch both;
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t hash = random.next();
    if (i % 3 != 0) sketch_add(one, hash);
    if (i % 3 != 1) sketch_add(other, hash);
    sketch_add(both, hash);
  }
  Sketch merged = one;
  sketch_merge(merged, other);
  EXPECT_EQ(merged, both);
  sketch_merge(merged, Sketch{});
  EXPECT_EQ(merged, both);
  Sketch from_nothing;
  sketch_merge(from_nothing, both);
  EXPECT_EQ(from_nothing, both);
}

TEST(Visitors, BucketHoldsEachVisitorOnceInOrder) {
  lungo::test::Random random{13};
  Visitors::State state;
  std::set<std::array<std::byte, 16>> expected;
  for (int i = 0; i < 3000; ++i) {
    Request request;
    request.visitor[0] = std::byte{static_cast<unsigned char>(random.below(4))};
    request.visitor[15] = std::byte{static_cast<unsigned char>(random.below(200))};
    expected.insert(request.visitor);
    Visitors::evolve(state, request);
  }
  ASSERT_EQ(state.visitors, static_cast<std::int64_t>(expected.size()));
  ASSERT_EQ(state.ids.size(), expected.size() * 16);
  auto at = state.ids.begin();
  for (const auto& id : expected) {
    EXPECT_TRUE(std::equal(id.begin(), id.end(), at));
    at += 16;
  }
}

TEST(Funnel, StepsAreTakenInOrderWithOtherPagesBetween) {
  const FunnelSteps steps{"/,/shop*,/checkout"};
  EXPECT_EQ(steps.name(), "/ > /shop* > /checkout");
  EXPECT_EQ(steps.reached({}), 0);
  EXPECT_EQ(steps.reached({"/shop", "/checkout"}), 0);
  EXPECT_EQ(steps.reached({"/blog", "/", "/blog"}), 1);
  EXPECT_EQ(steps.reached({"/", "/shop/beans", "/blog"}), 2);
  EXPECT_EQ(steps.reached({"/", "/checkout", "/shop"}), 2);
  EXPECT_EQ(steps.reached({"/", "/x", "/shop", "/y", "/checkout", "/"}), 3);
  EXPECT_EQ(FunnelSteps{"*,*,*"}.reached({"/a", "/b"}), 2);
  EXPECT_EQ(FunnelSteps{""}.reached({"/a", "/b"}), 0);
}

TEST(TimeText, IsTheTimeInWords) {
  using namespace std::chrono_literals;
  const std::chrono::sys_seconds time = std::chrono::sys_days{std::chrono::year{2015} / 5 / 7} + 4h + 9min + 59s;
  EXPECT_EQ((TimeText{time, TimeUnit::day}.view()), "2015-05-07");
  EXPECT_EQ((TimeText{time, TimeUnit::hour}.view()), "2015-05-07 04");
  EXPECT_EQ((TimeText{time, TimeUnit::minute}.view()), "2015-05-07 04:09");
}

TEST(ValidUtf8, BadBytesAreSpelledOut) {
  EXPECT_EQ(valid_utf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(valid_utf8("\xff/\xc3"), "\\xff/\\xc3");
  EXPECT_EQ(valid_utf8("\xed\xa0\x80\xc0\xaf"), "\\xed\\xa0\\x80\\xc0\\xaf");
  EXPECT_EQ(valid_utf8("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(valid_utf8("a\nb"), "a\nb");
  EXPECT_EQ(printable("a\nb\x1b"), "a\\x0ab\\x1b");
}

}  // namespace
}  // namespace tracker
