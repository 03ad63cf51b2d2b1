// Goal: on a disk that is full appends are refused with `no_space` and reads go on; when there is room again, appends go on,
// and nothing that was acknowledged is lost. Method: the real log on a small ext4 of its own.
#include <gtest/gtest.h>

#include <fstream>

#include <lungo/log/local_event_log.hpp>

#include "tests/power/ext4_disk.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kDiskBytes = 24u << 20;
constexpr std::size_t kBallastBytes = 4u << 20;
const TopicPartition kPartition{"events", PartitionId{0}};

std::string value_of(std::size_t number) { return std::to_string(number) + std::string(20'000, 'v'); }

class FullDisk : public testing::Test, SilentLog {
 protected:
  FullDisk() {
    disk.format("", "");
    std::ofstream(ballast) << std::string(kBallastBytes, 'b');
    log = open_local(data).value();
    TopicSpec spec;
    spec.name = kPartition.topic;
    spec.partitions = 1;
    spec.segment_bytes = 500'000;
    log->create_topic(spec).value();
  }
  ~FullDisk() override { log.reset(); }

  Result<Appended> append() {
    Result<Appended> done = append_wait(*log, append_of(kPartition, "k", value_of(next)));
    if (done) ++next;
    return done;
  }
  void fill() {
    Result<Appended> done = append();
    while (done) done = append();
    ASSERT_EQ(done.error(), Errc::no_space) << done.error();
  }
  void expect_all() {
    const std::vector<std::string> values = values_of(*log, kPartition);
    ASSERT_EQ(values.size(), next);
    for (std::size_t i = 0; i < next; ++i) ASSERT_EQ(values[i], value_of(i));
  }

  Ext4Disk disk{kDiskBytes};
  const std::string ballast = disk.path() + "/ballast";
  const std::string data = disk.path() + "/data";
  std::shared_ptr<EventLog> log;
  std::size_t next = 0;
};

TEST_F(FullDisk, RefusesAppendsReadsOnAndGoesOnWhenThereIsRoom) {
  fill();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(append().error(), Errc::no_space);
  expect_all();
  ASSERT_TRUE(std::filesystem::remove(ballast));
  for (int i = 0; i < 20; ++i) {
    const Result<Appended> done = append();
    ASSERT_TRUE(done) << done.error();
  }
  expect_all();
  log.reset();
  log = open_local(data).value();
  expect_all();
  ASSERT_TRUE(append());
}

TEST_F(FullDisk, MakesRoomByDeletingItsOldestRecords) {
  fill();
  const Offset half{static_cast<std::int64_t>(next / 2)};
  const Result<Offset> start = log->delete_records(kPartition, half);
  ASSERT_TRUE(start) << start.error();
  Ports ports = log->ports();
  // The files go in the background, and nobody is told.
  bool has_room = false;
  for (int looks = 0; looks < 500 && !has_room; ++looks) {
    has_room = append().has_value() ||
               ports.executor.wait_until([] { return false; }, ports.clock.monotonic() + std::chrono::milliseconds{20});
  }
  ASSERT_TRUE(has_room);
  ASSERT_GE(log->ends(kPartition)->start, half);
}

TEST_F(FullDisk, IsOpenedAndReadWhileItIsFull) {
  fill();
  log.reset();
  const Result<std::shared_ptr<EventLog>> reader = open_local(data, {.read_only = true});
  ASSERT_TRUE(reader) << reader.error();
  EXPECT_EQ(values_of(**reader, kPartition).size(), next);
  const Result<std::shared_ptr<EventLog>> writer = open_local(data);
  EXPECT_TRUE(writer || writer.error() == Errc::no_space);
  if (writer) log = *writer;
  if (writer) expect_all();
  std::filesystem::remove(ballast);
  if (!writer) log = open_local(data).value();
  expect_all();
  ASSERT_TRUE(append());
}

}  // namespace
}  // namespace lungo::test
