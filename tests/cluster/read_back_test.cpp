#include "client/read_back.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

const TopicPartition kEvents{"events", PartitionId{0}};

class ReadBackTest : public testing::Test {
 protected:
  ReadBackTest() {
    mirror.make_topic({.spec = {.name = "events", .partitions = 1, .streams = true}, .id = {}}).value();
    mirror.start(kEvents, Offset{0}).value();
  }
  void read_to(std::int64_t end) {
    mirror.take(kEvents, {.partition = kEvents, .records = {}, .end = Offset{end}, .error = std::nullopt}).value();
    ports.executor.notify();
  }

  QuietLog quiet;
  TempDirectory directory;
  PosixPorts posix;
  const Ports ports = posix.ports();
  KafkaMirror mirror{open_mirror(directory.path() + "/mirror", "cluster-1", {.ports = &ports}).value()};
  ReadBack read_back{mirror, ports};
};

TEST_F(ReadBackTest, NothingIsWaitedForWhereNothingWasCommitted) { EXPECT_TRUE(read_back.wait(kEvents, 0s)); }

TEST_F(ReadBackTest, WhatWasCommittedIsWaitedFor) {
  read_back.committed(kEvents, Offset{5});
  EXPECT_EQ(to_string(read_back.wait(kEvents, 1ms).error()),
            "timed_out: events-0 is committed up to offset 5, and read back up to 0");
  std::thread reader([this] {
    std::this_thread::sleep_for(20ms);
    read_to(5);
  });
  EXPECT_TRUE(read_back.wait(kEvents, 30s));
  EXPECT_EQ(mirror.reads().ends(kEvents)->committed, Offset{5});
  reader.join();
}

TEST_F(ReadBackTest, KnowsWhatLiesAboveTheMirrorsEnd) {
  read_back.committed(kEvents, Offset{5});
  EXPECT_TRUE(read_back.is_committed_above(kEvents, Offset{4}));
  EXPECT_FALSE(read_back.is_committed_above(kEvents, Offset{5}));
  read_to(5);
  EXPECT_TRUE(read_back.wait(kEvents, 30s));
  EXPECT_FALSE(read_back.is_committed_above(kEvents, Offset{4})) << "the mirror tells";
}

// Or readers would wait for as long as appends come.
TEST_F(ReadBackTest, WhatIsCommittedMeanwhileIsNotWaitedFor) {
  read_back.committed(kEvents, Offset{5});
  std::thread reader([this] {
    std::this_thread::sleep_for(20ms);
    read_back.committed(kEvents, Offset{9});
    read_to(5);
  });
  EXPECT_TRUE(read_back.wait(kEvents, 30s));
  reader.join();
  EXPECT_EQ(read_back.wait(kEvents, 1ms).error(), Errc::timed_out);
}

TEST_F(ReadBackTest, OfATopicThatIsGoneNothingIsWaitedFor) {
  read_back.committed(kEvents, Offset{5});
  read_back.forget("events");
  EXPECT_TRUE(read_back.wait(kEvents, 0s));
}

}  // namespace
}  // namespace lungo::test
