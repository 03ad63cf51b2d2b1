// Goal: a decider's states are kept while this process owns their partition, and its commands are right whoever owned it
// before.
#include <gtest/gtest.h>

#include "tests/framework/accounts.hpp"
#include "tests/support/two_homes.hpp"

namespace aggregates_tests {

using namespace std::chrono_literals;

/// An account whose states are counted.
struct Watched {
  static constexpr std::string_view category = "Account";
  using Events = Account::Events;
  struct State {
    State() { ++alive; }
    State(const State& other) : cents(other.cents) { ++alive; }
    State& operator=(const State&) = default;
    ~State() { --alive; }
    std::int64_t cents = 0;
  };
  static inline int alive = 0;
  static void evolve(State&, const Opened&) {}
  static void evolve(State& s, const Deposited& e) { s.cents += e.cents; }
  static void evolve(State& s, const Withdrawn& e) { s.cents -= e.cents; }
  static Deposited decide(const State&, const Deposit& c) { return {c.cents}; }
  static Withdrawn decide(const State& s, const Withdraw& c) {
    if (s.cents < c.cents) throw rejected("insufficient funds");
    return {c.cents};
  }
};

class OwnedStreams : public testing::Test {
 protected:
  OwnedStreams() {
    EXPECT_TRUE(left.stream_topic("events", 2));
    for (const std::int32_t id : {0, 1}) homes.give(partition(id), 0);
    for (int number = 0; in_first.empty() || in_second.empty(); ++number) {
      const std::string account = std::to_string(number);
      (partition_of_stream("Account-" + account, 2) == PartitionId{0} ? in_first : in_second) = account;
    }
  }
  static TopicPartition partition(std::int32_t id) { return {"events", PartitionId{id}}; }

  test::Simulation simulation{1};
  test::TwoHomes homes{simulation.ports()};
  EventStore left{homes.log(0)};
  EventStore right{homes.log(1)};
  std::string in_first;  // accounts of the first and the second partition
  std::string in_second;
};

TEST_F(OwnedStreams, AreForgottenWhenTheirPartitionGoes) {
  Aggregates<Watched> here{left};
  const int before = Watched::alive;
  ASSERT_TRUE(here.execute(in_first, Deposit{1}));
  ASSERT_TRUE(here.execute(in_second, Deposit{1}));
  EXPECT_EQ(Watched::alive, before + 2);
  homes.give(partition(0), 1);
  EXPECT_EQ(Watched::alive, before + 1);
  homes.take(partition(1), 1);
  EXPECT_EQ(Watched::alive, before + 1) << "nobody has said so";
  homes.tell_lost();
  EXPECT_EQ(Watched::alive, before);
}

TEST_F(OwnedStreams, AreWhatTheOtherProcessMadeOfThem) {
  Aggregates<Watched> here{left};
  Aggregates<Watched> there{right};
  ASSERT_TRUE(here.execute(in_first, Deposit{100}));
  homes.give(partition(0), 1);
  ASSERT_TRUE(there.execute(in_first, Withdraw{70}));
  homes.give(partition(0), 0);
  EXPECT_EQ(here.execute(in_first, Withdraw{70}).error(), Errc::rejected);
  EXPECT_TRUE(here.execute(in_first, Withdraw{30}));
}

TEST_F(OwnedStreams, AreNotSharedByWhoOnlyReads) {
  Aggregates<Watched> here{left};
  ASSERT_TRUE(here.execute(in_first, Deposit{100}));
  Aggregates<Watched> reader{right};
  EXPECT_EQ(reader.load(in_first).value().state.cents, 100);
  EXPECT_EQ(homes.members(1, "events"), 0);
  EXPECT_EQ(homes.members(0, "events"), 1);
}

}  // namespace aggregates_tests
