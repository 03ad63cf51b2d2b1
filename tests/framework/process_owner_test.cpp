// Processes of two homes: who runs a partition, and what is written while it goes from one to the other.
//
// Method of the hand-overs: appends are written and answered late, partitions move at random moments, in peace or not, and who
// loses one is told at any time. The outputs must be those that a fresh core computes from the inputs: same ids, same bytes,
// same order, none twice.
#include <gtest/gtest.h>

#include <set>

#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/two_homes.hpp"

namespace process_owner_tests {

using namespace process_tests;

constexpr std::int32_t kPartitions = 3;

TopicPartition input(std::int32_t id) { return {"hits", PartitionId{id}}; }
TopicPartition output(std::int32_t id) { return {"sessions", PartitionId{id}}; }

struct Cluster {
  explicit Cluster(std::uint64_t seed) : simulation(seed), random(seed), homes(simulation.ports()) {
    EXPECT_TRUE(unowned.stream_topic("hits", kPartitions));
    EXPECT_TRUE(unowned.stream_topic("sessions", kPartitions));
    simulation.clock.set_wall(at(0min));
  }
  /// Whoever owns them: an import's lane, so that no clock decides.
  void append_inputs(int count, std::string_view lane = "import") {
    EventBatch batch = unowned.batch("hits").value();
    for (int hit = 0; hit < count; ++hit) {
      const std::string visitor = "v" + std::to_string(random.below(40));
      const Timestamp time = last_hit += std::chrono::seconds{random.below(60)};
      ASSERT_TRUE(batch.add(StreamId("Visitor", visitor), Hit{visitor, "/"}, {.time = time, .lane = lane}));
    }
    ASSERT_TRUE(unowned.append_wait(std::move(batch)));
  }
  std::unique_ptr<Process<StoredSessions>> start(int home, ProcessOptions options = {}) {
    auto process = std::make_unique<Process<StoredSessions>>(EventStore{homes.log(home)}, std::move(options));
    const Result<void> started = process->start();
    EXPECT_TRUE(started) << started.error();
    return process;
  }
  void give(std::int32_t id, int home) {
    homes.give(input(id), home);
    homes.give(output(id), home);
  }
  void take(std::int32_t id, int home) {
    homes.take(input(id), home);
    homes.take(output(id), home);
  }
  void run(Duration span) { simulation.executor.run_for(span); }

  void expect_outputs_of_the_inputs() {
    for (std::int32_t id = 0; id < kPartitions; ++id) {
      const std::vector<Output> got = outputs_in<StoredSessions>(homes.shared(), id);
      EXPECT_EQ(got, recomputed<StoredSessions>(homes.shared(), id)) << "partition " << id;
      std::set<std::string> ids;
      for (const Output& one : got) EXPECT_TRUE(ids.insert(one.id).second) << one.id << " is there twice";
    }
  }

  test::Simulation simulation;
  test::Random random;
  test::TwoHomes homes;
  EventStore unowned{std::shared_ptr<EventLog>(&homes.shared(), [](EventLog*) {})};
  Timestamp last_hit = at(0min);
};

std::vector<std::string> partitions_of(const Process<StoredSessions>& process) {
  std::vector<std::string> names;
  for (const PartitionLag& lag : process.status().partitions) names.push_back(to_string(lag.partition));
  return names;
}

using Names = std::vector<std::string>;

TEST(Process, OnlyTheOwnerRuns) {
  Cluster cluster{1};
  cluster.give(0, 0);
  cluster.give(1, 1);
  cluster.give(2, 0);
  const auto first = cluster.start(0);
  const auto second = cluster.start(1);
  cluster.append_inputs(300);
  ASSERT_TRUE(first->catch_up(5s));
  ASSERT_TRUE(second->catch_up(5s));
  EXPECT_EQ(partitions_of(*first), (Names{"hits-0", "hits-2"}));
  EXPECT_EQ(partitions_of(*second), (Names{"hits-1"}));
  EXPECT_EQ(first->status().counts.inputs + second->status().counts.inputs, 300);
  EXPECT_GT(second->status().counts.inputs, 0);
  EXPECT_EQ(cluster.homes.refused(), 0) << "nobody tries what is another's";
  cluster.expect_outputs_of_the_inputs();
  ASSERT_TRUE(first->stop());
  ASSERT_TRUE(second->stop());
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST(Process, NeedsItsInputAndItsOutput) {
  Cluster cluster{1};
  cluster.append_inputs(100);
  cluster.homes.give(input(0), 0);
  cluster.homes.give(output(0), 1);
  const auto process = cluster.start(0);
  cluster.run(5s);
  EXPECT_EQ(partitions_of(*process), Names{});
  cluster.homes.give(output(0), 0);
  cluster.run(5s);
  EXPECT_EQ(partitions_of(*process), Names{"hits-0"});
  EXPECT_FALSE(outputs_in<StoredSessions>(cluster.homes.shared(), 0).empty());
  cluster.homes.give(input(0), 1);
  EXPECT_EQ(partitions_of(*process), Names{});
}

TEST(Process, CatchesUpWithWhatIsItsOwnAndWaitsForWhatIsNobodys) {
  Cluster cluster{1};
  cluster.append_inputs(100);
  const auto process = cluster.start(0);
  cluster.give(0, 0);
  cluster.give(1, 1);
  const Result<void> waited = process->catch_up(2s);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error(), Errc::timed_out);
  EXPECT_NE(waited.error().text().find("; hits-2, whose end is "), std::string_view::npos) << waited.error();
  EXPECT_EQ(waited.error().text().find("hits-1"), std::string_view::npos) << waited.error();
  cluster.give(2, 0);
  EXPECT_TRUE(process->catch_up(2s));
}

TEST(Process, ClosingWritesACheckpointFromWhichTheNextOwnerGoesOn) {
  Cluster cluster{1};
  cluster.homes.answer_late(1);
  cluster.give(0, 0);
  const auto first = cluster.start(0, {.checkpoint_interval = std::chrono::hours{1}});
  const auto second = cluster.start(1);
  cluster.append_inputs(300);
  cluster.run(1s);
  EXPECT_GT(first->status().counts.inputs, 0);
  cluster.give(0, 1);
  cluster.run(1s);
  EXPECT_EQ(partitions_of(*second), Names{"hits-0"});
  EXPECT_EQ(second->status().counts.inputs, 0) << "nothing is read again";
  EXPECT_EQ(second->status().counts.repeated, 0);
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST(Process, WritesNothingOnceItIsToldThatItHasLost) {
  Cluster cluster{1};
  cluster.give(0, 0);
  const auto first = cluster.start(0, {.checkpoint_interval = 10ms});
  const auto second = cluster.start(1, {.checkpoint_interval = 10ms});
  cluster.append_inputs(100);
  cluster.run(1s);
  cluster.take(0, 1);
  cluster.homes.tell_lost();
  cluster.append_inputs(100);
  cluster.run(5s);
  EXPECT_EQ(cluster.homes.refused(), 0);
  EXPECT_EQ(partitions_of(*first), Names{});
  EXPECT_EQ(partitions_of(*second), Names{"hits-0"});
  ASSERT_TRUE(first->stop());
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST(Process, WaitsForOwnershipWhereAnAppendIsRefused) {
  Cluster cluster{1};
  cluster.give(0, 0);
  const auto process = cluster.start(0, {.errors = {.retry = {.attempts = 1}, .then = OnFailure::stop}});
  cluster.run(1s);
  cluster.take(0, 1);  // which it is not told
  cluster.append_inputs(100);
  cluster.run(30s);
  EXPECT_GT(cluster.homes.refused(), 1);
  ASSERT_TRUE(process->status().running);
  EXPECT_EQ(process->status().error, Errc::not_owner);
  cluster.give(0, 0);
  cluster.run(30s);
  EXPECT_EQ(partitions_of(*process), Names{"hits-0"});
  EXPECT_FALSE(process->status().error) << *process->status().error;
  EXPECT_EQ(outputs_in<StoredSessions>(cluster.homes.shared(), 0), recomputed<StoredSessions>(cluster.homes.shared(), 0));
  EXPECT_TRUE(parked_events(cluster.unowned, "StoredSessions").value().empty());
}

TEST(Process, WaitsForOwnershipWhereAReadIsRefused) {
  Cluster cluster{1};
  cluster.homes.read_own_only();
  cluster.give(0, 0);
  const auto process = cluster.start(0);
  cluster.run(1s);
  cluster.take(0, 1);
  cluster.append_inputs(100);
  cluster.run(5s);
  ASSERT_TRUE(process->status().running);
  EXPECT_EQ(process->status().error, Errc::not_owner);
  cluster.give(0, 0);
  cluster.run(30s);
  EXPECT_EQ(outputs_in<StoredSessions>(cluster.homes.shared(), 0), recomputed<StoredSessions>(cluster.homes.shared(), 0));
}

/// Throws for what it is told to park; which is another's by then.
struct Refusing : StoredSessions {
  static void react(const State&, const Hit&, Actions&) { throw std::runtime_error("never"); }
  static void react(const State&, const Timeout&, Actions&) {}
};

TEST(Process, ParksNothingOfAnothersPartition) {
  Cluster cluster{1};
  cluster.give(0, 0);
  Process<Refusing> process{EventStore{cluster.homes.log(0)}};
  ASSERT_TRUE(process.start());
  cluster.run(1s);
  cluster.take(0, 1);
  cluster.append_inputs(20);
  cluster.run(30s);
  EXPECT_TRUE(process.status().running);
  EXPECT_TRUE(parked_events(cluster.unowned, "Refusing").value().empty());
  cluster.give(0, 0);
  cluster.run(60s);
  EXPECT_FALSE(parked_events(cluster.unowned, "Refusing").value().empty());
}

class ProcessHandOver : public testing::TestWithParam<std::uint64_t> {
 protected:
  ProcessHandOver() { cluster.homes.answer_late(GetParam()); }
  int any_home() { return static_cast<int>(cluster.random.below(2)); }
  ProcessOptions options() {
    return {.checkpoint_interval = 5ms + std::chrono::milliseconds{cluster.random.below(40)},
            .pending_bytes_max = 500 + cluster.random.below(10'000)};
  }
  void run_a_little() {
    for (std::uint64_t step = cluster.random.below(80); step > 0; --step) {
      if (!cluster.simulation.executor.step_one()) cluster.simulation.clock.advance(std::chrono::microseconds{500});
    }
  }
  /// Input and output go together, or one after the other.
  void move_one() {
    const auto id = static_cast<std::int32_t>(cluster.random.below(kPartitions));
    const int home = any_home();
    const bool in_peace = cluster.random.below(2) == 0;
    for (const TopicPartition& partition : {input(id), output(id)}) {
      if (in_peace) {
        cluster.homes.give(partition, home);
      } else {
        cluster.homes.take(partition, home);
      }
      if (cluster.random.one_in(3)) run_a_little();
      if (cluster.random.one_in(3)) cluster.homes.tell_lost();
    }
    if (cluster.random.one_in(10)) cluster.homes.put_away(input(id));
  }
  void settle() {
    cluster.homes.tell_lost();
    for (std::int32_t id = 0; id < kPartitions; ++id) cluster.give(id, any_home());
  }

  Cluster cluster{GetParam()};
};

TEST_P(ProcessHandOver, WritesEachOutputOnceWhoeverRuns) {
  cluster.append_inputs(400);
  settle();
  auto first = cluster.start(0, options());
  auto second = cluster.start(1, options());
  for (int move = 0; move < 25; ++move) {
    run_a_little();
    if (cluster.random.one_in(4)) cluster.append_inputs(40);
    if (cluster.random.one_in(8)) {
      ASSERT_TRUE(first->stop());
      first = cluster.start(0, options());
    }
    move_one();
  }
  settle();
  ASSERT_TRUE(first->catch_up(120s));
  ASSERT_TRUE(second->catch_up(120s));
  EXPECT_TRUE(first->stop());
  EXPECT_TRUE(second->stop());
  cluster.expect_outputs_of_the_inputs();
  EXPECT_FALSE(outputs_in<StoredSessions>(cluster.homes.shared(), 0).empty());
}

TEST_P(ProcessHandOver, WithTheLiveClockRecordedAdvancesWin) {
  settle();
  auto first = cluster.start(0, options());
  auto second = cluster.start(1, options());
  for (int move = 0; move < 15; ++move) {
    cluster.last_hit = cluster.simulation.clock.now();
    cluster.append_inputs(20, {});
    cluster.simulation.clock.advance(std::chrono::minutes{cluster.random.below(60)});
    run_a_little();
    move_one();
  }
  settle();
  ASSERT_TRUE(first->catch_up(120s));
  ASSERT_TRUE(second->catch_up(120s));
  EXPECT_TRUE(first->stop());
  EXPECT_TRUE(second->stop());
  cluster.expect_outputs_of_the_inputs();
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProcessHandOver, testing::Range<std::uint64_t>(1, 101));

}  // namespace process_owner_tests
