// Goal: what is appended is read back, in order and once, across segments, restarts and refusals.

#include <gtest/gtest.h>

#include "tests/log/partition_fixture.hpp"
#include "tests/support/log_lines.hpp"

namespace lungo {
namespace {

using namespace test;

std::vector<TestRecord> numbered(int begin, int end) {
  std::vector<TestRecord> records;
  for (int i = begin; i < end; ++i) {
    records.push_back({.key = "k" + std::to_string(i % 7), .value = "value " + std::to_string(i), .time = 1000 + i});
  }
  return records;
}

TEST(PartitionLog, AppendedRecordsAreReadBack) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  EXPECT_EQ(log->written_end(), Offset{0});
  const Result<Appended> first = append(*log, numbered(0, 3), LeaderEpoch{4});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, Offset{0});
  EXPECT_EQ(first->end, Offset{3});
  EXPECT_EQ(first->epoch, LeaderEpoch{4});
  ASSERT_TRUE(append(*log, numbered(3, 5), LeaderEpoch{4}));
  EXPECT_EQ(log->written_end(), Offset{5});
  EXPECT_EQ(log->synced_end(), Offset{0});
  EXPECT_GT(log->unsynced_bytes(), 0u);
  EXPECT_EQ(*log->sync(), Offset{5});
  EXPECT_EQ(log->synced_end(), Offset{5});
  EXPECT_EQ(log->unsynced_bytes(), 0u);
  EXPECT_EQ(contents(*log), numbered(0, 5));
  EXPECT_EQ(log->last_epoch(), LeaderEpoch{4});
}

TEST(PartitionLog, AGroupSharesOneBatchInOrder) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  EncodedRecords first = encode(numbered(0, 2));
  EncodedRecords second = encode(numbered(2, 5));
  GroupItem group[] = {{.records = &first}, {.records = &second}};
  log->append(group, LeaderEpoch{0});
  EXPECT_EQ((*group[0].outcome)->end, Offset{2});
  EXPECT_EQ((*group[1].outcome)->first, Offset{2});
  EXPECT_EQ((*group[1].outcome)->end, Offset{5});
  const Result<Fetched> fetched = log->read(Offset{0}, Offset{5}, 1, {}, {});
  ASSERT_TRUE(fetched);
  EXPECT_EQ(fetched->next().offset, Offset{5});
}

TEST(PartitionLog, ReadsStartInsideABatchAndKeepToTheirSize) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  for (int i = 0; i < 100; i += 10) ASSERT_TRUE(append(*log, numbered(i, i + 10)));
  for (int from = 0; from < 100; ++from) {
    for (const std::size_t bytes_max : {0u, 1u, 700u, 100'000u}) {
      const Result<std::vector<TestRecord>> records = read_all(*log, Offset{from}, Offset{100}, bytes_max);
      ASSERT_TRUE(records) << records.error();
      ASSERT_EQ(*records, numbered(from, 100));
    }
  }
  const Result<Fetched> one = log->read(Offset{15}, Offset{100}, 1, {}, {});
  EXPECT_EQ(one->next().offset, Offset{20});
  const Result<Fetched> all = log->read(Offset{15}, Offset{100}, 1 << 20, {}, {});
  EXPECT_EQ(all->next().offset, Offset{100});
  EXPECT_LE(all->batches().size(), 1u << 20);
}

TEST(PartitionLog, NothingAtOrAboveTheGivenEndIsRead) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append(*log, numbered(i, i + 1)));
  EXPECT_EQ(*read_all(*log, Offset{0}, Offset{4}), numbered(0, 4));
  const Result<Fetched> at_end = log->read(Offset{4}, Offset{4}, 1000, {}, {});
  ASSERT_TRUE(at_end);
  EXPECT_TRUE(at_end->empty());
  EXPECT_EQ(at_end->next().offset, Offset{4});
  EXPECT_EQ(at_end->next().epoch, LeaderEpoch{0});
  EXPECT_EQ(log->read(Offset{5}, Offset{4}, 1000, {}, {}).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read(Offset{0}, Offset{11}, 1000, {}, {}).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->read(Offset{-1}, Offset{4}, 1000, {}, {}).error(), Errc::offset_out_of_range);
}

TEST(PartitionLog, RollsIntoSegmentsNamedByTheirFirstOffset) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 2000;
  const auto log = fixture.opened();
  for (int i = 0; i < 200; i += 5) ASSERT_TRUE(append(*log, numbered(i, i + 5)));
  ASSERT_TRUE(log->sync());
  int segments = 0;
  for (const std::string& name : fixture.names()) segments += name.ends_with(".log") ? 1 : 0;
  EXPECT_GT(segments, 3);
  EXPECT_EQ(contents(*log), numbered(0, 200));
}

TEST(PartitionLog, ABatchAboveTheSegmentSizeStaysWhole) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 100;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, numbered(0, 50)));
  ASSERT_TRUE(append(*log, numbered(50, 100)));
  EXPECT_EQ(contents(*log), numbered(0, 100));
}

TEST(PartitionLog, ReopensAfterACleanStopWithoutAScan) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 5000;
  fixture.options.index_interval_bytes = 500;
  CleanEnd clean{};
  for (int round = 0; round < 5; ++round) {
    const auto log = round == 0 ? fixture.opened() : fixture.opened(clean);
    EXPECT_EQ(log->recovery().bytes_scanned, 0u);
    EXPECT_EQ(log->written_end(), Offset{round * 100});
    EXPECT_EQ(contents(*log), numbered(0, round * 100));
    for (int i = round * 100; i < round * 100 + 100; i += 4) ASSERT_TRUE(append(*log, numbered(i, i + 4), LeaderEpoch{round}));
    const Result<CleanEnd> closed = log->close();
    ASSERT_TRUE(closed) << closed.error();
    clean = *closed;
    EXPECT_EQ(append(*log, numbered(0, 1)).error(), Errc::closed);
  }
}

TEST(PartitionLog, ALyingCleanStopMarkerLeadsToAScanNotToLoss) {
  PartitionFixture fixture;
  CleanEnd clean{};
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(append(*log, numbered(i, i + 1)));
    clean = *log->close();
  }
  CleanEnd wrong_crc = clean;
  wrong_crc.last_batch_crc ^= 1;
  EXPECT_GT(fixture.opened(wrong_crc)->recovery().bytes_scanned, 0u);
  CleanEnd too_short = clean;
  too_short.end = Offset{9};
  EXPECT_EQ(contents(*fixture.opened(too_short)), numbered(0, 10));
  CleanEnd too_long = clean;
  too_long.end = Offset{11};
  const auto log = fixture.opened(too_long);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->damage(), (std::vector{DamagedRange{Offset{10}, Offset{11}, kFirstLog, fixture.file_size(kFirstLog), 0}}));
}

TEST(PartitionLog, EpochsAreRememberedAndCutWithTheLog) {
  PartitionFixture fixture;
  {
    const auto log = fixture.opened();
    ASSERT_TRUE(append(*log, numbered(0, 5), LeaderEpoch{1}));
    ASSERT_TRUE(append(*log, numbered(5, 8), LeaderEpoch{3}));
    ASSERT_TRUE(log->sync());
    ASSERT_TRUE(append(*log, numbered(8, 9), LeaderEpoch{7}));
  }
  EXPECT_EQ(as_text(*read_file(fixture.simulation->disk, fixture.path("leader-epoch-checkpoint"), 1000)), "0\n2\n1 0\n3 5\n");
  const auto log = fixture.opened();
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{1}), Offset{5});
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{2}), std::nullopt);
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{3}), Offset{8});
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{7}), Offset{9});
  ASSERT_TRUE(log->truncate_to(Offset{8}));
  EXPECT_EQ(log->end_of_epoch(LeaderEpoch{7}), std::nullopt);
  EXPECT_EQ(log->last_epoch(), LeaderEpoch{3});
}

TEST(PartitionLog, TruncationKeepsWholeBatchesAndSurvivesReopening) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 1000;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 100; i += 5) ASSERT_TRUE(append(*log, numbered(i, i + 5)));
    ASSERT_TRUE(log->sync());
    EXPECT_EQ(log->truncate_to(Offset{33}).error(), Errc::invalid_argument);
    EXPECT_EQ(log->truncate_to(Offset{101}).error(), Errc::invalid_argument);
    ASSERT_TRUE(log->truncate_to(Offset{35}));
    EXPECT_EQ(contents(*log), numbered(0, 35));
    ASSERT_TRUE(append(*log, numbered(35, 40)));
    ASSERT_TRUE(log->sync());
  }
  EXPECT_EQ(contents(*fixture.opened()), numbered(0, 40));
}

TEST(PartitionLog, WhatWasTruncatedDoesNotComeBackAfterAPowerCut) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    PartitionFixture fixture{seed};
    fixture.options.segment_bytes = 1000;
    fixture.options.streams = true;
    const auto log = fixture.opened();
    for (int i = 0; i < 100; i += 5) ASSERT_TRUE(append(*log, numbered(i, i + 5)));
    if (seed % 2 == 0) {
      ASSERT_TRUE(log->sync());
    }
    ASSERT_TRUE(log->truncate_to(Offset{35}));
    PartitionFixture found = fixture.after_power_cut(seed);
    const auto reopened = found.opened();
    ASSERT_NE(reopened, nullptr);
    ASSERT_LE(reopened->written_end(), Offset{35});
    ASSERT_GE(reopened->written_end(), log->synced_end());
    ASSERT_EQ(contents(*reopened), numbered(0, static_cast<int>(reopened->written_end().value())));
  }
}

TEST(PartitionLog, OffsetAtFindsTheFirstRecordNotOlder) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 3000;
  fixture.options.index_interval_bytes = 300;
  const auto log = fixture.opened();
  std::vector<TestRecord> all;
  Random random{11};
  for (int i = 0; i < 120; ++i) {
    std::vector<TestRecord> records = numbered(i, i + 1);
    records[0].time = 10'000 + i * 10 - static_cast<std::int64_t>(random.below(200));  // goes back in time
    all.push_back(records[0]);
    ASSERT_TRUE(append(*log, records));
  }
  for (std::int64_t time = 9'700; time < 11'300; time += 3) {
    std::optional<Offset> expected;
    for (std::size_t i = 0; i < all.size() && !expected; ++i) {
      if (all[i].time >= time) expected = Offset{static_cast<std::int64_t>(i)};
    }
    const Result<std::optional<Offset>> found = log->offset_at(Timestamp{std::chrono::milliseconds{time}}, Offset{120});
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(*found, expected) << time;
  }
  EXPECT_EQ(*log->offset_at(Timestamp::min(), Offset{120}), Offset{0});
  EXPECT_EQ(*log->offset_at(Timestamp::max(), Offset{120}), std::nullopt);
  EXPECT_EQ(*log->offset_at(Timestamp::min(), Offset{0}), std::nullopt);
}

TEST(PartitionLog, AFullDiskRefusesAndGoesOnWhenThereIsRoom) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, numbered(0, 5)));
  const std::uint64_t size = fixture.file_size(kFirstLog);
  fixture.simulation->disk.set_capacity(fixture.simulation->disk.used_bytes() + 20);
  EXPECT_EQ(append(*log, numbered(5, 10)).error(), Errc::no_space);
  EXPECT_EQ(fixture.file_size(kFirstLog), size) << "what there was room for is cut back";
  EXPECT_EQ(log->written_end(), Offset{5});
  EXPECT_EQ(contents(*log), numbered(0, 5));
  fixture.simulation->disk.set_capacity(std::nullopt);
  ASSERT_TRUE(append(*log, numbered(5, 10)));
  EXPECT_EQ(contents(*log), numbered(0, 10));
  EXPECT_EQ(contents(*fixture.opened()), numbered(0, 10));
}

// It may have made a file of the segment's: what is appended instead must not run past its name.
TEST(PartitionLog, AFailedRollLeavesNoSegmentBehind) {
  bool all_done = false;
  for (std::uint64_t failing = 1; !all_done; ++failing) {
    SCOPED_TRACE("step " + std::to_string(failing));
    PartitionFixture fixture{failing};
    auto log = fixture.opened();
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "0"}}));
    ASSERT_TRUE(log->sync());
    SimDisk& disk = fixture.simulation->disk;
    const std::uint64_t failing_step = disk.steps() + failing;
    disk.fail_step(failing_step, Errc::no_space);
    const bool rolled = log->roll().has_value();
    all_done = disk.steps() < failing_step;
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "1"}}));
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "2"}}));
    EXPECT_EQ(log->segments().size(), rolled ? 2u : 1u);
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "3"}}));
    ASSERT_TRUE(log->sync());
    for (const bool power_cut : {false, true}) {
      PartitionFixture found = power_cut ? fixture.after_power_cut(failing) : PartitionFixture{};
      if (!power_cut) found.simulation = std::make_unique<Simulation>(1, disk.after_kill());
      const auto reopened = found.opened({}, Offset{4});
      ASSERT_NE(reopened, nullptr);
      EXPECT_EQ(contents(*reopened).size(), 4u);
    }
  }
}

TEST(PartitionLog, AfterAFailedSyncEverythingIsRefusedUntilReopened) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, numbered(0, 5)));
  ASSERT_TRUE(log->sync());
  ASSERT_TRUE(append(*log, numbered(5, 6)));
  fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, Errc::io);
  EXPECT_EQ(log->sync().error(), Errc::partition_failed);
  EXPECT_EQ(log->synced_end(), Offset{5});
  EXPECT_EQ(append(*log, numbered(6, 7)).error(), Errc::partition_failed);
  EXPECT_EQ(log->sync().error(), Errc::partition_failed);
  EXPECT_EQ(log->close().error(), Errc::partition_failed);
  EXPECT_EQ(*read_all(*log, Offset{0}, Offset{5}), numbered(0, 5));
  const auto reopened = fixture.opened();
  ASSERT_GE(reopened->written_end(), Offset{5});
  EXPECT_TRUE(append(*reopened, numbered(6, 7)));
}

TEST(PartitionLog, AFailedPartitionIsLoggedOnceWhateverMadeItFail) {
  for (const std::string fails : {"write", "cut", "sync"}) {
    SCOPED_TRACE(fails);
    PartitionFixture fixture;
    const auto log = fixture.opened();
    ASSERT_TRUE(append(*log, numbered(0, 1)));
    ASSERT_TRUE(append(*log, numbered(1, 2)));
    const LogLines lines;
    fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, Errc::io, true);
    const auto break_it = [&] {
      if (fails == "write") return append(*log, numbered(2, 3)).has_value();
      return fails == "cut" ? log->truncate_to(Offset{1}).has_value() : log->sync().has_value();
    };
    EXPECT_FALSE(break_it());
    EXPECT_EQ(append(*log, numbered(2, 3)).error(), Errc::partition_failed);
    EXPECT_EQ(log->sync().error(), Errc::partition_failed);
    EXPECT_EQ(lines.count("error", "refused until it is opened again"), 1);
  }
}

TEST(PartitionLog, ReadersBesideAWriterSeeWhatItAddedAcrossSegments) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 700;
  const auto writer = fixture.opened();
  PartitionOptions read_only = fixture.options;
  read_only.read_only = true;
  auto reader = *PartitionLog::open(fixture.simulation->ports(), fixture.directory, read_only, {}, Offset{0});
  EXPECT_EQ(append(*reader, numbered(0, 1)).error(), Errc::unsupported);
  int done = 0;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(append(*writer, numbered(done, done + 3), LeaderEpoch{i / 20}));
    done += 3;
    if (i % 5 != 0) continue;
    ASSERT_TRUE(reader->refresh(Offset{done}));
    ASSERT_EQ(reader->written_end(), Offset{done});
    ASSERT_EQ(contents(*reader), numbered(0, done));
  }
  EXPECT_EQ(reader->end_of_epoch(LeaderEpoch{0}), Offset{60});
  const std::vector<std::string> before = fixture.names();
  EXPECT_EQ(reader->refresh(Offset{done + 1}).error().code(), Errc::not_found);
  EXPECT_EQ(fixture.names(), before) << "a reader makes no files";
  ASSERT_TRUE(writer->roll());  // after a power cut the last file may be empty, whatever the writer's end is
  EXPECT_EQ(reader->refresh(Offset{done + 1}).error().code(), Errc::not_found);
}

TEST(PartitionLog, AReaderOpensBeforeTheWriterEverDid) {
  PartitionFixture fixture;
  PartitionOptions read_only = fixture.options;
  read_only.read_only = true;
  auto reader = *PartitionLog::open(fixture.simulation->ports(), fixture.directory, read_only, {}, Offset{0});
  EXPECT_EQ(reader->written_end(), Offset{0});
  const auto writer = fixture.opened();
  ASSERT_TRUE(append(*writer, numbered(0, 2)));
  ASSERT_TRUE(reader->refresh(Offset{2}));
  EXPECT_EQ(contents(*reader), numbered(0, 2));
}

}  // namespace
}  // namespace lungo
