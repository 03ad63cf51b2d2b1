#include <lungo/framework/process.hpp>

#include <gtest/gtest.h>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/check.hpp>
#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

/// Charges a visitor's account for each hit; refuses nothing, but "broke" can't pay.
struct Charged {
  std::int64_t cents = 0;
};
struct Charge {
  std::int64_t cents = 0;
};
struct Bill {
  using Events = lungo::events<Charged>;
  static constexpr std::string_view topic = "bills";
  struct State {
    std::int64_t cents = 0;
  };
  static void evolve(State& s, const Charged& e) { s.cents += e.cents; }
  static Charged decide(const State& s, const Charge& c) {
    if (c.cents < 0) throw std::runtime_error("no charge is negative");
    if (s.cents + c.cents > 300) throw rejected("over the limit");
    return {c.cents};
  }
};
struct Billing {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  struct State {};
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State&, const Hit&) {}
  static Actions react(const State&, const Hit& hit) {
    if (hit.page == "/throws") throw std::runtime_error("no price for /throws");
    if (hit.page == "/throws-oddly") throw 1;
    Actions actions;
    actions.send<Bill>(hit.visitor, Charge{100});
    return actions;
  }
};

/// Charges for each hit, and says when it has not been charged for ten minutes; the decider has no price for "/bug".
struct Tolls {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  static constexpr std::string_view output_topic = "sessions";
  struct Quiet {};
  using Timers = lungo::events<Quiet>;
  using Emits = lungo::events<SessionStarted, SessionEnded>;
  struct State {
    std::int32_t hits = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit&) { ++s.hits; }
  static void react(const State&, const Hit& hit, Actions& actions) {
    actions.emit(SessionStarted{hit.visitor, hit.page}).send<Bill>(hit.visitor, Charge{hit.page == "/bug" ? -1 : 10});
    actions.after<Quiet>(10min);
  }
  static void react(const State& s, const Quiet&, Actions& actions) {
    actions.emit(SessionEnded{std::string(actions.key()), s.hits}).close();
  }
};

/// Its timer sends a command that its decider throws for.
struct Overdue {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  struct Due {};
  using Timers = lungo::events<Due>;
  struct State {
    bool set = false;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit&) { s.set = true; }
  static void react(const State&, const Hit&, Actions& actions) { actions.after<Due>(10s); }
  static void react(const State&, const Due&, Actions& actions) { actions.send<Bill>(actions.key(), Charge{-1}).close(); }
};

/// Emits SessionStarted, which its Emits lack, for a visitor's first hit.
struct StoredUndeclared : StoredSessions {
  using Emits = lungo::events<SessionEnded>;
};

/// Decider and process in one topic, so that what the commands became lies among the process's own outputs.
struct SharedBill : Bill {
  static constexpr std::string_view topic = "hits";
};
struct SharedBilling : Billing {
  static Actions react(const State&, const Hit& hit) {
    Actions actions;
    actions.send<SharedBill>(hit.visitor, Charge{100});
    return actions;
  }
};

/// Its timer throws what is no std::exception.
struct Alarm {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  struct Ring {};
  using Timers = lungo::events<Ring>;
  struct State {
    bool set = false;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit&) { s.set = true; }
  static void react(const State&, const Hit&, Actions& actions) { actions.after<Ring>(10s); }
  static void react(const State&, const Ring&, Actions&) { throw 1; }
};

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : log(std::make_shared<test::MemoryEventLog>(simulation.ports())), store(log) {
    EXPECT_TRUE(store.stream_topic("hits", 2));
    simulation.clock.set_wall(at(0min));
  }
  void hit(std::string_view visitor, std::string_view page = "/") {
    AppendOptions options;
    options.meta.time = simulation.clock.now();
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", visitor), Hit{std::string(visitor), std::string(page)}, options));
  }
  std::vector<std::string> outputs() {
    std::vector<std::string> found;
    const TopicInfo topic = store.topic("sessions").value();
    for (std::int32_t partition = 0; partition < 2; ++partition) {
      PartitionReader reader{*log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
      while (const Envelope* envelope = reader.next().value()) {
        if (envelope->type != event_name<ClockAdvanced>())
          found.push_back(std::string(envelope->type) + " " + std::string(envelope->stream));
      }
    }
    return found;
  }

  test::Simulation simulation{1};
  std::shared_ptr<test::MemoryEventLog> log;
  EventStore store;
};

TEST_F(ProcessTest, LiveSessionsEndByTheClock) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  simulation.executor.run_for(10min);
  hit("ada");
  simulation.executor.run_for(30min);
  const std::vector<std::string> started{"SessionStarted Visitor-ada/StoredSessions-ada"};
  EXPECT_EQ(outputs(), started);
  simulation.executor.run_for(2min);
  EXPECT_EQ(outputs(), (std::vector<std::string>{started[0], "SessionEnded Visitor-ada/StoredSessions-ada"}));
  EXPECT_EQ(process.status().open_keys, 0u);
  ASSERT_TRUE(process.stop());
}

TEST_F(ProcessTest, OutputsLieInThePartitionOfTheirInput) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  for (int visitor = 0; visitor < 20; ++visitor) hit("v" + std::to_string(visitor));
  ASSERT_TRUE(process.catch_up(5s));
  const TopicInfo topic = store.topic("sessions").value();
  for (std::int32_t partition = 0; partition < 2; ++partition) {
    PartitionReader reader{*log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) {
      EXPECT_EQ(partition_of_stream(envelope->stream, 2), PartitionId{partition}) << envelope->stream;
    }
  }
}

TEST_F(ProcessTest, ARestartGoesOnWhereItStopped) {
  {
    Process<StoredSessions> process{store};
    ASSERT_TRUE(process.start());
    hit("ada");
    ASSERT_TRUE(process.catch_up(5s));
    ASSERT_TRUE(process.stop());
  }
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(5s));
  EXPECT_EQ(process.status().counts.inputs, 0) << "the checkpoint of the clean stop has it";
  simulation.executor.run_for(35min);
  EXPECT_EQ(outputs().size(), 2u);
}

TEST_F(ProcessTest, OnlyTheLastSecondsAreReadAgainAfterACrash) {
  auto process = std::make_unique<Process<StoredSessions>>(store);
  ASSERT_TRUE(process->start());
  for (int second = 0; second < 30; ++second) {
    hit("ada");
    simulation.executor.run_for(1s);
  }
  log->hold_commits();
  process.reset();  // nothing that it still writes is committed
  log->crash();
  log->commit_held();
  Process<StoredSessions> again{store};
  ASSERT_TRUE(again.start());
  ASSERT_TRUE(again.catch_up(5s));
  EXPECT_LE(again.status().counts.inputs, 3);
  EXPECT_EQ(outputs().size(), 1u);
}

TEST_F(ProcessTest, CommandsReachTheirDecidersOnce) {
  for (int round = 0; round < 3; ++round) {
    Process<Billing> process{store, {.checkpoint_interval = std::chrono::hours{1}}};
    ASSERT_TRUE(process.start());
    hit("ada");
    ASSERT_TRUE(process.catch_up(5s));
    log->hold_commits();  // its last checkpoint is lost: the next round sends the command again
    static_cast<void>(process.stop(1s));
    log->crash();
    log->commit_held();
  }
  Aggregates<Bill> bills{store};
  EXPECT_EQ(bills.load("ada").value().state.cents, 300);
}

TEST_F(ProcessTest, ExecutedCommandsAreNotTakenForItsOwnOutputs) {
  {
    Process<SharedBilling> process{store, {.checkpoint_interval = std::chrono::hours{1}}};
    ASSERT_TRUE(process.start());
    for (int visitor = 0; visitor < 20; ++visitor) hit("v" + std::to_string(visitor));
    ASSERT_TRUE(process.catch_up(5s));
    log->hold_commits();
    static_cast<void>(process.stop(1s));
    log->crash();
    log->commit_held();
  }
  Process<SharedBilling> process{store};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(5s));
  EXPECT_EQ(process.status().commands, 20) << "no checkpoint had them";
  EXPECT_EQ(process.status().unmatched, 0);
  EXPECT_EQ(Aggregates<SharedBill>{store}.load("v7").value().state.cents, 100);
}

TEST_F(ProcessTest, ARefusedCommandIsCountedAndNothingMore) {
  Process<Billing> process{store};
  ASSERT_TRUE(process.start());
  for (int round = 0; round < 5; ++round) hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  EXPECT_EQ(process.status().refused_commands, 2);
  EXPECT_EQ(process.status().commands, 5);
}

TEST_F(ProcessTest, AnInputThatCantBeReadIsParkedOnce) {
  const HeaderView broken{"l.s", as_bytes("no hash")};
  AppendRequest request{
      .to = {"hits", partition_of_stream(StreamId("Visitor", "ada").text(), 2)}, .records = {}, .condition = {}, .since = {}};
  ASSERT_TRUE(request.records.add({simulation.clock.now(), as_bytes("Visitor-ada"), as_bytes("value"), {&broken, 1}}));
  ASSERT_TRUE(append_wait(*log, std::move(request), 5s));
  hit("ada", "/throws");  // for which all is read again, from the checkpoint on
  const test::LogLines lines{"framework"};
  {
    Process<Billing> process{store};
    ASSERT_TRUE(process.start());
    ASSERT_TRUE(process.catch_up(60s));
    EXPECT_EQ(process.status().parked, 2);
  }
  const std::vector<ParkedEvent> parked = parked_events(store, "Billing").value();
  ASSERT_EQ(parked.size(), 2u);
  EXPECT_EQ(lines.count("warning", "Billing parked "), 2);
  EXPECT_EQ(lines.count("warning", "no price for /throws"), 1);
  EXPECT_EQ(static_cast<Errc>(parked[0].error), Errc::undecodable);
  EXPECT_EQ(static_cast<Errc>(parked[1].error), Errc::handler_failed);
}

TEST_F(ProcessTest, ItsErrorGoesWithTheInputThatWasParked) {
  Process<Billing> process{store};
  ASSERT_TRUE(process.start());
  hit("ada", "/throws");
  simulation.executor.run_for(50ms);
  ASSERT_TRUE(process.status().error);
  EXPECT_EQ(*process.status().error, Errc::handler_failed);
  hit("ada");
  ASSERT_TRUE(process.catch_up(60s));
  simulation.executor.run_for(5s);
  EXPECT_EQ(process.status().parked, 1);
  EXPECT_FALSE(process.status().error) << *process.status().error;
}

TEST_F(ProcessTest, AnInputThatKeepsThrowingIsParkedAndStaysParked) {
  {
    Process<Billing> process{store};
    ASSERT_TRUE(process.start());
    hit("ada");
    hit("ada", "/throws");
    hit("ada");
    ASSERT_TRUE(process.catch_up(60s));
    ASSERT_TRUE(process.stop());
  }
  EXPECT_EQ(parked_events(store, "Billing").value().size(), 1u);
  Process<Billing> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(Aggregates<Bill>{store}.load("ada").value().state.cents, 300);
}

TEST_F(ProcessTest, AFullDiskDelaysAndRepeatsNothing) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  ASSERT_TRUE(process.stop());
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  hit("bob");
  log->fail_appends(3, Error{Errc::no_space, "the disk is full"});
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(outputs().size(), 2u);
}

TEST_F(ProcessTest, WhatIsNoStdExceptionIsParkedToo) {
  Process<Billing> process{store};
  ASSERT_TRUE(process.start());
  hit("ada", "/throws-oddly");
  hit("ada");
  ASSERT_TRUE(process.catch_up(60s));
  const std::vector<ParkedEvent> parked = parked_events(store, "Billing").value();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_NE(parked[0].text.find("an exception that is no std::exception"), std::string::npos) << parked[0].text;
  EXPECT_EQ(Aggregates<Bill>{store}.load("ada").value().state.cents, 100);
}

TEST_F(ProcessTest, ATimerThatThrowsAnythingStopsTheProcessWithItsName) {
  Process<Alarm> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  simulation.executor.run_for(2min);
  EXPECT_FALSE(process.status().running);
  ASSERT_TRUE(process.status().error);
  EXPECT_EQ(*process.status().error, Errc::handler_failed);
  EXPECT_EQ(process.status().error->text(), "Alarm for a timer of key ada: an exception that is no std::exception");
}

TEST_F(ProcessTest, ABrokenInvariantStopsItAndIsShown) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  log->on_read([](const TopicPartition&) { check(false, "reads give what was asked for"); });
  hit("bob");
  const Result<void> caught_up = process.catch_up(5s);
  ASSERT_FALSE(caught_up);
  EXPECT_EQ(caught_up.error(), Errc::closed);
  EXPECT_NE(caught_up.error().text().find("reads give what was asked for"), std::string_view::npos) << caught_up.error();
  EXPECT_FALSE(process.status().running);
  EXPECT_EQ(process.status().error, Errc::closed);
  log->on_read({});
  ASSERT_TRUE(process.stop());
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(5s));
  EXPECT_EQ(outputs().size(), 2u) << "it goes on where it stopped";
}

TEST_F(ProcessTest, ALogCutBelowTheCheckpointIsReported) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  ASSERT_TRUE(process.stop());
  log->cut({"hits", partition_of_stream("Visitor-ada", 2)}, Offset{0});
  EXPECT_EQ(process.start().error(), Errc::position_diverged);
}

TEST_F(ProcessTest, OthersWhoAppendAllTheTimeDoNotKeepItFromLoading) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.stop());
  const auto append = [&] {
    EventBatch batch = store.batch("sessions").value();
    for (int user = 0; user < 20; ++user) {
      ASSERT_TRUE(batch.add(StreamId("User", std::to_string(user)), SessionStarted{"eve", "/"}));
    }
    store.append(std::move(batch), [](const Result<std::vector<Commit>>&) {});
  };
  append();
  log->hold_commits();
  append();
  ASSERT_TRUE(process.start());
  for (int round = 0; round < 20; ++round) {
    simulation.executor.run_due();
    log->commit_held(true);
    append();  // when the process looks, something is on its way
  }
  simulation.executor.run_due();
  for (const PartitionLag& lag : process.status().partitions) EXPECT_EQ(lag.next, Offset{0}) << to_string(lag.partition);
}

TEST_F(ProcessTest, ACommandThatKeepsFailingIsParkedAndItsInputStaysFolded) {
  {
    Process<Tolls> process{store, {.checkpoint_interval = std::chrono::hours{1}}};
    ASSERT_TRUE(process.start());
    for (int minute = 0; minute < 40; ++minute) {
      hit("v" + std::to_string(minute % 7), minute == 20 ? "/bug" : "/");
      simulation.executor.run_for(1min);
      simulation.clock.set_wall(at(std::chrono::minutes{minute + 1}));
    }
    ASSERT_TRUE(process.catch_up(60s));
    EXPECT_EQ(process.status().parked, 1);
    log->hold_commits();  // its last checkpoint is lost
    static_cast<void>(process.stop(1s));
    log->crash();
    log->commit_held();
  }
  const std::vector<ParkedEvent> parked = parked_events(store, "Tolls").value();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].attempts, 3);
  EXPECT_TRUE(parked[0].command.ends_with("/s0")) << parked[0].command;
  EXPECT_NE(parked[0].text.find("no charge is negative"), std::string::npos) << parked[0].text;
  Process<Tolls> process{store};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(process.status().unmatched, 0);
  EXPECT_EQ(parked_events(store, "Tolls").value().size(), 1u);
  for (std::int32_t partition = 0; partition < 2; ++partition) {
    EXPECT_EQ(outputs_in<Tolls>(*log, partition), recomputed<Tolls>(*log, partition)) << partition;
  }
  EXPECT_EQ(Aggregates<Bill>{store}.load("v6").value().state.cents, 40) << "the 20th minute was v6's";
}

TEST_F(ProcessTest, ThePolicyStopHoldsForCommandsToo) {
  Process<Tolls> process{store, {.errors = {.retry = {.attempts = 2}, .then = OnFailure::stop}}};
  ASSERT_TRUE(process.start());
  hit("ada", "/bug");
  const Result<void> caught_up = process.catch_up(60s);
  ASSERT_FALSE(caught_up);
  EXPECT_EQ(caught_up.error(), Errc::handler_failed);
  EXPECT_FALSE(process.status().running);
}

TEST_F(ProcessTest, ATimersCommandIsParkedToo) {
  Process<Overdue> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  ASSERT_TRUE(process.catch_up(5s));
  simulation.executor.run_for(3min);
  EXPECT_TRUE(process.status().running);
  EXPECT_EQ(parked_events(store, "Overdue").value().size(), 1u);
  hit("bob");
  EXPECT_TRUE(process.catch_up(5s));
}

TEST_F(ProcessTest, AnInputWhoseReactionEmitsWhatIsNotDeclaredIsParked) {
  Process<StoredUndeclared> process{store};
  ASSERT_TRUE(process.start());
  hit("ada");
  const Result<void> caught_up = process.catch_up(60s);
  ASSERT_TRUE(caught_up) << caught_up.error();
  EXPECT_EQ(parked_events(store, "StoredUndeclared").value().size(), 1u);
}

TEST_F(ProcessTest, TopicsOfDifferentWidthAreRefused) {
  ASSERT_TRUE(store.stream_topic("sessions", 3));
  Process<StoredSessions> process{store};
  EXPECT_EQ(process.start().error(), Errc::invalid_argument);
}

}  // namespace process_tests
