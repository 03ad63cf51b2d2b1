// Goal: one partition's files are copied as they were at one moment, whatever retention and compaction do meanwhile.
#include "backup_partition.hpp"

#include <map>

#include "segment.hpp"
#include "segment_swap.hpp"
#include "tests/log/compacted_partition.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo::test {
namespace {

/// Thirty segments, each of one record.
struct CopiedFixture : PartitionFixture {
  CopiedFixture() {
    options.segment_bytes = 100;  // no two fit one
    const auto log = opened();
    for (int i = 0; i < 30; ++i) EXPECT_TRUE(append(*log, {TestRecord{"k", std::string(100, 'v')}}));
    EXPECT_TRUE(log->close());
  }
  [[nodiscard]] SimDisk& disk() const { return simulation->disk; }
  [[nodiscard]] PartitionCopy copy() const {
    PartitionCopy wanted{.storage = disk(), .from = directory, .to = "copy", .name = directory};
    wanted.start = [] { return Offset{0}; };
    return wanted;
  }
  std::vector<Offset> bases() {
    std::vector<Offset> found;
    for (const std::string& name : names()) {
      if (const std::optional<Offset> base = segment_base(name, kLogSuffix)) found.push_back(*base);
    }
    return found;
  }
};

// Each time that somebody asks where the log begins a segment more is gone.
TEST(BackupPartition, SegmentsThatAreDeletedMeanwhileLeaveTheCopy) {
  CopiedFixture fixture;
  PartitionCopy copy = fixture.copy();
  Offset start{0};
  copy.start = [&] {
    const std::vector<Offset> bases = fixture.bases();
    if (bases.size() < 3) return start;
    EXPECT_TRUE(fixture.disk().remove(fixture.path(segment_file_name(bases.front(), kLogSuffix))));
    start = bases[1];
    return start;
  };
  const Result<CopiedPartition> copied = copy_partition_files(copy);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_TRUE(copied->damage.empty());
  EXPECT_GT(copied->start, Offset{0});
  EXPECT_EQ(copied->end, Offset{30});
  EXPECT_EQ(static_cast<std::int64_t>(copied->records), copied->end - copied->start);
}

TEST(BackupPartition, WhatHasNotChangedIsNotCopiedAgain) {
  CopiedFixture fixture;
  PartitionCopy copy = fixture.copy();
  const std::string name = segment_file_name(Offset{5}, kLogSuffix);
  bool is_exchanged = false;
  copy.start = [&] {
    if (!is_exchanged) {
      EXPECT_TRUE(fixture.disk().rename(fixture.path(name), fixture.path(name + std::string(kSwapSuffix))));
    }
    is_exchanged = true;
    return Offset{0};
  };
  std::map<std::string, int, std::less<>> made;
  fixture.disk().on_step([&made](const DiskStep& step) {
    if (step.operation == "create") ++made[std::string(step.path)];
  });
  const Result<CopiedPartition> copied = copy_partition_files(copy);
  fixture.disk().on_step({});
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_EQ(copied->records, 30u);
  EXPECT_EQ(made["copy/" + name], 1);
  EXPECT_EQ(made["copy/" + segment_file_name(Offset{0}, kLogSuffix)], 1);
}

// The segment in which the copy is to end has been compacted since.
TEST(BackupPartition, ACopyThatEndsInWhatWasCompactedGoesOnBehindIt) {
  CompactedPartition fixture;
  fixture.options.dense_end = true;
  KeyedRecords kept;
  LogReach reach{};
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    ASSERT_TRUE(fixture.compact(*log));
    while (*log->remove_trimmed()) {
    }
    const std::vector<SegmentFacts> segments = log->segments();
    reach = {.base = segments[0].base, .size = segments[0].bytes, .synced = segments[1].base};
    kept = keyed_records(*log);
    std::erase_if(kept, [&](const auto& entry) { return entry.first >= segments[1].base.value(); });
  }
  PartitionCopy copy{
      .storage = fixture.simulation->disk, .from = fixture.directory, .to = "copy", .name = "copy", .gaps = true};
  copy.start = [] { return Offset{0}; };
  copy.reach = reach;
  const Result<CopiedPartition> copied = copy_partition_files(copy);
  ASSERT_TRUE(copied) << copied.error();
  EXPECT_TRUE(copied->damage.empty());
  EXPECT_EQ(copied->end, reach.synced);
  fixture.directory = "copy";
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = fixture.opened();
    EXPECT_TRUE(log->damage().empty());
    EXPECT_EQ(keyed_records(*log), kept);
    const Result<Appended> appended = append_keyed(*log, {KeyedRecord{"z", padded(opening)}});
    ASSERT_TRUE(appended) << appended.error();
    kept[appended->first.value()] = {"z", padded(opening)};
    ASSERT_TRUE(log->sync());
  }
}

}  // namespace
}  // namespace lungo::test
