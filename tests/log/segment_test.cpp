// Goal: a segment's files are Kafka's: names, index entries and their promises, as kafka-dump-log checks them.

#include "segment.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/log/partition_fixture.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using namespace test;

TEST(SegmentNames, AreTwentyDigitsAndASuffix) {
  EXPECT_EQ(segment_file_name(Offset{42}, kLogSuffix), "00000000000000000042.log");
  EXPECT_EQ(segment_base("00000000000000000042.log", kLogSuffix), Offset{42});
  for (const char* name : {"42.log", "00000000000000000042.index", "0000000000000000004x.log", "-0000000000000000042.log",
                           "99999999999999999999.log", "00000000000000000042.log.tmp", ""}) {
    EXPECT_EQ(segment_base(name, kLogSuffix), std::nullopt) << name;
  }
}

// What kafka-dump-log demands: an offset entry names the last offset of the batch at its position; a time entry names the last
// offset of the first batch that has this largest time; both ascend; a closed segment's time index ends with its largest time.
TEST(SegmentIndexes, HoldWhatKafkaExpects) {
  PartitionFixture fixture;
  fixture.options.index_interval_bytes = 300;
  Random random{3};
  std::int64_t largest = 0;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 60; ++i) {
      const auto time = static_cast<std::int64_t>(5000 + 20 * i - random.below(300));
      largest = std::max(largest, time);
      ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(random.below(200), 'v'), .time = time},
                                {.key = "k", .value = "second", .time = time - 1}}));
    }
    ASSERT_TRUE(log->close());
  }
  const Bytes log = *read_file(fixture.simulation->disk, fixture.path(kFirstLog), 1 << 20);
  const Bytes offsets = *read_file(fixture.simulation->disk, fixture.path(kFirstIndex), 1 << 20);
  const Bytes times = *read_file(fixture.simulation->disk, fixture.path(kFirstTimeIndex), 1 << 20);
  ASSERT_GT(offsets.size(), 5 * OffsetEntry::kBytes);
  ASSERT_EQ(offsets.size() % OffsetEntry::kBytes, 0u);
  ASSERT_EQ(times.size() % TimeEntry::kBytes, 0u);

  std::int32_t before = 0;
  for (std::size_t at = 0; at < offsets.size(); at += OffsetEntry::kBytes) {
    const OffsetEntry entry = OffsetEntry::load(offsets.data() + at);
    EXPECT_GT(entry.relative_offset, before);
    before = entry.relative_offset;
    const Result<BatchHeader> batch = verify_batch(BytesView{log}.subspan(static_cast<std::size_t>(entry.position)));
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->end_offset(), Offset{entry.relative_offset + 1});
  }

  std::int64_t earlier = 0;
  for (std::size_t at = 0; at < times.size(); at += TimeEntry::kBytes) {
    const TimeEntry entry = TimeEntry::load(times.data() + at);
    EXPECT_GT(entry.timestamp, earlier);
    earlier = entry.timestamp;
    BytesView rest{log};
    Result<BatchHeader> batch = verify_batch(rest);
    while (batch->end_offset() <= Offset{entry.relative_offset}) {
      EXPECT_LT(batch->max_timestamp.time_since_epoch().count(), entry.timestamp);
      rest = rest.subspan(batch->size_bytes());
      batch = verify_batch(rest);
      ASSERT_TRUE(batch);
    }
    EXPECT_EQ(batch->end_offset(), Offset{entry.relative_offset + 1});
    EXPECT_EQ(batch->max_timestamp.time_since_epoch().count(), entry.timestamp);
  }
  EXPECT_EQ(earlier, largest);
}

TEST(SegmentAppend, AFailedWriteLeavesTheFileAsItWas) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, {{.key = "a", .value = "1"}}));
  const std::uint64_t size = fixture.file_size(kFirstLog);
  fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, Errc::io);
  EXPECT_EQ(append(*log, {{.key = "b", .value = "2"}}).error(), Errc::io);
  EXPECT_EQ(fixture.file_size(kFirstLog), size);
  EXPECT_TRUE(append(*log, {{.key = "c", .value = "3"}}));
}

TEST(SegmentAppend, WhenCuttingBackFailsTooThePartitionFails) {
  PartitionFixture fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append(*log, {{.key = "a", .value = "1"}}));
  fixture.simulation->disk.fail_step(fixture.simulation->disk.steps() + 1, Errc::io, true);
  EXPECT_EQ(append(*log, {{.key = "b", .value = "2"}}).error(), Errc::partition_failed);
  EXPECT_EQ(append(*log, {{.key = "c", .value = "3"}}).error(), Errc::partition_failed);
  EXPECT_EQ(contents(*log).size(), 1u);
}

/// A system without a descriptor for the first log's file, as long as that is wanted; it was closed by then.
class Crowded final : public ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Result<std::unique_ptr<File>> file = ForwardingStorage::open(path, mode);
    return file && path.ends_with(kFirstLog) ? std::make_unique<LogFile>(*this, std::move(*file)) : std::move(file);
  }

  bool is_crowded = false;
  bool writes_half = false;  // and no descriptor is left then

 private:
  class LogFile final : public ForwardingFile {
   public:
    LogFile(Crowded& system, std::unique_ptr<File> beneath) : ForwardingFile(std::move(beneath)), system_(system) {}
    Result<void> write_at(std::uint64_t position, BytesView bytes) override {
      if (system_.writes_half) {
        EXPECT_TRUE(ForwardingFile::write_at(position, bytes.first(bytes.size() / 2)));
        system_.is_crowded = true;
      }
      return system_.is_crowded ? no_descriptor() : ForwardingFile::write_at(position, bytes);
    }
    Result<void> truncate(std::uint64_t size) override {
      return system_.is_crowded ? no_descriptor() : ForwardingFile::truncate(size);
    }
    Result<std::uint64_t> size() override {
      return system_.is_crowded ? Result<std::uint64_t>{no_descriptor().error()} : ForwardingFile::size();
    }

   private:
    static Result<void> no_descriptor() { return Error{Errc::io, "Too many open files"}; }
    Crowded& system_;
  };
};

TEST(SegmentAppend, WithoutADescriptorItFailsAloneAndIsCutBackLater) {
  for (const bool writes_half : {false, true}) {
    for (const bool rolls : {false, true}) {
      SCOPED_TRACE(testing::Message() << "half " << writes_half << ", rolls " << rolls);
      PartitionFixture fixture;
      const Ports real = fixture.simulation->ports();
      Crowded system{real.storage};
      const auto log =
          PartitionLog::open({system, real.clock, real.executor, real.random}, fixture.directory, {}, {}, Offset{0}).value();
      ASSERT_TRUE(append(*log, {{.key = "a", .value = "1"}}));
      const std::uint64_t size = fixture.file_size(kFirstLog);
      system.is_crowded = !writes_half;
      system.writes_half = writes_half;
      EXPECT_EQ(append(*log, {{.key = "b", .value = std::string(500, 'v')}}).error(), Errc::io);
      EXPECT_EQ(append(*log, {{.key = "b", .value = std::string(500, 'v')}}).error(), Errc::io);
      EXPECT_EQ(fixture.file_size(kFirstLog) > size, writes_half);
      EXPECT_FALSE(log->roll()) << "behind half a batch nothing may follow";
      system.is_crowded = system.writes_half = false;
      if (rolls) {
        ASSERT_TRUE(log->roll());
      }
      ASSERT_TRUE(append(*log, {{.key = "c", .value = "3"}}));
      const std::vector<TestRecord> expected{{.key = "a", .value = "1"}, {.key = "c", .value = "3"}};
      EXPECT_EQ(contents(*log), expected);
      ASSERT_TRUE(log->close());
      EXPECT_EQ(contents(*fixture.opened()), expected);
      EXPECT_TRUE(fixture.opened()->damage().empty());
    }
  }
}

// A read takes in several batches: the good ones before a damaged one are served, and the next read names the damage.
TEST(SegmentRead, WhatLiesBeforeDamageIsServed) {
  PartitionFixture fixture;
  std::uint64_t third = 0;
  CleanEnd clean{};
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 4; ++i) {
      if (i == 2) third = fixture.file_size(kFirstLog);
      ASSERT_TRUE(append(*log, {{.key = "k", .value = std::to_string(i)}}));
    }
    clean = log->close().value();
  }
  for (const std::uint64_t byte : {third + 16, third + 20, third + kBatchHeaderBytes + 3}) {  // magic, CRC, record
    SCOPED_TRACE(byte);
    const auto log = fixture.opened(clean);  // what it appended by itself is not checked again
    fixture.flip(kFirstLog, byte);
    const Result<Fetched> before = log->read(Offset{0}, Offset{4}, 1 << 20, {}, {});
    ASSERT_TRUE(before) << before.error();
    EXPECT_EQ(before->next().offset, Offset{2});
    const Result<Fetched> damaged = log->read(Offset{2}, Offset{4}, 1 << 20, {}, {});
    EXPECT_EQ(damaged.error(), Errc::corrupt);
    EXPECT_NE(damaged.error().text().find("byte " + std::to_string(third)), std::string_view::npos) << damaged.error();
    fixture.flip(kFirstLog, byte);
  }
  EXPECT_EQ(contents(*fixture.opened(clean)).size(), 4u);
}

// Room is reserved behind the end while a segment is written: a sealed one must not keep it.
TEST(SegmentRoom, ASealedSegmentTakesNoMoreBlocksThanItsBytes) {
  const TempDirectory directory;
  const PosixPorts real;
  PartitionOptions options;
  options.segment_bytes = 1u << 20;
  const auto log = PartitionLog::open(real.ports(), directory / "topic-0", options, {}, Offset{0}).value();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*log, {{.key = "k", .value = std::string(100'000, 'v')}}));
  ASSERT_TRUE(log->sync());  // a file system may give blocks only now
  int sealed = 0;
  for (const Offset base : {Offset{0}, Offset{10}}) {
    struct stat status {};
    ASSERT_EQ(::stat((directory / "topic-0/" + segment_file_name(base, kLogSuffix)).c_str(), &status), 0);
    EXPECT_GT(status.st_size, 1'000'000);
    EXPECT_LE(status.st_blocks * 512, status.st_size + 8192);
    ++sealed;
  }
  EXPECT_EQ(sealed, 2);
  EXPECT_EQ(contents(*log).size(), 30u);
}

TEST(EpochHistory, TextIsCheckedLineByLine) {
  EXPECT_EQ(*EpochHistory::parse("0\n2\n0 0\n3 7\n"),
            (std::vector<EpochStart>{{LeaderEpoch{0}, Offset{0}}, {LeaderEpoch{3}, Offset{7}}}));
  EXPECT_EQ(EpochHistory::parse("1\n0\n").error(), Errc::newer_format);
  for (const char* text : {"", "0", "0\n1\n", "0\n1\n3", "0\n2\n3 5\n2 9\n", "0\n2\n3 5\n4 4\n", "0\n1\n-1 0\n", "0\n1\nx y\n",
                           "0\n99999999999999999999\n", "0\n1000000000\n1 1\n"}) {
    EXPECT_EQ(EpochHistory::parse(text).error(), Errc::corrupt) << text;
  }
}

}  // namespace
}  // namespace lungo
