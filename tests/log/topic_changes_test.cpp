// Goal: who is told by a change of a topic may call the log; and what a change on a full disk leaves can be opened.
#include <gtest/gtest.h>

#include <lungo/log/deadline.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

TEST(TopicChanges, WhoIsToldMayMakeATopic) {
  const SilentLog silent;
  Simulation machine{1};
  const Ports ports = machine.ports();
  const std::shared_ptr<EventLog> log = open_local("/data", {.ports = &ports}).value();
  const TopicPartition events{"events", PartitionId{0}};
  log->create_topic({.name = events.topic, .partitions = 1, .ack_level = AckLevel::isr}).value();
  int made = 0;
  int told = 0;
  for (int i = 0; i < 3; ++i) {  // all but the first are queued
    log->append(append_of(events, "k", std::to_string(i)), [&](const Result<Appended>& appended) {
      EXPECT_TRUE(appended);
      ++told;
      made += log->create_topic({.name = "made-" + std::to_string(told), .partitions = 1}) ? 1 : 0;
    });
  }
  ASSERT_LT(told, 3);
  ASSERT_TRUE(log->alter_topic(events.topic, {.segment_bytes = 4096}));
  EXPECT_EQ(told, 3);
  EXPECT_EQ(made, 3);
}

// Up to a kill a deleted topic is there or gone.
TEST(TopicChanges, ADeletionOnAFullDiskIsWholeOrHasNotBeen) {
  const SilentLog silent;
  const TopicPartition events{"events", PartitionId{0}};
  int there = 0;
  for (std::uint64_t room = 0; room < 1000; room += 10) {
    SCOPED_TRACE(room);
    Simulation machine{1};
    const Ports ports = machine.ports();
    const std::shared_ptr<EventLog> log = open_local("/data", {.ports = &ports}).value();
    log->create_topic({.name = events.topic, .partitions = 1}).value();
    append_wait(*log, append_of(events, "k", "a")).value();
    log->create_topic({.name = "another", .partitions = 3}).value();  // the list without "events" takes more room than the rest
    machine.disk.set_capacity(machine.disk.used_bytes() + room);
    const Result<void> deleted = log->delete_topic(events.topic);
    machine.executor.run_for(std::chrono::seconds{1});
    machine.disk.set_capacity(std::nullopt);  // somebody makes room
    Simulation next{1, machine.disk.after_kill()};
    const Ports next_ports = next.ports();
    const Result<std::shared_ptr<EventLog>> left = open_local("/data", {.ports = &next_ports});
    ASSERT_TRUE(left) << left.error();
    const bool is_there = (*left)->topic(events.topic).has_value();
    there += is_there ? 1 : 0;
    EXPECT_FALSE(deleted && is_there);
    if (is_there) {
      EXPECT_EQ(values_of(**left, events), std::vector<std::string>{"a"});
    }
  }
  EXPECT_GT(there, 0);
}

TEST(LocalOptions, AnIntervalThatIsNoneIsRefused) {
  const SilentLog silent;
  Simulation machine{1};
  const Ports ports = machine.ports();
  for (const Duration interval : {Duration::zero(), Duration{-1}}) {
    EXPECT_EQ(open_local("/data", {.ports = &ports, .compaction_interval = interval}).error(), Errc::invalid_argument);
  }
  const std::shared_ptr<EventLog> log = open_local("/data", {.ports = &ports, .compaction_interval = Duration::max()}).value();
  machine.executor.run_for(std::chrono::seconds{1});
}

TEST(Deadline, IsNeverBeforeNow) {
  const Instant now{std::chrono::hours{5}};
  EXPECT_EQ(deadline_after(now, std::chrono::seconds{1}), now + std::chrono::seconds{1});
  EXPECT_EQ(deadline_after(now, Duration::max()), Instant::max());
  EXPECT_EQ(deadline_after(now, -std::chrono::hours{1}), now - std::chrono::hours{1});
}

}  // namespace
}  // namespace lungo::test
