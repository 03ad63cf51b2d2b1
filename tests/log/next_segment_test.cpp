// Goal: a roll finds its files made; a log without them, or with what a crash left of them, is as good.
#include "next_segment.hpp"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "segment.hpp"
#include "tests/log/partition_fixture.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr std::array kNextFiles{"next.log.tmp", "next.index.tmp", "next.timeindex.tmp"};

/// Counts the files that are made through it.
class CountingStorage final : public ForwardingStorage {
 public:
  explicit CountingStorage(Storage& beneath) : ForwardingStorage(beneath) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::create && !*exists(path)) made.push_back(path);
    return ForwardingStorage::open(path, mode);
  }
  std::vector<std::string> made;
};

/// A log of small segments whose chores are done when the test says so.
struct NextSegmentTest : testing::Test {
  NextSegmentTest() {
    fixture.options.segment_bytes = 400;
    fixture.options.made_ahead_bytes_min = 0;
  }

  std::unique_ptr<PartitionLog> opened(std::optional<CleanEnd> clean = {}) {
    Ports ports = fixture.simulation->ports();
    Result<std::unique_ptr<PartitionLog>> log = PartitionLog::open({storage, ports.clock, ports.executor, ports.random},
                                                                   fixture.directory, fixture.options, clean, Offset{0});
    EXPECT_TRUE(log) << log.error();
    (*log)->when_chores_are_due([this] { ++calls; });
    return std::move(*log);
  }
  bool has_next_files() {
    const std::vector<std::string> names = fixture.names();
    return std::ranges::all_of(kNextFiles, [&](const char* name) { return std::ranges::count(names, name) == 1; });
  }
  bool has_no_next_files() {
    const std::vector<std::string> names = fixture.names();
    return std::ranges::none_of(kNextFiles, [&](const char* name) { return std::ranges::count(names, name) == 1; });
  }
  void append_half(PartitionLog& log) { ASSERT_TRUE(append(log, {{.key = "k", .value = std::string(150, 'v')}})); }

  PartitionFixture fixture;
  CountingStorage storage{fixture.simulation->disk};
  int calls = 0;
};

TEST_F(NextSegmentTest, ARollMakesNoFile) {
  const std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  EXPECT_EQ(calls, 1) << "the segment is more than half full";
  EXPECT_TRUE(has_no_next_files());
  EXPECT_FALSE(log->do_chores().value());
  EXPECT_TRUE(has_next_files());
  storage.made.clear();
  append_half(*log);
  EXPECT_TRUE(has_no_next_files());
  EXPECT_EQ(log->segments().size(), 2u);
  EXPECT_EQ(storage.made, std::vector<std::string>{});
  EXPECT_EQ(calls, 3) << "so is the next one, and the full one has room";
  ASSERT_TRUE(log->do_chores());
  append_half(*log);
  EXPECT_EQ(contents(*log).size(), 3u);
  ASSERT_TRUE(log->sync());
  PartitionFixture found = fixture.after_power_cut(7);
  EXPECT_EQ(contents(*found.opened()).size(), 3u);
}

TEST_F(NextSegmentTest, AHalfEmptySegmentWantsNone) {
  fixture.options.segment_bytes = 4000;
  const std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(log->do_chores().value());
  EXPECT_TRUE(has_no_next_files());
}

TEST_F(NextSegmentTest, NorDoesASmallOne) {
  fixture.options.made_ahead_bytes_min = 401;
  const std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  EXPECT_EQ(calls, 0);
  append_half(*log);
  append_half(*log);
  EXPECT_EQ(log->segments().size(), 3u);
  EXPECT_EQ(calls, 1) << "the full ones have room behind them";
  ASSERT_TRUE(log->do_chores());
  append_half(*log);
  EXPECT_EQ(calls, 2);
}

TEST_F(NextSegmentTest, ARollThatComesBeforeMakesItsFilesItself) {
  const std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  append_half(*log);
  EXPECT_EQ(log->segments().size(), 2u);
  EXPECT_EQ(calls, 2) << "for the next one, once, and for the full one";
  ASSERT_TRUE(log->do_chores());
  EXPECT_TRUE(has_next_files()) << "for the one behind";
  append_half(*log);
  EXPECT_TRUE(has_no_next_files());
  EXPECT_EQ(contents(*log).size(), 3u);
}

TEST_F(NextSegmentTest, WithoutRoomForThemARollGoesOn) {
  for (const Errc code : {Errc::no_space, Errc::io}) {
    const std::unique_ptr<PartitionLog> log = opened();
    append_half(*log);
    fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, code);
    ASSERT_TRUE(log->do_chores());
    const std::size_t before = log->segments().size();
    append_half(*log);
    append_half(*log);
    EXPECT_EQ(log->segments().size(), before + 2);
  }
}

// From the first call of the chores to the roll behind them, one after the other until none is left.
TEST_F(NextSegmentTest, EveryCallMayFailOnceOrForEver) {
  const SilentLog silent;
  std::size_t failed = 0;
  for (const Errc code : {Errc::no_space, Errc::io}) {
    for (const bool for_ever : {false, true}) {
      for (std::uint64_t number = 1;; ++number) {
        SCOPED_TRACE(testing::Message() << "call " << number << (for_ever ? " and all behind it" : ""));
        PartitionFixture tried;
        tried.options = fixture.options;
        auto log = tried.opened();
        log->when_chores_are_due([] {});
        std::vector<TestRecord> kept{{.key = "k", .value = "0" + std::string(220, 'v')}};
        ASSERT_TRUE(append(*log, kept));
        ASSERT_TRUE(log->sync());
        SimDisk& disk = tried.simulation->disk;
        const std::uint64_t before = disk.calls();
        disk.fail_call(before + number, code, for_ever);
        static_cast<void>(log->do_chores().has_value());
        const TestRecord next{.key = "k", .value = "1" + std::string(220, 'v')};
        const bool is_appended = append(*log, {next}).has_value();
        const bool has_fired = disk.calls() >= before + number;
        disk.clear_faults();
        if (is_appended) kept.push_back(next);
        EXPECT_EQ(contents(*log), kept);
        PartitionFixture found;
        found.options = fixture.options;
        found.simulation = std::make_unique<Simulation>(number, disk.after_kill());
        log = found.opened();
        ASSERT_NE(log, nullptr);
        EXPECT_EQ(contents(*log), kept);
        if (!has_fired) break;
        ++failed;
      }
    }
  }
  EXPECT_GT(failed, 40u);
}

TEST_F(NextSegmentTest, ACleanStopTakesThemAway) {
  std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  ASSERT_TRUE(log->do_chores());
  const CleanEnd end = log->close().value();
  EXPECT_TRUE(has_no_next_files());
  log = opened(end);
  EXPECT_EQ(contents(*log).size(), 1u);
}

TEST_F(NextSegmentTest, AnOpeningTakesThemAwayAfterACrash) {
  std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  ASSERT_TRUE(log->do_chores());
  log.reset();
  EXPECT_TRUE(has_next_files());
  log = opened();
  EXPECT_TRUE(has_no_next_files());
  EXPECT_EQ(contents(*log).size(), 1u);
}

TEST_F(NextSegmentTest, WhatIsCutGrowsNoMore) {
  const std::unique_ptr<PartitionLog> log = opened();
  append_half(*log);
  append_half(*log);
  ASSERT_TRUE(log->truncate_to(Offset{0}));
  ASSERT_TRUE(log->do_chores()) << "the first segment was full, and is the last one now";
  EXPECT_EQ(fixture.file_size(kFirstLog), 0u);
  append_half(*log);
  EXPECT_EQ(contents(*log).size(), 1u);
}

TEST(NextSegment, FullSegmentsTakeNoMoreRoomThanTheirBytes) {
  const TempDirectory directory;
  PosixPorts ports;
  const std::string path = directory / "topic-0";
  const std::unique_ptr<PartitionLog> log =
      PartitionLog::open(ports.ports(), path, {.segment_bytes = 30'000}, {}, Offset{0}).value();
  log->when_chores_are_due([] {});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(20'000, 'v')}}));
  const auto room = [&](const std::string& name) {
    struct stat status {};
    EXPECT_EQ(::stat((path + "/" + name).c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  ASSERT_GE(room(kFirstLog), kReservedBytesMin) << "nothing is reserved here";
  ASSERT_TRUE(log->do_chores());
  EXPECT_LE(room(kFirstLog), 24'576u) << "20 KB in whole blocks";
  EXPECT_LE(room(segment_file_name(Offset{1}, kLogSuffix)), 24'576u);
  EXPECT_GE(room(segment_file_name(Offset{2}, kLogSuffix)), kReservedBytesMin) << "the one that is written";
  ASSERT_TRUE(log->close());
  EXPECT_LE(room(segment_file_name(Offset{2}, kLogSuffix)), 24'576u);
}

}  // namespace
}  // namespace lungo::test
