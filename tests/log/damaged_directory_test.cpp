// Goal: one partition with damage keeps none beside it from working, for the writer and for readers in other processes.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/log_lines.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

const TopicPartition kBad{"bad", PartitionId{0}};
const TopicPartition kGood{"good", PartitionId{0}};
const std::string kBadLog = "/data/bad-0/00000000000000000000.log";

/// A directory with five records of one batch each in both topics, killed.
struct Directory {
  Directory() {
    auto log = opened();
    for (const TopicPartition& partition : {kBad, kGood}) {
      EXPECT_TRUE(log->create_topic({.name = partition.topic, .partitions = 1}));
      for (int i = 0; i < 5; ++i) {
        sizes.push_back(partition == kBad && i > 0 ? *machine->disk.open(kBadLog, OpenMode::read).value()->size() : 0);
        EXPECT_TRUE(append_wait(*log, append_of(partition, "k", std::to_string(i))));
      }
    }
    std::unique_ptr<SimDisk> killed = machine->disk.after_kill();
    log.reset();
    machine = std::make_unique<Simulation>(1, std::move(killed));
  }

  std::shared_ptr<EventLog> opened(bool read_only = false) {
    const Ports ports = machine->ports();
    LocalOptions options;
    options.ports = &ports;
    options.read_only = read_only;
    Result<std::shared_ptr<EventLog>> log = open_local("/data", options);
    EXPECT_TRUE(log) << log.error();
    return log ? *log : nullptr;
  }
  void flip(std::uint64_t position) {
    const auto file = machine->disk.open(kBadLog, OpenMode::read_write).value();
    std::byte byte{};
    EXPECT_EQ(*file->read_at(position, {&byte, 1}), 1u);
    byte ^= std::byte{1};
    EXPECT_TRUE(file->write_at(position, {&byte, 1}));
  }

  std::unique_ptr<Simulation> machine = std::make_unique<Simulation>(1);
  std::vector<std::uint64_t> sizes;  // of the bad log, before each of its records
};

std::vector<std::string> values(int begin, int end) {
  std::vector<std::string> all;
  for (int i = begin; i < end; ++i) all.push_back(std::to_string(i));
  return all;
}

void expect_hole_at_two(EventLog& log) {
  ASSERT_EQ(log.damage(kBad).size(), 1u);
  EXPECT_EQ(log.damage(kBad).front().from, Offset{2});
  EXPECT_EQ(log.damage(kBad).front().end, Offset{3});
  EXPECT_TRUE(log.damage(kGood).empty());
  EXPECT_EQ(values_of(log, kGood), values(0, 5));
  EXPECT_EQ(log.read(kBad, Offset{0}, 1 << 20).value().next().offset, Offset{2});
  const Result<Fetched> refused = log.read(kBad, Offset{2}, 1 << 20);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::corrupt);
  EXPECT_NE(refused.error().text().find("offsets [2, 3) are damaged"), std::string_view::npos) << refused.error();
  const Result<Fetched> behind = read_with(log, kBad, Offset{2}, 1 << 20, {.skip_damaged = true});
  ASSERT_TRUE(behind) << behind.error();
  EXPECT_EQ(behind->first(), Offset{3});
  EXPECT_EQ(read_with(log, kBad, Offset{2}, 1 << 20, {}).error(), Errc::corrupt);
  EXPECT_EQ(log.read_back(kBad, Offset{3}, 1).error(), Errc::corrupt);
  EXPECT_EQ(read_back_with(log, kBad, Offset{3}, 1, {.skip_damaged = true})->next().offset, Offset{2});
}

TEST(DamagedDirectory, AHoleIsInNobodysWayButItsReaders) {
  const QuietLog quiet;
  Directory directory;
  directory.flip(directory.sizes[2] + 62);
  const LogLines lines;
  const auto reader_before = directory.opened(true);
  ASSERT_NO_FATAL_FAILURE(expect_hole_at_two(*reader_before));
  for (int opening = 0; opening < 2; ++opening) {
    SCOPED_TRACE(opening);
    const auto log = directory.opened();
    ASSERT_NE(log, nullptr);
    ASSERT_NO_FATAL_FAILURE(expect_hole_at_two(*log));
    const auto reader = directory.opened(true);
    ASSERT_NO_FATAL_FAILURE(expect_hole_at_two(*reader));
    ASSERT_TRUE(append_wait(*log, append_of(kBad, "k", std::to_string(5 + opening))));
    directory.machine->executor.run_for(std::chrono::milliseconds{200});
    EXPECT_EQ(values_of(*reader, kBad, Offset{3}), values(3, 6 + opening));
    EXPECT_EQ(values_of(*log, kBad, Offset{3}), values(3, 6 + opening));
    EXPECT_EQ(values_of(*reader_before, kBad, Offset{3}), values(3, 6 + opening));
  }
  EXPECT_GT(lines.count("warning", "offsets [2, 3) are damaged"), 0);
}

TEST(DamagedDirectory, APartitionWhoseEndIsLostRefusesWritesAlone) {
  const SilentLog silent;
  Directory directory;
  directory.flip(directory.sizes[4] + 62);
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = directory.opened();
    ASSERT_NE(log, nullptr);
    ASSERT_EQ(log->damage(kBad).size(), 1u);
    EXPECT_EQ(log->read(kBad, Offset{4}, 1).error(), Errc::corrupt);
    const Result<Appended> refused = append_wait(*log, append_of(kBad, "k", "5"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::partition_failed);
    EXPECT_NE(refused.error().text().find("offsets [4, 5) are damaged"), std::string_view::npos) << refused.error();
    ASSERT_TRUE(append_wait(*log, append_of(kGood, "k", std::to_string(5 + opening))));
    EXPECT_EQ(values_of(*log, kGood), values(0, 6 + opening));
  }
}

TEST(DamagedDirectory, APartitionWhoseEndIsLostIsWrittenToAgainOnceItIsGivenUp) {
  const SilentLog silent;
  Directory directory;
  directory.flip(directory.sizes[4] + 62);
  {
    const auto log = directory.opened();
    ASSERT_EQ(append_wait(*log, append_of(kBad, "k", "5")).error(), Errc::partition_failed);
    const Result<Offset> start = log->delete_records(kBad, Offset{5});
    ASSERT_TRUE(start) << start.error();
    EXPECT_EQ(*start, Offset{5});
    EXPECT_EQ(log->ends(kBad)->start, Offset{5});
    EXPECT_EQ(append_wait(*log, append_of(kBad, "k", "5")).error(), Errc::partition_failed) << "until the next opening";
    directory.machine->executor.run_for(std::chrono::seconds{25});
    EXPECT_EQ(directory.opened(true)->ends(kBad)->start, Offset{5});
  }
  for (int opening = 0; opening < 2; ++opening) {
    const auto log = directory.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_TRUE(log->damage(kBad).empty());
    const Result<Appended> appended = append_wait(*log, append_of(kBad, "k", std::to_string(5 + opening)));
    ASSERT_TRUE(appended) << appended.error();
    EXPECT_EQ(appended->first, Offset{5 + opening});
    EXPECT_EQ(values_of(*log, kBad, Offset{5}), values(5, 6 + opening));
  }
}

// Segments that overlap, and damage: nobody can say which of them is right.
TEST(DamagedDirectory, APartitionThatCannotBeReadAnswersSoAlone) {
  const SilentLog silent;
  Directory directory;
  directory.flip(directory.sizes[4] + 62);
  const Bytes bytes = read_file(directory.machine->disk, kBadLog, 1 << 20).value();
  const auto copy = directory.machine->disk.open("/data/bad-0/00000000000000000001.log", OpenMode::create).value();
  ASSERT_TRUE(copy->write_at(0, bytes));
  for (const bool read_only : {true, false, false}) {
    SCOPED_TRACE(read_only);
    const auto log = directory.opened(read_only);
    ASSERT_NE(log, nullptr);
    const TopicInfo topic = log->topic(kBad.topic).value();
    for (const Result<void>& answer :
         {log->read(kBad, Offset{0}, 1).has_value() ? Result<void>{} : Result<void>{log->read(kBad, Offset{0}, 1).error()},
          log->read_back(kBad, Offset{5}, 1).has_value() ? Result<void>{}
                                                         : Result<void>{log->read_back(kBad, Offset{5}, 1).error()},
          log->validate(kBad.topic, {topic.id, kBad.partition, Offset{1}, LeaderEpoch{1}})}) {
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error(), Errc::corrupt) << answer.error();
    }
    EXPECT_EQ(values_of(*log, kGood), values(0, 5));
    if (!read_only) {
      EXPECT_EQ(append_wait(*log, append_of(kBad, "k", "5")).error(), Errc::partition_failed);
    }
  }
  EXPECT_EQ(read_file(directory.machine->disk, kBadLog, 1 << 20).value(), bytes);
  ASSERT_TRUE(directory.machine->disk.remove("/data/bad-0/00000000000000000001.log"));
  EXPECT_EQ(directory.opened()->damage(kBad).size(), 1u) << "and can be read again";
}

TEST(DamagedDirectory, APartitionThatCannotBeReadHoldsUpNobody) {
  const SilentLog silent;
  Directory directory;
  for (const TopicPartition& partition : {kBad, kGood}) {
    const TopicChange change{.flush_interval = kFlushNever, .segment_bytes = 512, .retention_bytes = 1};
    ASSERT_TRUE(directory.opened()->alter_topic(partition.topic, change));
  }
  directory.flip(directory.sizes[4] + 62);
  const Bytes bytes = read_file(directory.machine->disk, kBadLog, 1 << 20).value();
  const auto copy = directory.machine->disk.open("/data/bad-0/00000000000000000001.log", OpenMode::create).value();
  ASSERT_TRUE(copy->write_at(0, bytes));
  ASSERT_TRUE(directory.machine->disk.remove("/data/lungo.clean-stop"));
  const auto log = directory.opened();
  ASSERT_EQ(log->read(kBad, Offset{0}, 1).error(), Errc::corrupt);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(append_wait(*log, append_of(kGood, "k", std::string(80, 'v'))));
  directory.machine->executor.run_for(std::chrono::seconds{25});
  EXPECT_GT(log->ends(kGood)->start, Offset{0}) << "what is past the limit goes, as ever";
}

}  // namespace
}  // namespace lungo::test
