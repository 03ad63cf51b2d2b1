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

}  // namespace
}  // namespace lungo
