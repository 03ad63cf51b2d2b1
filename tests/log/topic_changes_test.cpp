// Goal: who is told by a change of a topic may call the log.
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
