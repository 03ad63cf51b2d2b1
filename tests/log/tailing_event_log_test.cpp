// Goal: a reader follows the writers of a directory one after another.
#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

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

}  // namespace
}  // namespace lungo
