// Goal: what only upkeep has opened is put to rest again, all of it has its turn, and nobody notices.
#include <gtest/gtest.h>

#include "tests/log/many_partitions.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

constexpr std::int32_t kPartitions = 40;
constexpr Duration kRounds = std::chrono::seconds{10} * 4;  // of 16 openings; enough for all

constexpr std::chrono::hours kAge{24 * 365 * 10};

/// One segment in each that is not old yet.
struct WithRetention : ManyPartitions {
  WithRetention() {
    TopicSpec spec;
    spec.retention_age = kAge;
    make(kPartitions, spec);
  }
};

TEST(PartitionsAtRest, RetentionOpensEachInTurnAndClosesItAgain) {
  const QuietLog quiet;
  WithRetention directory;
  const auto log = directory.opened();
  for (int cycle = 0; cycle < 3; ++cycle) {
    SCOPED_TRACE(cycle);
    directory.touched.clear();
    directory.machine.executor.run_for(kRounds);
    EXPECT_EQ(directory.touched.size(), static_cast<std::size_t>(kPartitions));
  }
}

TEST(PartitionsAtRest, WhatSomebodyUsesStaysOpen) {
  const QuietLog quiet;
  WithRetention directory;
  const auto log = directory.opened();
  directory.machine.executor.run_for(kRounds);
  ASSERT_TRUE(ManyPartitions::append(*log, 1));
  const std::shared_ptr<Appender> appender = log->appender(many(2)).value();
  ASSERT_EQ(values_of(*log, many(3)), std::vector<std::string>{"first"});
  directory.touched.clear();
  directory.machine.executor.run_for(kRounds);
  EXPECT_EQ(directory.touched.size(), kPartitions - 3u);
  for (const std::int32_t used : {1, 2, 3}) EXPECT_FALSE(directory.touched.contains(to_string(many(used)))) << used;
  EXPECT_TRUE(ManyPartitions::append(*log, 1, "second"));
}

TEST(PartitionsAtRest, ThoseThatFailTakeNobodysTurn) {
  const SilentLog silent;
  WithRetention directory;
  for (std::int32_t i = 0; i < 20; ++i) directory.unreadable.insert(to_string(many(i)));
  directory.touched.clear();
  const auto log = directory.opened();
  directory.machine.executor.run_for(std::chrono::seconds{5});
  EXPECT_GE(directory.touched.size(), 10u) << "others than those come in the same round";
  directory.machine.executor.run_for(kRounds);
  EXPECT_EQ(directory.touched.size(), 20u);
}

TEST(PartitionsAtRest, WhoWaitsForOneIsToldByTheNextAppend) {
  const QuietLog quiet;
  WithRetention directory;
  const auto log = directory.opened();
  int told = 0;
  const EventLog::NotifyToken token = log->notify_above(many(5), Offset{1}, [&] { ++told; });
  directory.machine.executor.run_for(2 * kRounds);
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(ManyPartitions::append(*log, 5, "second"));
  directory.machine.executor.run_due();
  EXPECT_EQ(told, 1);
}

TEST(PartitionsAtRest, WhatIsOldGoesAndIsNotMissed) {
  const QuietLog quiet;
  WithRetention directory;
  {
    const auto log = directory.opened();
    directory.machine.executor.run_for(kRounds);
    directory.machine.clock.advance(kAge);
    directory.machine.executor.run_for(2 * kRounds);
    for (std::int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(log->ends(many(i)).value().start, Offset{1});
    ASSERT_TRUE(ManyPartitions::append(*log, 7, "second"));
  }
  const auto log = directory.opened();
  EXPECT_EQ(log->ends(many(6)).value().start, Offset{1});
  EXPECT_EQ(values_of(*log, many(7), Offset{1}), std::vector<std::string>{"second"});
}

TEST(PartitionsAtRest, TheNextCleanStopRepeatsWhatTheLastOneSaid) {
  const QuietLog quiet;
  WithRetention directory;
  const std::set<std::string> before = partition_lines(directory.marker());
  {
    const auto log = directory.opened();
    directory.machine.executor.run_for(kRounds);
  }
  EXPECT_EQ(partition_lines(directory.marker()), before);
}

TEST(PartitionsAtRest, ACrashBehindItLosesNothing) {
  const QuietLog quiet;
  WithRetention directory;
  auto log = directory.opened();
  directory.machine.executor.run_for(kRounds);
  ASSERT_TRUE(ManyPartitions::append(*log, 1, "second"));
  ManyPartitions found{directory.machine.disk.durable()};
  const auto later = found.opened();
  EXPECT_EQ(values_of(*later, many(0)), std::vector<std::string>{"first"});
  EXPECT_EQ(values_of(*later, many(1)), (std::vector<std::string>{"first", "second"}));
}

TEST(PartitionsAtRest, TheScrubOpensOneAfterAnother) {
  const QuietLog quiet;
  ManyPartitions directory;
  directory.make(kPartitions);
  const auto log = directory.opened({.scrub_bytes_per_second = 1u << 20});
  for (int round = 0; round < 2; ++round) {
    directory.touched.clear();
    directory.machine.executor.run_for(std::chrono::seconds{21});
    EXPECT_EQ(directory.touched.size(), static_cast<std::size_t>(kPartitions));
  }
}

}  // namespace
}  // namespace lungo::test
