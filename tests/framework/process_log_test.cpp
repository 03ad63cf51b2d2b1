// Processes over logs that fail for a moment, or take their time.
#include <lungo/framework/process.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

/// A log whose appends to some topics wait in a queue of their own, not written yet, while it is told so.
class QueueingLog : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  void append(AppendRequest request, Completion completion) override {
    if (!queueing.contains(request.to.topic)) return MemoryEventLog::append(std::move(request), std::move(completion));
    queue.emplace_back(std::move(request), std::move(completion));
  }
  /// Writes the first append to `topic` that waits, and goes on queueing.
  void write_first(std::string_view topic) {
    const auto found = std::ranges::find_if(queue, [topic](const auto& queued) { return queued.first.to.topic == topic; });
    ASSERT_NE(found, queue.end()) << topic;
    auto [request, completion] = std::move(*found);
    queue.erase(found);
    MemoryEventLog::append(std::move(request), std::move(completion));
  }
  void write_queued() {
    queueing.clear();
    for (auto& [request, completion] : std::exchange(queue, {})) {
      MemoryEventLog::append(std::move(request), std::move(completion));
    }
  }
  std::set<std::string> queueing;
  std::vector<std::pair<AppendRequest, Completion>> queue;
};

/// A log whose reads of one topic can be made to fail.
class FailingShapes : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
    if (partition.topic == kShapesTopic && failures > 0) {
      --failures;
      return Error{code, "the disk is away"};
    }
    return MemoryEventLog::read(partition, from, bytes_max);
  }
  int failures = 0;
  Errc code = Errc::timed_out;
};

TEST(ProcessReads, ShapesThatCantBeReadForAMomentParkNothing) {
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<FailingShapes>(simulation.ports());
  EventStore writer{log};
  EventStore store{log};
  ASSERT_TRUE(writer.stream_topic("hits", 1));
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  ASSERT_TRUE(writer.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
  log->failures = 3;
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(process.status().parked, 0);
  EXPECT_EQ(process.status().counts.outputs, 1);
}

TEST(ProcessRestart, AnAppendOfTheEarlierRunIsAwaited) {
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<QueueingLog>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("hits", 1));
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  log->queueing = {"sessions"};
  ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
  simulation.executor.run_due();
  ASSERT_EQ(log->queue.size(), 1u);
  EXPECT_EQ(process.stop(1s).error(), Errc::timed_out);
  for (int restart = 0; restart < 2; ++restart) {
    ASSERT_TRUE(process.start());
    simulation.executor.run_due();
    EXPECT_EQ(log->queue.size(), 1u) << "what is on its way is not written again";
    static_cast<void>(process.stop(1s));
  }
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  log->write_queued();
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(outputs_in<StoredSessions>(*log, 0).size(), 1u);
}

/// What a gate takes from its visitors.
struct Paid {
  std::int64_t cents = 0;
};
struct Pay {
  std::int64_t cents = 0;
};
struct Purse {
  using Events = lungo::events<Paid>;
  static constexpr std::string_view topic = "purses";
  struct State {
    std::int64_t cents = 0;
  };
  static void evolve(State& s, const Paid& e) { s.cents += e.cents; }
  static Paid decide(const State&, const Pay& c) { return {c.cents}; }
};
/// Answers every hit; only "/toll" costs something.
struct Gate {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  static constexpr std::string_view output_topic = "sessions";
  using Emits = lungo::events<SessionStarted>;
  struct State {};
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State&, const Hit&) {}
  static void react(const State&, const Hit& hit, Actions& actions) {
    actions.emit(SessionStarted{hit.visitor, hit.page});
    if (hit.page == "/toll") actions.send<Purse>(hit.visitor, Pay{10});
  }
};

TEST(ProcessCheckpoint, WhatWasWrittenBehindItIsNotBelowItsOutputEnd) {
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<QueueingLog>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("hits", 1));
  {
    Process<Gate> process{store};
    ASSERT_TRUE(process.start());
    simulation.executor.run_due();
    simulation.clock.advance(2s);  // a checkpoint is due with the next input
    log->queueing = {"sessions", "purses"};
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
    simulation.executor.run_due();
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/toll"}));
    simulation.executor.run_due();
    for (const std::string_view topic : {"sessions", "sessions", "purses"}) {
      log->write_first(topic);
      simulation.executor.run_due();
    }
    log->write_queued();
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
    simulation.executor.run_due();
    log->hold_commits();  // the next checkpoint is lost
    static_cast<void>(process.stop(1s));
    log->crash();
    log->commit_held();
  }
  Process<Gate> process{store};
  ASSERT_TRUE(process.start());
  const Result<void> caught_up = process.catch_up(60s);
  ASSERT_TRUE(caught_up) << caught_up.error();
  EXPECT_EQ(process.status().counts.inputs, 2) << "the checkpoint lies behind the first of three";
  EXPECT_EQ(process.status().counts.repeated, 2);
  EXPECT_EQ(outputs_in<Gate>(*log, 0), recomputed<Gate>(*log, 0));
  EXPECT_EQ(Aggregates<Purse>{store}.load("ada").value().state.cents, 10);
}

/// Throws for the page "/throws", behind the timers that such a hit made due.
struct Throwing : StoredSessions {
  static void react(const State& s, const Hit& hit, Actions& actions) {
    if (hit.page == "/throws") throw std::runtime_error("no session for /throws");
    Sessions::react(s, hit, actions);
  }
  static void react(const State& s, const Timeout& timeout, Actions& actions) { Sessions::react(s, timeout, actions); }
};

TEST(ProcessParking, TimersThatAParkedInputMadeDueFireOnce) {
  constexpr int kVisitors = 50;
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("hits", 1));
  const auto hit = [&](const std::string& visitor, std::string_view page, Timestamp time) {
    AppendOptions options;
    options.meta.time = time;
    options.meta.lane = "import";  // no clock fires its timers
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", visitor), Hit{visitor, std::string(page)}, options));
  };
  for (int visitor = 0; visitor < kVisitors; ++visitor) hit("v" + std::to_string(visitor), "/", at(0min));
  hit("eve", "/throws", at(60min));
  const auto expect_all_ended_once = [&] {
    std::set<std::string> ids;
    int ended = 0;
    for (const Output& output : outputs_in<Throwing>(*log, 0)) {
      EXPECT_TRUE(ids.insert(output.id).second) << output.id;
      if (output.type == event_name<SessionEnded>()) ++ended;
    }
    EXPECT_EQ(ended, kVisitors);
  };
  {
    Process<Throwing> process{store, {.checkpoint_interval = 1h, .pending_bytes_max = 1000}};
    ASSERT_TRUE(process.start());
    ASSERT_TRUE(process.catch_up(60s));
    EXPECT_EQ(process.status().parked, 1);
    EXPECT_EQ(process.status().unmatched, 0);
    expect_all_ended_once();
    hit("zoe", "/", at(61min));
    ASSERT_TRUE(process.catch_up(60s));
    expect_all_ended_once();
    log->hold_commits();  // its last checkpoint is lost
    static_cast<void>(process.stop(1s));
    log->crash();
    log->commit_held();
  }
  Process<Throwing> process{store, {.pending_bytes_max = 1000}};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(process.status().unmatched, 0) << "a restart that skips it from the first computes the same";
  EXPECT_EQ(process.status().counts.late, 0);
  expect_all_ended_once();
}

}  // namespace process_tests
