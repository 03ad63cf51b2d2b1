// Goal: the oldest records go when they may, and only then; readers beside that find the records or are told.
#include "retention.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "segment_directory.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

using std::chrono::milliseconds;

Timestamp at(std::int64_t ms) { return Timestamp{milliseconds{ms}}; }

/// Segments of ten records and 100 bytes each, with these newest times; the last one is being written.
std::vector<SegmentFacts> segments_of(const std::vector<std::int64_t>& times) {
  std::vector<SegmentFacts> segments;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto base = static_cast<std::int64_t>(i) * 10;
    segments.push_back({.base = Offset{base}, .end = Offset{base + 10}, .bytes = 100, .newest = at(times[i])});
  }
  return segments;
}

TopicSpec limits(std::optional<std::int64_t> age, std::optional<std::uint64_t> bytes) {
  TopicSpec spec;
  if (age) spec.retention_age = milliseconds{*age};
  spec.retention_bytes = bytes;
  return spec;
}

TEST(RetentionTarget, TakesTheOldestSegmentsThatALimitAsksFor) {
  const auto target = [](const std::vector<std::int64_t>& times, const TopicSpec& spec, std::int64_t limit, std::int64_t now) {
    return retention_target(segments_of(times), spec, Offset{limit}, at(now)).value();
  };
  constexpr std::int64_t kAll = 1000;
  EXPECT_EQ(target({1, 2, 3, 4}, limits({}, {}), kAll, 1'000'000), 0) << "no limit";
  EXPECT_EQ(target({10, 20, 30, 40}, limits(100, {}), kAll, 120), 10) << "of 20 it is 100 ms ago, and no more";
  EXPECT_EQ(target({10, 20, 30, 40}, limits(100, {}), kAll, 121), 20);
  EXPECT_EQ(target({10, 99, 30, 40}, limits(100, {}), kAll, 150), 10) << "what lies behind one that stays, stays";
  EXPECT_EQ(target({10, 20, 30, 40}, limits(0, {}), kAll, 5000), 30) << "never the one that is being written";
  EXPECT_EQ(target({10, 20, 30, 40}, limits(0, {}), 25, 5000), 20) << "nothing above the limit";
  EXPECT_EQ(target({-1, 20}, limits(0, {}), kAll, 5000), 0) << "no time, no age";
  EXPECT_EQ(target({90, 20}, limits(0, {}), kAll, 50), 0) << "a time to come";
  EXPECT_EQ(target({1, 2, 3, 4}, limits({}, 200), kAll, 5), 20);
  EXPECT_EQ(target({1, 2, 3, 4}, limits({}, 201), kAll, 5), 10) << "so much has to stay";
  EXPECT_EQ(target({1, 2, 3, 4}, limits({}, 0), kAll, 5), 30);
  EXPECT_EQ(target({10, 20, 30, 40}, limits(25, 300), kAll, 50), 20) << "either limit";
  std::vector<SegmentFacts> without_records = segments_of({10, 20, 30, 40});
  without_records[0].newest.reset();
  EXPECT_EQ(retention_target(without_records, limits(100, {}), Offset{kAll}, at(121)), Offset{20}) << "it goes with the next";
  EXPECT_EQ(retention_target(without_records, limits(100, {}), Offset{kAll}, at(50)), Offset{0});
  EXPECT_EQ(retention_target({}, limits(0, 0), Offset{0}, at(1)), Offset{0});
}

/// A partition with `count` segments of two records each, all synced.
std::unique_ptr<PartitionLog> with_segments(PartitionFixture& fixture, int count) {
  std::unique_ptr<PartitionLog> log = fixture.opened();
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(log->roll()) << "does nothing to an empty segment";
    const std::int64_t time = 1000 + 10 * i;
    EXPECT_TRUE(append(*log, {{.key = "k", .value = "a", .time = time}, {.key = "j", .value = "b", .time = time + 5}},
                       LeaderEpoch{i / 2}));
  }
  EXPECT_TRUE(log->sync());
  return log;
}

std::size_t count_of(PartitionFixture& fixture, std::string_view suffix) {
  const std::vector<std::string> names = fixture.names();
  return static_cast<std::size_t>(std::ranges::count_if(names, [&](const std::string& n) { return n.ends_with(suffix); }));
}

TEST(PartitionStart, SegmentsBelowItLeaveAtOnceAndTheirFilesStepByStep) {
  PartitionFixture fixture;
  fixture.options.streams = true;
  const auto log = with_segments(fixture, 4);
  ASSERT_TRUE(log->set_start(Offset{5}));
  EXPECT_EQ(log->start(), Offset{5});
  EXPECT_EQ(log->segments().size(), 2u);
  EXPECT_EQ(count_of(fixture, ".log"), 4u);
  EXPECT_TRUE(log->remove_trimmed().value());
  EXPECT_EQ(count_of(fixture, ".log"), 2u);
  EXPECT_EQ(count_of(fixture, ".log.deleted"), 2u);
  EXPECT_FALSE(log->remove_trimmed().value());
  EXPECT_EQ(count_of(fixture, ".deleted"), 0u);
  EXPECT_EQ(count_of(fixture, ".index"), 2u);
  EXPECT_EQ(contents(*log).size(), 3u);
}

// Deleting is what is to make room: names that a full directory has no room for must not stop it, nor one failure for good.
TEST(PartitionStart, FilesGoWhereThereIsNoRoomForOtherNames) {
  const SilentLog silent;
  int gone = 0;
  for (std::uint64_t failing = 1; failing <= 12; ++failing) {
    SCOPED_TRACE(failing);
    PartitionFixture fixture;
    const auto log = with_segments(fixture, 4);
    ASSERT_TRUE(log->set_start(Offset{5}));
    fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + failing, Errc::no_space);
    Result<bool> more = log->remove_trimmed();
    for (int step = 0; step < 5 && (!more || *more); ++step) more = log->remove_trimmed();
    if (!more && more.error() == Errc::partition_failed) continue;  // a sync has failed
    EXPECT_EQ(count_of(fixture, ".log"), 2u);
    EXPECT_EQ(count_of(fixture, ".log.deleted"), 0u);
    ++gone;
  }
  EXPECT_GT(gone, 6);
}

TEST(PartitionStart, NeverMovesBackAndNeverAboveWhatIsSynced) {
  PartitionFixture fixture;
  const auto log = with_segments(fixture, 2);
  ASSERT_TRUE(append(*log, {{.key = "k", .value = "unsynced"}}, LeaderEpoch{9}));
  EXPECT_EQ(log->set_start(Offset{5}).error(), Errc::invalid_argument);
  ASSERT_TRUE(log->set_start(Offset{4}));
  ASSERT_TRUE(log->set_start(Offset{1}));
  EXPECT_EQ(log->start(), Offset{4});
  EXPECT_EQ(log->truncate_to(Offset{2}).error(), Errc::invalid_argument) << "history can't be cut below it";
}

TEST(PartitionStart, ReadsBelowItAreToldAndLookupsBeginThere) {
  PartitionFixture fixture;
  fixture.options.streams = true;
  const auto log = with_segments(fixture, 3);
  ASSERT_TRUE(log->set_start(Offset{3}));
  EXPECT_EQ(log->read(Offset{2}, Offset{6}, 100, {}, {}).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read_key("k", Offset{2}, Offset{6}, 10).error(), Errc::history_trimmed);
  EXPECT_EQ(append(*log, {{.key = "k", .value = "x"}}, LeaderEpoch{9}, Condition{.key = "z", .as_of = Offset{2}}).error(),
            Errc::history_trimmed);
  EXPECT_EQ(log->read_key("j", Offset{3}, Offset{6}, 10)->records.size(), 2u);
  EXPECT_EQ(log->offset_at(at(0), Offset{6}).value(), Offset{3}) << "the batch of offset 2 begins below the start";
  EXPECT_EQ(log->offset_at(at(1011), Offset{6}).value(), Offset{3});
  EXPECT_EQ(log->offset_at(at(1016), Offset{6}).value(), Offset{4});
  EXPECT_EQ(log->offset_at(at(1026), Offset{6}).value(), std::nullopt);
}

TEST(PartitionStart, ThePositionBehindTheLastDeletedRecordStaysValid) {
  PartitionFixture fixture;
  const auto log = with_segments(fixture, 6);  // epochs 0 0 1 1 2 2, of two records a segment
  ASSERT_TRUE(log->set_start(Offset{8}));
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{0}), std::nullopt);
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{1}), Offset{8});
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{2}), Offset{12});
}

TEST(PartitionStart, AllRecordsMayGoAndTheEndStays) {
  PartitionFixture fixture;
  std::optional<CleanEnd> clean;
  {
    const auto log = with_segments(fixture, 2);
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->roll()) << "the last segment is empty: it stays";
    EXPECT_EQ(log->segments().size(), 3u);
    ASSERT_TRUE(log->set_start(Offset{4}));
    EXPECT_TRUE(log->remove_trimmed().value());
    EXPECT_FALSE(log->remove_trimmed().value());
    clean = log->close().value();
  }
  fixture.options.start = Offset{4};
  for (const std::optional<CleanEnd>& stop : {clean, std::optional<CleanEnd>{}}) {
    const auto log = fixture.opened(stop);
    EXPECT_EQ(log->start(), Offset{4});
    EXPECT_EQ(log->written_end(), Offset{4});
  }
  ASSERT_TRUE(append(*fixture.opened(), {{.key = "k", .value = "c"}}, LeaderEpoch{9}));
  EXPECT_EQ(contents(*fixture.opened()).size(), 1u);
}

TEST(PartitionStart, OpeningFinishesWhatWasBegun) {
  PartitionFixture fixture;
  { static_cast<void>(with_segments(fixture, 4)); }
  ASSERT_TRUE(fixture.simulation->disk.rename(fixture.path(kFirstLog), fixture.path(std::string(kFirstLog) + ".deleted")));
  fixture.options.start = Offset{5};
  const auto log = fixture.opened();
  EXPECT_EQ(log->start(), Offset{5});
  EXPECT_EQ(count_of(fixture, ".log"), 2u);
  EXPECT_EQ(count_of(fixture, ".deleted"), 0u);
  EXPECT_EQ(count_of(fixture, ".index"), 2u);
}

TEST(PartitionStart, ALogThatEndsBelowItsStartIsDamage) {
  PartitionFixture fixture;
  CleanEnd clean;
  {
    const auto log = with_segments(fixture, 2);
    clean = log->close().value();
  }
  fixture.options.start = Offset{5};
  // A start that a flipped bit has moved up would hide what is appended from here on.
  EXPECT_EQ(fixture.open(clean).error(), Errc::corrupt) << "whatever the clean-stop marker says";
  EXPECT_EQ(fixture.open().error(), Errc::corrupt);
}

TEST(PartitionStart, ARefusedLogRemovesAndSyncsNothingAnyMore) {
  PartitionFixture fixture;
  const auto log = with_segments(fixture, 3);
  ASSERT_TRUE(log->set_start(Offset{4}));
  ASSERT_TRUE(log->try_refuse(Error{Errc::not_found, "the topic is gone"}));
  const std::uint64_t steps = fixture.simulation->disk.steps();
  EXPECT_EQ(log->remove_trimmed().error(), Errc::not_found);
  EXPECT_EQ(log->sync().error(), Errc::not_found);
  EXPECT_EQ(log->roll().error(), Errc::not_found);
  EXPECT_EQ(fixture.simulation->disk.steps(), steps);
}

// The segment that follows may have no durable name yet. Without it the end of the log would be lost with the segments before.
TEST(PartitionStart, WhatIsRemovedIsNotMissedAfterAPowerCut) {
  PartitionFixture fixture;
  const auto log = with_segments(fixture, 2);
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->set_start(Offset{4}));
  fixture.options.start = Offset{4};
  int states = 0;
  fixture.simulation->disk.on_step([&](const DiskStep& step) {
    fixture.simulation->disk.for_each_survivor(300, step.number, [&](std::unique_ptr<SimDisk> disk) {
      PartitionFixture found;
      found.options = fixture.options;
      found.simulation = std::make_unique<Simulation>(1, std::move(disk));
      const auto again = found.opened();
      ASSERT_NE(again, nullptr) << "before step " << step.number;
      ASSERT_EQ(again->written_end(), Offset{4});
      ++states;
    });
  });
  for (Result<bool> more = true; more && *more;) more = log->remove_trimmed();
  fixture.simulation->disk.on_step({});
  EXPECT_GT(states, 100);
}

// What is deleted inside the first segment is neither handed out nor judged by the epoch of what is left.
TEST(PartitionStart, ReadingBackStopsAtAStartInsideASegment) {
  for (const std::int64_t start : {10, 15}) {
    for (const std::size_t bytes : {0u, 300u, 1u << 20}) {
      PartitionFixture fixture;
      const auto log = fixture.opened();
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*log, {{.key = "k", .value = "v"}}, LeaderEpoch{i < 10 ? 1 : 2}));
      ASSERT_TRUE(log->sync());
      ASSERT_TRUE(log->set_start(Offset{start}));
      Offset end{20};
      while (end > Offset{start}) {
        const Result<Fetched> fetched = log->read_back(end, Offset{20}, bytes, {}, {});
        ASSERT_TRUE(fetched) << fetched.error();
        ASSERT_FALSE(fetched->empty());
        EXPECT_GE(parse_batch_header(fetched->batches())->base_offset, Offset{start});
        ASSERT_LT(fetched->first(), end);
        end = fetched->first();
      }
      EXPECT_EQ(end, Offset{start});
    }
  }
}

}  // namespace
}  // namespace lungo::test
