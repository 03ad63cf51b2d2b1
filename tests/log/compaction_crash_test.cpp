// Goal: wherever a crash or a failing call meets compaction, of each key the last value is there, no record is at another
// offset than it was, and the log goes on.
// Method: rounds over a partition on the simulated disk; the states around each step, and each call failing in turn; and
// a few long sequences of a model (compaction_model.hpp), many short ones of which are in partition_model_crash_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "tests/log/compaction_model.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

TEST(CompactionCrash, APowerCutAtEachStepLeavesTheLastValues) {
  const QuietLog quiet;
  const std::uint64_t first = test_seed(1);
  std::size_t looked = 0;
  for (std::uint64_t seed = first; seed < first + 2 && !HasFailure(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    CompactedPartition fixture{seed};
    fixture.options.streams = seed % 2 == 0;
    fixture.tombstone_age = 10;
    Random random{seed};
    std::int64_t time = 1000;
    KeyedRecords all;
    const auto log = fixture.opened();
    Offset cleaned;
    for (int round = 0; round < 2 && !HasFailure(); ++round) {
      for (int i = 0; i < 12; ++i) append_random(*log, random, time, all, LeaderEpoch{round});
      ASSERT_TRUE(log->sync());
      const KeyValues expected = values_of(all);
      const KeyedRecords before = keyed_records(*log);
      const Offset recovery_point = (seed + static_cast<std::uint64_t>(round)) % 2 == 0 ? cleaned : Offset{0};
      CrashStates states{seed, SIZE_MAX, {.survivors_per_step = 6, .deep_one_in = 60}};
      CrashStates::Look check = [&](std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
        CompactedPartition found;
        found.options = fixture.options;
        found.simulation = std::make_unique<Simulation>(1, std::move(disk));
        if (situation.deep) {
          states.watch_recovery(found.simulation->disk, 0,
                                [&](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
        }
        const auto again = found.opened({}, recovery_point);
        CrashStates::unwatch(found.simulation->disk);
        ASSERT_NE(again, nullptr);
        ASSERT_EQ(again->written_end(), log->written_end());
        const KeyedRecords left = keyed_records(*again);
        ASSERT_EQ(values_of(left), expected);
        expect_left_of(left, before);
        ASSERT_FALSE(has_leftovers(found));
        expect_indexes_as_rebuilt(found.simulation->disk, found.directory, found.options);
        ASSERT_TRUE(append_keyed(*again, {KeyedRecord{"after", "the crash"}}, LeaderEpoch{9}));
        ASSERT_TRUE(again->sync());
        if (!situation.deep) return;
        ASSERT_TRUE(found.compact(*again));
        KeyValues more = expected;
        more["after"] = "the crash";
        ASSERT_EQ(values_of(keyed_records(*again)), more);
      };
      states.watch(
          fixture.simulation->disk, [] { return 0; }, check);
      fixture.now = 2000 + 20 * round;
      const Result<Offset> reached = fixture.compact(*log, cleaned);
      while (reached && *log->remove_trimmed()) {
      }
      CrashStates::unwatch(fixture.simulation->disk);
      ASSERT_TRUE(reached) << reached.error();
      cleaned = *reached;
      looked += states.distinct();
    }
  }
  EXPECT_GT(looked, 1'000u);
  std::cout << "distinct states: " << looked << "\n";
}

// What a crash leaves of an exchange is finished by it: up to there the old files go.
TEST(CompactionCrash, TheLastBatchOfASegmentStaysAndSaysHowFarItReaches) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  for (const char* key : {"b", "a", "a"}) {
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{key, std::string(300, 'v')}}));  // two fill a segment
  }
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  fixture.options.segment_bytes = 400;
  ASSERT_TRUE(fixture.compact(*log));
  for (const SegmentFacts& segment : log->segments()) {
    if (segment.bytes == 0) continue;
    const Fetched last = log->read(segment.end.plus(-1), Offset{3}, 1, {}, {}).value();
    EXPECT_EQ(last.next().offset, segment.end);
    EXPECT_FALSE(last.empty());
  }
}

// Once and for ever, errors and full disks: what is there stays readable, and opening finds the values again.
TEST(CompactionCrash, EveryCallMayFail) {
  const SilentLog silent;
  int failed_rounds = 0;
  int went_on = 0;
  for (const Errc code : {Errc::io, Errc::no_space}) {
    for (const bool for_ever : {false, true}) {
      for (std::uint64_t failing = 1; failing < 2000 && !HasFailure(); ++failing) {
        SCOPED_TRACE("call " + std::to_string(failing) + " " + std::string(to_string(code)) + (for_ever ? " for ever" : ""));
        CompactedPartition fixture{failing};
        Random random{7};
        std::int64_t time = 1000;
        KeyedRecords all;
        auto log = fixture.opened();
        for (int i = 0; i < 25; ++i) append_random(*log, random, time, all, LeaderEpoch{0});
        ASSERT_TRUE(log->sync());
        const KeyValues expected = values_of(all);
        SimDisk& disk = fixture.simulation->disk;
        const std::uint64_t before = disk.calls();
        disk.fail_call(before + failing, code, for_ever);
        const Result<Offset> reached = fixture.compact(*log);
        const bool all_done = disk.calls() < before + failing;
        disk.clear_faults();
        ASSERT_EQ(values_of(keyed_records(*log)), expected);
        expect_left_of(keyed_records(*log), all);
        if (!reached) {
          ++failed_rounds;
          if (append_keyed(*log, {KeyedRecord{"k0", "more"}})) {  // the partition has not failed: it can be tried again
            ++went_on;
            ASSERT_TRUE(log->sync());
            const Result<Offset> again = fixture.compact(*log);
            ASSERT_TRUE(again) << again.error();
            all[log->written_end().value() - 1] = {"k0", "more"};
            ASSERT_EQ(values_of(keyed_records(*log)), values_of(all));
          }
        }
        CompactedPartition found{failing};
        found.simulation = std::make_unique<Simulation>(1, disk.after_power_cut(failing));
        const auto opened = found.opened();
        ASSERT_NE(opened, nullptr);
        ASSERT_EQ(values_of(keyed_records(*opened)), values_of(all));
        ASSERT_FALSE(has_leftovers(found));
        if (all_done) break;
      }
    }
  }
  EXPECT_GT(failed_rounds, 200);
  EXPECT_GT(went_on, 100);
}

TEST(CompactionModel, RandomRunsKeepTheLastValues) {
  const SilentLog silent;
  run_compaction_models(test_seed(1), 300, 150);
}

}  // namespace
}  // namespace lungo::test
