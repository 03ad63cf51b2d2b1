// A process whose application says how far the live clock has come: a backlog is not late, however long the clock has gone on.
#include <gtest/gtest.h>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>
#include "tests/framework/sessions.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {
namespace {

class ProcessLiveTime : public testing::Test {
 protected:
  ProcessLiveTime() {
    EXPECT_TRUE(store.stream_topic("hits", 1));
    simulation.clock.set_wall(at(10h));
    options.live_time = [this] { return live_time(); };
  }
  void hit(std::chrono::minutes time) {
    AppendOptions append;
    append.meta.time = at(time);
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}, append));
  }
  // "start" and the pages of the sessions that ended, in order.
  std::vector<std::string> outputs() {
    EventDecoder decoder{store.shapes()};
    decoder.add<SessionStarted>();
    decoder.add<SessionEnded>();
    std::vector<std::string> found;
    const TopicInfo topic = store.topic("sessions").value();
    PartitionReader reader{*log, topic, {topic.id, PartitionId{0}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) {
      const Decoded decoded = decoder.decode(*envelope).value();
      if (envelope->type == event_name<SessionStarted>()) found.push_back("start");
      if (envelope->type == event_name<SessionEnded>())
        found.push_back(std::to_string(static_cast<const SessionEnded*>(decoded.event)->pages));
    }
    return found;
  }

  test::Simulation simulation{1};
  std::shared_ptr<test::MemoryEventLog> log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  EventStore store{log};
  std::function<std::optional<Timestamp>()> live_time;
  ProcessOptions options;
};

using Outputs = std::vector<std::string>;

TEST_F(ProcessLiveTime, BacklogThatComesInPiecesIsNotLate) {
  std::optional<Timestamp> time;
  live_time = [&] { return time; };
  Process<StoredSessions> process{store, options};
  ASSERT_TRUE(process.start());
  for (const std::chrono::minutes minute : {0min, 10min, 20min, 60min, 70min}) {
    hit(minute);
    simulation.executor.run_for(5s);  // all that there is is handled, and the clock says it is long over
  }
  EXPECT_EQ(process.status().counts.late, 0);
  EXPECT_EQ(outputs(), (Outputs{"start", "3", "start"}));

  // It comes to the present: the clock goes on within about a second, without an input that wakes anyone.
  time = at(10h);
  simulation.executor.run_for(2s);
  EXPECT_EQ(outputs(), (Outputs{"start", "3", "start", "2"}));
  ASSERT_TRUE(process.stop());
}

TEST_F(ProcessLiveTime, TimeGoesNoFurtherThanIsTold) {
  live_time = [] { return at(80min); };
  Process<StoredSessions> process{store, options};
  ASSERT_TRUE(process.start());
  hit(60min);
  simulation.executor.run_for(5s);
  hit(70min);  // its session ends at 101 min, by the allowed lateness
  live_time = [] { return at(101min) - 1ms; };
  simulation.executor.run_for(1h);
  EXPECT_EQ(outputs(), (Outputs{"start"}));
  live_time = [] { return at(101min); };
  simulation.executor.run_for(2s);
  EXPECT_EQ(outputs(), (Outputs{"start", "2"}));
  EXPECT_EQ(process.status().counts.late, 0);
  ASSERT_TRUE(process.stop());
}

// The last of the backlog is committed, then the time is told: between the process's look at the log and its look at the time.
TEST_F(ProcessLiveTime, WhatWasCommittedBeforeTheTimeWasToldIsHandledFirst) {
  bool open = false;
  live_time = [&]() -> std::optional<Timestamp> {
    if (!open) return std::nullopt;
    EventBatch last = store.batch("hits").value();
    EventMeta meta;
    meta.time = at(20min);
    if (outputs() == Outputs{"start"} && log->ends({"hits", PartitionId{0}}).value().committed == Offset{1}) {
      EXPECT_TRUE(last.add("Visitor-ada", Hit{"ada", "/"}, meta));
      store.append(std::move(last), [](const auto& commits) { EXPECT_TRUE(commits); });
    }
    return at(10h);
  };
  Process<StoredSessions> process{store, options};
  ASSERT_TRUE(process.start());
  hit(0min);
  simulation.executor.run_for(1s);
  open = true;
  simulation.executor.run_for(3s);
  EXPECT_EQ(outputs(), (Outputs{"start", "2"})) << "one session of two hits";
  EXPECT_EQ(process.status().counts.late, 0);
  ASSERT_TRUE(process.stop());
}

}  // namespace
}  // namespace process_tests
