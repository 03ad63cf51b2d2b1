// Goal: what opening and rolling leave to chance at a power cut is found and made good by the next opening.
// Method: every state that a cut may leave at one chosen moment, on the simulated disk.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/log/recovered_partition.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

PartitionFixture partition_on(std::unique_ptr<SimDisk> disk, const PartitionOptions& options = {}) {
  PartitionFixture fixture;
  fixture.options = options;
  fixture.simulation = std::make_unique<Simulation>(1, std::move(disk));
  return fixture;
}

// A process was killed between making the directory and syncing its parent: the name is there, and the next power cut may take
// it, with everything that was synced inside.
TEST(RecoveryOrder, PartitionDirectoryOfAKilledProcessIsMadeDurable) {
  PartitionFixture fixture;
  ASSERT_TRUE(fixture.simulation->disk.make_directories(fixture.directory));
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, {{.key = "k", .value = "synced"}}));
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(contents(*partition_on(fixture.simulation->disk.durable()).opened()).size(), 1u);
}

TEST(RecoveryOrder, DataDirectoryOfAKilledProcessIsMadeDurable) {
  const QuietLog quiet;
  Simulation machine{1};
  ASSERT_TRUE(machine.disk.make_directories("/var"));
  ASSERT_TRUE(machine.disk.sync_directory("/"));
  ASSERT_TRUE(machine.disk.make_directories("/var/data"));
  const Ports ports = machine.ports();
  const auto log = open_local("/var/data", {.ports = &ports}).value();
  TopicSpec spec;
  spec.name = "events";
  ASSERT_TRUE(log->create_topic(spec));
  ASSERT_TRUE(append_wait(*log, append_of({"events", PartitionId{0}}, "k", "synced")));

  Simulation after{1, machine.disk.durable()};
  const Ports ports_after = after.ports();
  const auto found = open_local("/var/data", {.ports = &ports_after}).value();
  ASSERT_EQ(found->topics().value().size(), 1u);
  EXPECT_EQ(values_of(*found, {"events", PartitionId{0}}), std::vector<std::string>{"synced"});
}

// A segment is synced without its indexes while it is written. When it rolls right behind a sync, the recovery point is its
// end, and its indexes are not on disk yet.
TEST(RecoveryOrder, SegmentThatEndsAtTheRecoveryPointHasItsIndexesMadeAnew) {
  const SilentLog silent;
  PartitionFixture fixture;
  fixture.options.segment_bytes = 700;
  fixture.options.index_interval_bytes = 120;
  const auto log = fixture.opened();
  Offset synced;
  int states = 0;
  SimDisk& disk = fixture.simulation->disk;
  disk.after_step([&](const DiskStep& step) {
    if (step.operation != "create" || synced == Offset{0}) return;
    disk.for_each_survivor(200, step.number, [&](std::unique_ptr<SimDisk> found) {
      ++states;
      PartitionFixture after = partition_on(std::move(found), fixture.options);
      const auto opened = after.opened({}, synced);
      ASSERT_NE(opened, nullptr);
      ASSERT_EQ(opened->written_end(), synced);
      expect_indexes_as_rebuilt(after.simulation->disk, after.directory, after.options);
    });
  });
  for (int i = 0; i < 12 && !HasFailure(); ++i) {
    ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(60, 'v'), .time = 1000 + i}}));
    synced = log->sync().value();
  }
  EXPECT_GT(states, 10);
}

// An index of a trusted segment that does not fit is made anew. From then on it is on disk.
TEST(RecoveryOrder, IndexMadeAnewBelowTheRecoveryPointIsDurable) {
  const SilentLog silent;
  PartitionFixture fixture;
  fixture.options.segment_bytes = 700;
  fixture.options.index_interval_bytes = 120;
  auto log = fixture.opened();
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(60, 'v'), .time = 1000 + i}}));
  }
  const CleanEnd clean = log->close().value();
  fixture.flip(kFirstIndex, fixture.file_size(kFirstIndex) - 1);
  ASSERT_TRUE(fixture.file(kFirstIndex)->sync());

  log = fixture.opened({}, clean.end);
  expect_indexes_as_rebuilt(fixture.simulation->disk, fixture.directory, fixture.options);
  expect_indexes_as_rebuilt(*fixture.simulation->disk.durable(), fixture.directory, fixture.options);
}

// A process was killed between removing the clean-stop marker and making that durable. The next one recovers as after a crash
// and makes the indexes anew; when the power fails in the middle, the marker must not come back and vouch for them.
TEST(RecoveryOrder, MarkerThatIsGoneStaysGoneBeforeIndexesAreMadeAnew) {
  const SilentLog silent;
  const TopicPartition partition{"events", PartitionId{0}};
  Simulation machine{1};
  const Ports ports = machine.ports();
  auto log = open_local("/data", {.ports = &ports}).value();
  TopicSpec spec;
  spec.name = partition.topic;
  ASSERT_TRUE(log->create_topic(spec));
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(append_wait(*log, append_of(partition, "k", std::string(1000, 'v'))));
  log.reset();
  ASSERT_TRUE(machine.disk.remove("/data/lungo.clean-stop"));

  int states = 0;
  machine.disk.on_step([&](const DiskStep& step) {
    if (!step.path.ends_with("index")) return;
    machine.disk.for_each_survivor(100, step.number, [&](std::unique_ptr<SimDisk> found) {
      ++states;
      Simulation after{1, std::move(found)};
      const Ports ports_after = after.ports();
      ASSERT_TRUE(open_local("/data", {.ports = &ports_after}));
      expect_indexes_as_rebuilt(after.disk, "/data/events-0", {});
    });
  });
  log = open_local("/data", {.ports = &ports}).value();
  machine.disk.on_step({});
  EXPECT_GT(states, 5);
}

// After a failed sync the system counts the pages as clean: they are still to be read, and no later sync writes them. Opening
// again shows what it reads there as synced, so it has to write it once more.
TEST(RecoveryOrder, WhatAFailedSyncLeftInTheCacheIsWrittenAgain) {
  const SilentLog silent;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    PartitionFixture fixture = partition_on(std::make_unique<SimDisk>(seed));
    auto log = fixture.opened();
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "synced"}}));
    ASSERT_TRUE(log->sync());
    ASSERT_TRUE(append(*log, {{.key = "k", .value = "not synced"}}));
    fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, Errc::io);
    ASSERT_FALSE(log->sync());
    log = fixture.opened();
    ASSERT_EQ(log->synced_end(), Offset{2});
    EXPECT_EQ(contents(*partition_on(fixture.simulation->disk.durable()).opened()).size(), 2u);
  }
}

}  // namespace
}  // namespace lungo::test
