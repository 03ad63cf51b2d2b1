// Goal: what Kafka's cleaner left when it was interrupted is finished or taken back as its own LogLoader does it, and a crash
// during that loses nothing either.
#include "segment_swap.hpp"

#include <gtest/gtest.h>

#include "segment.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"
#include "tests/log/foreign_batches.hpp"

namespace lungo::test {
namespace {

using Records = std::map<std::int64_t, TestRecord>;

/// Segments 0, 10, 20 and 30 of two records each; the cleaner is about to put 0 (with 11) and 20 in the place of the first
/// three.
struct CleanedLog : PartitionFixture {
  CleanedLog() {
    options.gaps = true;
    EXPECT_TRUE(make_directories_durably(simulation->disk, directory));
    for (const std::int64_t base : {0, 10, 20, 30}) {
      put(segment_file_name(Offset{base}, ".log"), {old_batch(base)});
      for (const char* suffix : {".index", ".timeindex", ".txnindex", ".snapshot"})
        put(segment_file_name(Offset{base}, suffix), {});
    }
  }
  static TestRecord record(std::int64_t offset) { return {"k" + std::to_string(offset), "v"}; }
  static ForeignBatch old_batch(std::int64_t base) {
    return {.base = Offset{base}, .last_delta = 9, .records = {{0, record(base)}, {1, record(base + 1)}}};
  }
  void put(const std::string& name, const std::vector<ForeignBatch>& batches) {
    const auto created = simulation->disk.open(path(name), OpenMode::create);
    ASSERT_TRUE(created);
    EXPECT_TRUE((*created)->write_at(0, encode(batches)));
    EXPECT_TRUE((*created)->sync());
    EXPECT_TRUE(simulation->disk.sync_directory(directory));
  }
  void put_new(const std::string& end) { put_first(end), put_second(end); }
  void put_first(const std::string& end) {
    put(segment_file_name(Offset{0}, ".log" + end), {{.base = Offset{0}, .last_delta = 9, .records = {}},
                                                     {.base = Offset{10}, .last_delta = 9, .records = {{1, record(11)}}}});
    put(segment_file_name(Offset{0}, ".txnindex" + end), {});
    put(segment_file_name(Offset{0}, ".index" + end), {});
  }
  void put_second(const std::string& end) {
    put(segment_file_name(Offset{20}, ".log" + end), {{.base = Offset{20}, .last_delta = 9, .records = {{0, record(20)}}}});
    put(segment_file_name(Offset{20}, ".txnindex" + end), {});
  }
  static Records old_records() {
    Records records;
    for (const std::int64_t base : {0, 10, 20, 30}) {
      for (const std::int64_t offset : {base, base + 1}) records.emplace(offset, record(offset));
    }
    return records;
  }
  static Records new_records() { return {{11, record(11)}, {20, record(20)}, {30, record(30)}, {31, record(31)}}; }
  Records opened_records() {
    const auto log = opened();
    return log ? records_by_offset(*log) : Records{};
  }
  bool has(const std::string& name) { return *simulation->disk.exists(path(name)); }
  bool has_suffixes() {
    return std::ranges::any_of(names(), [](const std::string& name) {
      return name.ends_with(kSwapSuffix) || name.ends_with(kCleanedSuffix) || name.ends_with(kDeletedSuffix);
    });
  }
};

TEST(SegmentSwap, WhatIsBeingCleanedGoes) {
  CleanedLog log;
  log.put_new(".cleaned");
  EXPECT_EQ(log.opened_records(), CleanedLog::old_records());
  EXPECT_FALSE(log.has_suffixes());
}

TEST(SegmentSwap, AnExchangeCountsWhenNothingOfCleanedIsLeft) {
  CleanedLog log;
  log.put_second(".swap");
  log.put_first(".cleaned");
  EXPECT_EQ(log.opened_records(), CleanedLog::old_records());
  EXPECT_FALSE(log.has_suffixes());

  log.put_new(".swap");
  EXPECT_EQ(log.opened_records(), CleanedLog::new_records());
  EXPECT_FALSE(log.has_suffixes());
  EXPECT_FALSE(log.has(segment_file_name(Offset{10}, ".log")));
  EXPECT_TRUE(log.has(segment_file_name(Offset{0}, ".txnindex")));
  EXPECT_TRUE(log.has(segment_file_name(Offset{20}, ".txnindex")));
  EXPECT_FALSE(log.has(segment_file_name(Offset{10}, ".txnindex")));
  EXPECT_TRUE(log.has(segment_file_name(Offset{30}, ".snapshot")));
}

TEST(SegmentSwap, OneThatIsHalfInPlaceIsFinished) {
  CleanedLog log;
  log.put_new(".swap");
  SimDisk& disk = log.simulation->disk;
  ASSERT_TRUE(remove_segment(disk, log.directory, Offset{10}));
  ASSERT_TRUE(disk.rename(log.path("00000000000000000000.log.swap"), log.path(kFirstLog)));
  EXPECT_EQ(log.opened_records(), CleanedLog::new_records());
  EXPECT_FALSE(log.has_suffixes());
}

TEST(SegmentSwap, WhatIsBeingDeletedGoes) {
  CleanedLog log;
  SimDisk& disk = log.simulation->disk;
  for (const char* suffix : {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}) {
    const std::string name = segment_file_name(Offset{0}, suffix);
    ASSERT_TRUE(disk.rename(log.path(name), log.path(name + ".deleted")));
  }
  const auto opened = log.opened();
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->start(), Offset{10});
  EXPECT_FALSE(log.has_suffixes());
}

TEST(SegmentSwap, ASwapThatIsNotWholeIsRefusedAndNothingChanges) {
  CleanedLog log;
  log.put_new(".swap");
  log.flip("00000000000000000020.log.swap", 70);
  const std::vector<std::string> before = log.names();
  const auto refused = log.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::corrupt);
  EXPECT_NE(refused.error().text().find("00000000000000000020.log.swap"), std::string_view::npos) << refused.error();
  EXPECT_EQ(log.names(), before);
}

// Where it ends decides which segments go, and is under no CRC.
TEST(SegmentSwap, ASwapThatIsNotAsItsDigestSaysIsRefusedAndNothingChanges) {
  for (const bool read_only : {false, true}) {
    CleanedLog log;
    log.put_new(".swap");
    log.put("00000000000000000020.digest.swap", {});
    const std::unique_ptr<File> file =
        *log.simulation->disk.open(log.path("00000000000000000020.digest.swap"), OpenMode::read_write);
    SegmentDigest digest{.base = Offset{20}, .end = Offset{30}, .batches = 1, .records = 1};
    ASSERT_TRUE(file->write_at(0, format_digest(digest)));
    const std::vector<std::string> before = log.names();
    log.options.read_only = read_only;
    const auto refused = log.open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::corrupt);
    EXPECT_NE(refused.error().text().find("00000000000000000020.log.swap"), std::string_view::npos) << refused.error();
    EXPECT_EQ(log.names(), before);

    digest.base = Offset{10};  // a bad one says nothing
    ASSERT_TRUE(file->write_at(0, format_digest(digest)));
    EXPECT_EQ(log.opened_records(), CleanedLog::new_records());
  }
}

TEST(SegmentSwap, AReaderChangesNothing) {
  CleanedLog log;
  log.put_second(".swap");
  log.put_first(".cleaned");
  log.options.read_only = true;
  const std::vector<std::string> before = log.names();
  EXPECT_EQ(log.opened_records(), CleanedLog::old_records());
  EXPECT_EQ(log.names(), before);

  log.put_new(".swap");
  for (const char* name :
       {"00000000000000000000.log.cleaned", "00000000000000000000.index.cleaned", "00000000000000000000.txnindex.cleaned"}) {
    ASSERT_TRUE(log.simulation->disk.remove(log.path(name)));
  }
  const std::vector<std::string> waiting = log.names();
  EXPECT_EQ(log.opened_records(), CleanedLog::new_records()) << "the exchange counts, whoever finishes it";
  EXPECT_EQ(log.names(), waiting);
}

TEST(SegmentSwap, APartitionsSnapshotGoesWithItsSegment) {
  CleanedLog log;
  ASSERT_TRUE(remove_segment(log.simulation->disk, log.directory, Offset{10}));
  for (const char* suffix : {".log", ".index", ".timeindex", ".txnindex", ".snapshot"}) {
    EXPECT_FALSE(log.has(segment_file_name(Offset{10}, suffix))) << suffix;
    EXPECT_TRUE(log.has(segment_file_name(Offset{20}, suffix))) << suffix;
  }
}

// Around every step, with any of the unsynced renames and removals lost.
TEST(SegmentSwap, APowerCutDuringTheExchangeLosesNothing) {
  for (const bool counts : {true, false}) {
    CleanedLog log;
    log.put_second(".swap");
    log.put_first(counts ? ".swap" : ".cleaned");
    log.put("00000000000000000005.log.deleted", {});
    std::vector<std::unique_ptr<SimDisk>> survivors;
    const auto look = [&](const DiskStep& step) {
      log.simulation->disk.for_each_survivor(200, step.number,
                                             [&](std::unique_ptr<SimDisk> disk) { survivors.push_back(std::move(disk)); });
    };
    log.simulation->disk.on_step(look);
    log.simulation->disk.after_step(look);
    const Result<void> done = finish_swaps(log.simulation->disk, log.directory);
    log.simulation->disk.on_step({});
    log.simulation->disk.after_step({});
    ASSERT_TRUE(done) << done.error();
    EXPECT_GT(survivors.size(), counts ? 100u : 20u);
    for (std::unique_ptr<SimDisk>& survivor : survivors) {
      CleanedLog found;
      found.simulation = std::make_unique<Simulation>(1, std::move(survivor));
      ASSERT_EQ(found.opened_records(), counts ? CleanedLog::new_records() : CleanedLog::old_records());
      ASSERT_FALSE(found.has_suffixes());
      ASSERT_TRUE(found.has(segment_file_name(Offset{20}, ".txnindex")));
    }
  }
}

}  // namespace
}  // namespace lungo::test
