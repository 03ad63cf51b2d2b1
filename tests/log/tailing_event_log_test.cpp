// Goal: a reader follows the writers of a directory one after another.
#include <gtest/gtest.h>

#include <algorithm>

#include <lungo/log/local_event_log.hpp>

#include "base/property_file.hpp"
#include "tail_page.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using test::append_of;
using test::values_of;

TEST(TailingEventLog, ANewWritersLogIsNotComparedWithTheOldCleanStop) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  options.ports = &ports;
  const TopicPartition partition{"events", PartitionId{0}};
  auto log = open_local("/data", options).value();
  TopicSpec spec;
  spec.name = partition.topic;
  spec.partitions = 1;
  log->create_topic(spec).value();
  append_wait(*log, append_of(partition, "k", "a")).value();
  log.reset();
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  const test::LogLines lines;
  options.read_only = false;
  log = open_local("/data", options).value();  // and appends before the reader looks again
  append_wait(*log, append_of(partition, "k", "b")).value();
  machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, partition), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(lines.count("warning", "clean-stop"), 0) << "the log is as its writer left it";
}

// Whichever read of a look fails: a later look goes on from what is open.
TEST(TailingEventLog, AReadThatFailedOnceHidesNoNewTopicAndNoNewWriter) {
  for (std::uint64_t read = 1; read <= 40; ++read) {
    SCOPED_TRACE(read);
    test::Simulation machine{1};
    const Ports ports = machine.ports();
    LocalOptions options;
    options.ports = &ports;
    const TopicPartition old_topic{"events", PartitionId{0}};
    const TopicPartition new_topic{"more", PartitionId{0}};
    auto log = open_local("/data", options).value();
    log->create_topic({.name = old_topic.topic, .partitions = 1}).value();
    append_wait(*log, append_of(old_topic, "k", "a")).value();
    options.read_only = true;
    const auto reader = open_local("/data", options).value();
    options.read_only = false;
    log.reset();
    log = open_local("/data", options).value();
    log->create_topic({.name = new_topic.topic, .partitions = 1}).value();
    append_wait(*log, append_of(old_topic, "k", "b")).value();
    append_wait(*log, append_of(new_topic, "k", "c")).value();
    machine.disk.fail_read(machine.disk.reads() + read, test::ReadFault::error);
    machine.executor.run_for(std::chrono::milliseconds{200});
    machine.disk.clear_faults();
    EXPECT_EQ(values_of(*reader, old_topic), (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(reader->topic(new_topic.topic));
    EXPECT_EQ(values_of(*reader, new_topic), (std::vector<std::string>{"c"}));
  }
}

// A topic may be made and not be opened: whichever step of it fails, neither the topics that come in between nor the topic
// itself, which comes later, are hidden from readers.
TEST(TailingEventLog, ATopicThatIsOpenedLateHidesNoOther) {
  const TopicPartition late{"late", PartitionId{0}};
  const TopicPartition between{"between", PartitionId{0}};
  int opened_late = 0;
  for (std::uint64_t step = 1; step <= 60; ++step) {
    SCOPED_TRACE(step);
    test::Simulation machine{1};
    const Ports ports = machine.ports();
    LocalOptions options;
    options.ports = &ports;
    const auto log = open_local("/data", options).value();
    machine.disk.fail_step(machine.disk.steps() + step, Errc::io);
    const bool made_at_once = log->create_topic({.name = late.topic, .partitions = 1}).has_value();
    machine.disk.clear_faults();
    log->create_topic({.name = between.topic, .partitions = 1}).value();
    if (!made_at_once && !log->create_topic({.name = late.topic, .partitions = 1})) continue;
    opened_late += made_at_once ? 0 : 1;
    append_wait(*log, append_of(between, "k", "b")).value();
    append_wait(*log, append_of(late, "k", "a")).value();
    options.read_only = true;
    const auto reader = open_local("/data", options).value();
    EXPECT_EQ(values_of(*reader, between), std::vector<std::string>{"b"});
    EXPECT_EQ(values_of(*reader, late), std::vector<std::string>{"a"});
  }
  EXPECT_GT(opened_late, 3);
}

// What is left of a directory when its first topic goes: the others keep their places, in the file and in the page.
TEST(TailingEventLog, ATopicThatIsGoneMovesNoOthersEnd) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  options.ports = &ports;
  const TopicPartition kept{"kept", PartitionId{1}};
  const TopicPartition fresh{"fresh", PartitionId{0}};
  {
    const auto log = open_local("/data", options).value();
    log->create_topic({.name = "gone", .partitions = 3}).value();
    log->create_topic({.name = kept.topic, .partitions = 2}).value();
  }
  Properties topics =
      parse_property_file("topics", 1, "", read_file(machine.disk, "/data/lungo.topics", 1 << 20).value()).value();
  topics.erase(topics.begin(), std::ranges::find(topics, Property{"topic", kept.topic}));
  write_file_atomically(machine.disk, "/data/lungo.topics", as_bytes(format_property_file("topics", 1, topics))).value();

  const auto log = open_local("/data", options).value();
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  log->create_topic({.name = fresh.topic, .partitions = 1}).value();
  append_wait(*log, append_of(kept, "k", "a")).value();
  append_wait(*log, append_of(fresh, "k", "b")).value();
  machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, kept), std::vector<std::string>{"a"});
  ASSERT_TRUE(reader->topic(fresh.topic));
  EXPECT_EQ(values_of(*reader, fresh), std::vector<std::string>{"b"});
  const TailState tail = read_tail(machine.disk, "/data/tail").value();
  ASSERT_EQ(tail.places.size(), 6u);
  EXPECT_EQ(tail.places[0], TailPlace{});
  EXPECT_EQ(tail.places[4], (TailPlace{.start = Offset{0}, .end = Offset{1}}));
  EXPECT_EQ(tail.places[5], (TailPlace{.start = Offset{0}, .end = Offset{1}}));
}

}  // namespace
}  // namespace lungo
