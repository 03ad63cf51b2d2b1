// Goal: a process goes on in a copy of its log as if nothing had been copied. Two logs get the same inputs after the copy; what
// the process writes in both must be the same but for the ids, and no id may come twice.
#include <lungo/framework/moved_checkpoints.hpp>

#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>
#include "framework/process_checkpoint.hpp"
#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

struct Receipt {
  std::string visitor;
};
struct CashIn {
  std::string visitor;
};
struct Till {
  using Events = lungo::events<Receipt>;
  static constexpr std::string_view topic = "till";
  struct State {
    std::int32_t times = 0;
  };
  static void evolve(State& s, const Receipt&) { ++s.times; }
  static Receipt decide(const State&, const CashIn& ring) { return {ring.visitor}; }
};
/// Has each hit paid.
struct Payments {
  using Events = lungo::events<Hit>;
  static constexpr std::string_view topic = "hits";
  static constexpr std::string_view output_topic = "sessions";
  struct State {};
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State&, const Hit&) {}
  static void react(const State&, const Hit& hit, Actions& actions) { actions.send<Till>(hit.visitor, CashIn{hit.visitor}); }
};

const std::set<std::string> kTopics{"hits", "sessions", "till", "__lungo_shapes"};

class LogCopy : public testing::Test {
 protected:
  LogCopy() : from(open_local("from", {.ports = &ports}).value()), to(open_local("to", {.ports = &ports}).value()) {
    simulation.clock.set_wall(at(0min));
    EventStore store{from};
    for (const char* topic : {"hits", "sessions", "till"}) EXPECT_TRUE(store.stream_topic(topic, 2));
  }

  void hit(const std::shared_ptr<EventLog>& log, int visitor, std::chrono::minutes time) {
    EventStore store{log};
    AppendOptions options;
    options.meta.time = at(time);
    const std::string name = "v" + std::to_string(visitor);
    ASSERT_TRUE(store.append("hits", StreamId("Visitor", name), Hit{name, "/"}, options));
  }
  /// For four hours. A visitor's hits lie 42 minutes apart, so each is a session, and seven are open at the end.
  void hits(const std::shared_ptr<EventLog>& log, std::chrono::minutes begin) {
    for (int i = 0; i < 40; ++i) hit(log, i % 7, begin + std::chrono::minutes{6 * i});
  }
  template <class P>
  void run(const std::shared_ptr<EventLog>& log) {
    Process<P> process{EventStore{log}, {.live_time = [] { return std::optional<Timestamp>{}; }}};
    ASSERT_TRUE(process.start());
    const Result<void> caught_up = process.catch_up(5s);
    ASSERT_TRUE(caught_up) << caught_up.error();
    EXPECT_EQ(process.status().unmatched, 0);
    ASSERT_TRUE(process.stop());
  }
  Result<CopyReport> copy() {
    const Result<MovedOffsets> moved = move_checkpoints(from, kTopics);
    if (!moved) return moved.error();
    CopyOptions options{.takes = [](const TopicInfo& topic) { return kTopics.contains(topic.spec.name); }};
    options.marks = moved->marks;
    options.finish = [&](const CopyReport& report) { return moved->finish(to, report); };
    return copy_log(*from, *to, options);
  }
  /// Makes the offsets of the copy smaller than those of the source.
  void trim(const char* topic, std::int64_t below) {
    for (const std::int32_t partition : {0, 1})
      ASSERT_TRUE(from->delete_records({topic, PartitionId{partition}}, Offset{below}));
  }
  Snapshot checkpoint(std::int32_t partition) { return Snapshots{EventStore{from}}.load(key(partition)).value().value(); }
  static std::string key(std::int32_t partition) {
    return process_checkpoint_key({"StoredSessions", {"hits", PartitionId{partition}}});
  }

  test::QuietLog quiet;
  test::Simulation simulation{1};
  const Ports ports = simulation.ports();
  std::shared_ptr<EventLog> from;
  std::shared_ptr<EventLog> to;
};

/// Without their ids.
std::vector<Output> outputs_from(EventLog& log, std::int32_t partition) {
  const TopicPartition sessions{"sessions", PartitionId{partition}};
  std::vector<Output> outputs;
  const TopicInfo topic = log.topic("sessions").value();
  PartitionReader reader{log, topic, {topic.id, sessions.partition, log.ends(sessions)->start, kNoEpoch}};
  while (const Envelope* envelope = reader.next().value()) {
    outputs.push_back(output_of(*envelope));
    outputs.back().id.clear();
  }
  return outputs;
}

std::size_t ids_in(EventLog& log, std::string_view name, std::set<std::string>& ids) {
  std::size_t records = 0;
  const TopicInfo topic = log.topic(name).value();
  for (const std::int32_t partition : {0, 1}) {
    const TopicPartition at{std::string(name), PartitionId{partition}};
    PartitionReader reader{log, topic, {topic.id, at.partition, log.ends(at)->start, kNoEpoch}};
    for (; const Envelope* envelope = reader.next().value(); ++records) ids.emplace(envelope->id);
  }
  return records;
}

TEST_F(LogCopy, AProcessGoesOnAndWritesNothingTwice) {
  for (const std::int64_t trimmed : {0, 9}) {  // as they were, or smaller
    SCOPED_TRACE(trimmed);
    from = open_local("from-" + std::to_string(trimmed), {.ports = &ports}).value();
    to = open_local("to-" + std::to_string(trimmed), {.ports = &ports}).value();
    for (const char* topic : {"hits", "sessions"}) ASSERT_TRUE(EventStore{from}.stream_topic(topic, 2));
    hits(from, 0min);
    run<StoredSessions>(from);
    trim("hits", trimmed);
    trim("sessions", trimmed / 3);
    const Result<CopyReport> copied = copy();
    ASSERT_TRUE(copied) << copied.error();
    for (const std::shared_ptr<EventLog>& log : {from, to}) {
      hits(log, 241min);  // while sessions of before are open
      run<StoredSessions>(log);
    }
    std::size_t count = 0;
    for (const std::int32_t partition : {0, 1}) {
      EXPECT_EQ(outputs_from(*to, partition), outputs_from(*from, partition));
      count += outputs_from(*to, partition).size();
    }
    EXPECT_GT(count, 100U);
    std::set<std::string> ids;
    EXPECT_EQ(ids_in(*to, "sessions", ids), count);
    EXPECT_EQ(ids.size(), count) << "an id came twice";
  }
}

TEST_F(LogCopy, ACommandIsExecutedForEachInputOnce) {
  hits(from, 0min);
  run<Payments>(from);
  trim("hits", 9);
  const Result<CopyReport> copied = copy();
  ASSERT_TRUE(copied) << copied.error();
  hits(to, 241min);
  run<Payments>(to);
  std::set<std::string> ids;
  EXPECT_EQ(ids_in(*to, "till", ids), 80U);
  EXPECT_EQ(ids.size(), 80U);
}

TEST_F(LogCopy, ACopyOfACopyGivesNoIdTwice) {
  hits(from, 0min);
  run<StoredSessions>(from);
  for (int round = 1; round < 4; ++round) {
    trim("hits", 9);
    const Result<CopyReport> copied = copy();
    ASSERT_TRUE(copied) << copied.error();
    from = to;
    to = open_local("to-" + std::to_string(round), {.ports = &ports}).value();
    hits(from, 241min * round);
    run<StoredSessions>(from);
  }
  std::set<std::string> ids;
  const std::size_t count = ids_in(*from, "sessions", ids);
  EXPECT_EQ(ids.size(), count);
}

TEST_F(LogCopy, ASourceThatWasNotStoppedIsRefused) {
  hits(from, 0min);
  run<StoredSessions>(from);
  const Snapshot before[] = {checkpoint(0), checkpoint(1)};
  hits(from, 241min);
  run<StoredSessions>(from);
  Snapshots snapshots{EventStore{from}};  // as if the process had been killed before it wrote the last one
  for (const std::int32_t partition : {0, 1})
    ASSERT_TRUE(snapshots.save_wait(key(partition), {"hits", PartitionId{partition}}, before[partition]));
  const Result<CopyReport> refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::conflict);
  EXPECT_NE(refused.error().text().find("process StoredSessions has written to sessions-0"), std::string_view::npos);
  EXPECT_NE(refused.error().text().find("start and stop the application once"), std::string_view::npos);
  EXPECT_TRUE(to->topics()->empty());
  run<StoredSessions>(from);
  const Result<CopyReport> copied = copy();
  EXPECT_TRUE(copied) << copied.error();
}

TEST_F(LogCopy, WhatWasWrittenWhileItWasCopiedIsRefusedAtTheEnd) {
  hits(from, 0min);
  run<StoredSessions>(from);
  const Result<MovedOffsets> moved = move_checkpoints(from, kTopics);
  ASSERT_TRUE(moved) << moved.error();
  hits(from, 241min);
  run<StoredSessions>(from);
  CopyOptions options{.takes = [](const TopicInfo& topic) { return kTopics.contains(topic.spec.name); }};
  options.marks = moved->marks;
  options.finish = [&](const CopyReport& report) { return moved->finish(to, report); };
  EXPECT_EQ(copy_log(*from, *to, options).error(), Errc::conflict);
}

TEST_F(LogCopy, InputsThatMayHaveLedToCommandsAreRefused) {
  hits(from, 0min);
  run<Payments>(from);
  hit(from, 1, 241min);
  const Result<CopyReport> refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::conflict);
  EXPECT_NE(refused.error().text().find("may have answered with commands what is in hits-"), std::string_view::npos)
      << refused.error();
  run<Payments>(from);
  const Result<CopyReport> copied = copy();
  EXPECT_TRUE(copied) << copied.error();
}

/// As they were before they named their outputs.
struct OldCheckpoint {
  static constexpr std::string_view event_name = "lungo.ProcessPartition";
  std::int64_t output_end = 0;
  std::string core;
};

TEST_F(LogCopy, ACheckpointOfTheFirstFormIsReplacedByAStartAndAStop) {
  hits(from, 0min);
  run<StoredSessions>(from);
  for (const std::int32_t partition : {0, 1}) {
    Snapshot old = checkpoint(partition);
    const ProcessCheckpoint now = parse_process_checkpoint(old.state).value();
    old.state.clear();
    encode(OldCheckpoint{now.output_end, now.core}, old.state);
    ASSERT_TRUE(Snapshots{EventStore{from}}.save_wait(key(partition), {"hits", PartitionId{partition}}, old));
  }
  EXPECT_EQ(copy().error(), Errc::unsupported);
  run<StoredSessions>(from);
  const Result<CopyReport> copied = copy();
  ASSERT_TRUE(copied) << copied.error();
  hits(to, 241min);
  run<StoredSessions>(to);
  std::set<std::string> ids;
  const std::size_t count = ids_in(*to, "sessions", ids);
  EXPECT_EQ(ids.size(), count);
}

TEST_F(LogCopy, ProcessesOfOtherTopicsStayBehind) {
  hits(from, 0min);
  run<StoredSessions>(from);
  EXPECT_EQ(move_checkpoints(from, {"hits"})->count, 0);
  EXPECT_EQ(move_checkpoints(from, {"hits", "sessions"})->count, 2);
  EXPECT_EQ(move_checkpoints(to, kTopics)->count, 0);
}

TEST(ProcessCheckpoints, AreKnownByTheirKeys) {
  const std::optional<ProcessCheckpointName> name = parse_process_checkpoint_key("process/Sessions/events/3");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->process, "Sessions");
  EXPECT_EQ(name->input, (TopicPartition{"events", PartitionId{3}}));
  EXPECT_EQ(process_checkpoint_key(*name), "process/Sessions/events/3");
  for (const char* other : {"decider/Visit/Visit-42", "process/", "process/Sessions", "process/Sessions/3", "process/S/e/x"})
    EXPECT_FALSE(parse_process_checkpoint_key(other)) << other;
}

}  // namespace process_tests
