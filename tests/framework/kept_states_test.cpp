// Goal: a state that was kept saves reading, and is never another than the one that the log would give.
#include <lungo/framework/kept_states.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>

#include <lungo/framework/snapshots.hpp>
#include <lungo/log/local_event_log.hpp>
#include "tests/framework/accounts.hpp"

namespace aggregates_tests {

const TopicPartition kAdas{"events", partition_of_stream("Account-ada", 4)};

void deposit(Aggregates<Account>& accounts, std::string_view id, int times, std::int64_t cents = 1) {
  for (int count = 0; count < times; ++count) accounts.execute(id, Deposit{cents}).value();
}

TEST(Aggregates, ACommandReadsWhatItsStreamHasGotSince) {
  Bank bank;
  Aggregates<Account> others{bank.store};
  deposit(bank.accounts, "ada", 50);
  EXPECT_EQ(bank.read_by([&] { deposit(bank.accounts, "ada", 1); }), 0u) << "what it wrote itself it knows";
  deposit(others, "ada", 3, 100);
  EXPECT_EQ(bank.read_by([&] { EXPECT_EQ(told(bank.accounts, "ada"), "351"); }), 3u);
  EXPECT_EQ(bank.read_by([&] { EXPECT_EQ(told(bank.accounts, "ada"), "351"); }), 0u);
  EXPECT_EQ(told(bank.accounts, "bob"), "0");
}

TEST(Aggregates, KeptStateIsDroppedByAConflict) {
  Bank bank;
  Aggregates<Account> others{bank.store};
  deposit(bank.accounts, "ada", 50);
  std::function<void()> another = [&] { others.execute("ada", Deposit{100}).value(); };
  EXPECT_EQ(bank.read_by([&] {
    bank.accounts.execute("ada", DepositAfter{1, &another}).value();
  }),
            50u + 51u)
      << "the other one's load, and the whole stream again";
  EXPECT_EQ(told(bank.accounts, "ada"), "151");
  EXPECT_EQ(bank.read_by([&] { deposit(bank.accounts, "ada", 1); }), 0u) << "and is kept again";

  another = [&] { others.execute("ada", Deposit{100}).value(); };
  ExecuteOptions once;
  once.attempts = 1;
  EXPECT_EQ(bank.accounts.execute("ada", DepositAfter{1, &another}, once).error(), Errc::conflict);
  EXPECT_EQ(bank.read_by([&] { EXPECT_EQ(told(bank.accounts, "ada"), "252"); }), 54u);
}

TEST(Aggregates, AnAppendThatFailsLeavesNothingInTheState) {
  Bank bank;
  deposit(bank.accounts, "ada", 5);
  bank.log->fail_appends(1, Error{Errc::no_space, "the disk is full"});
  EXPECT_EQ(bank.accounts.execute("ada", Deposit{100}).error(), Errc::no_space);
  EXPECT_EQ(told(bank.accounts, "ada"), "5");
  bank.log->fail_appends(1, Error{Errc::not_owner, "another's by now"});
  ASSERT_TRUE(bank.accounts.execute("ada", Deposit{100})) << "it is this process's all the same";
  EXPECT_EQ(told(bank.accounts, "ada"), "105");
}

TEST(Aggregates, WhatAnotherTryOfTheCommandWroteIsInTheState) {
  Bank bank;
  deposit(bank.accounts, "ada", 5);
  lungo::AppendOptions another_try;
  another_try.meta.id = "once";
  std::function<void()> faster = [&] {
    bank.store.append("events", StreamId("Account", "ada"), Deposited{100}, another_try).value();
  };
  EXPECT_TRUE(bank.accounts.execute("ada", DepositAfter{1, &faster}, with_id("once"))->repeated);
  EXPECT_EQ(told(bank.accounts, "ada"), "105");
}

TEST(Aggregates, EventsOfACutLogAreNotInTheState) {
  Bank bank;
  Aggregates<Account> others{bank.store};
  deposit(bank.accounts, "ada", 20);
  bank.log->cut(kAdas, Offset{10});
  EXPECT_EQ(told(bank.accounts, "ada"), "10") << "nothing has taken their place";
  deposit(bank.accounts, "ada", 10);
  bank.log->cut(kAdas, Offset{10});
  deposit(others, "ada", 30, 100);
  EXPECT_EQ(told(bank.accounts, "ada"), "3010") << "others have";
}

TEST(Aggregates, AHistoryThatWasTrimmedIsToldAsByALoad) {
  Bank bank;
  deposit(bank.accounts, "ada", 20);
  bank.log->trim(kAdas, Offset{5});
  ASSERT_EQ(bank.accounts.load("ada").error(), Errc::history_trimmed);
  EXPECT_EQ(bank.accounts.execute("ada", Deposit{1}).error(), Errc::history_trimmed);
}

TEST(Aggregates, AStateOfATopicThatWasMadeAnewIsNotUsed) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  const auto log = open_local("/data", {.ports = &ports}).value();
  Aggregates<Account> accounts{EventStore{log}};
  deposit(accounts, "ada", 5);
  ASSERT_TRUE(log->delete_topic("events"));
  EXPECT_EQ(accounts.execute("ada", Tell{}).error(), Errc::not_found);
  TopicSpec spec;
  spec.name = "events";
  spec.streams = true;
  const TopicId made_anew = log->create_topic(spec).value().id;
  Aggregates<Account> others{EventStore{log}};
  deposit(others, "ada", 7, 100);
  EXPECT_EQ(told(accounts, "ada"), "700");

  // Also where nobody has asked between the two.
  ASSERT_TRUE(log->delete_topic("events"));
  EXPECT_NE(log->create_topic(spec).value().id, made_anew);
  EXPECT_EQ(told(accounts, "ada"), "0");
}

// ---- what evolve does ----

TEST(Aggregates, AnEvolveThatThrowsHalfWayLeavesNoState) {
  Bank bank;
  Aggregates<Fragile> fragile{bank.store};
  Aggregates<Fragile> others{bank.store};
  ASSERT_TRUE(fragile.execute("a", CountOn{1}));
  ASSERT_TRUE(others.execute("a", CountOn{2}));
  Fragile::breaks = true;
  EXPECT_EQ(fragile.execute("a", CountOn{3}).error(), Errc::handler_failed);
  Fragile::breaks = false;
  ASSERT_TRUE(fragile.execute("a", CountOn{4}));
  EXPECT_EQ(fragile.load("a")->state.after, 7);
}

TEST(Aggregates, ADecisionIsWrittenThoughItCantBeFolded) {
  Bank bank;
  Aggregates<Fragile> fragile{bank.store};
  ASSERT_TRUE(fragile.execute("a", CountOn{1}));
  ASSERT_TRUE(fragile.execute("a", CountOn{-1}));
  EXPECT_EQ(fragile.execute("a", CountOn{1}).error(), Errc::handler_failed) << "in the load, as for every other";
  EXPECT_EQ(fragile.load("a").error(), Errc::handler_failed);
}

TEST(Aggregates, WhatWasDecidedIsFoldedAsReadersSeeIt) {
  Bank bank;
  Aggregates<Purse> purses{bank.store};
  ASSERT_TRUE(purses.execute("a", Deposit{250}));
  ASSERT_TRUE(purses.execute("a", Deposit{199}));
  EXPECT_EQ(told(purses, "a"), "300");
  EXPECT_EQ(loaded(purses, "a"), "300");
}

TEST(Aggregates, TwoDecidersOfOneStreamSeeEachOther) {
  Bank bank;
  Aggregates<SnapshotAccount> fast{bank.store};
  for (int round = 1; round <= 30; ++round) {
    ASSERT_TRUE(bank.accounts.execute("ada", Deposit{1}));
    ASSERT_TRUE(fast.execute("ada", Deposit{100}));
    EXPECT_EQ(told(bank.accounts, "ada"), std::to_string(101 * round));
    EXPECT_EQ(told(fast, "ada"), std::to_string(101 * round));
  }
}

// ---- ids ----

TEST(Aggregates, AnIdBelowTheStateIsFoundAndANewOneCostsNoReading) {
  Bank bank;
  Aggregates<Account> others{bank.store};
  const Commit first = bank.accounts.execute("ada", Deposit{5}, with_id("first")).value();
  const Commit foreign = others.execute("ada", Deposit{5}, with_id("foreign")).value();
  deposit(bank.accounts, "ada", 50);
  EXPECT_EQ(bank.read_by([&] { bank.accounts.execute("ada", Deposit{1}, with_id("new", Offset{0})).value(); }), 0u);
  for (int time = 0; time < 2; ++time) {
    for (const auto& [id, commit] : {std::pair{"first", first}, {"foreign", foreign}}) {
      const Commit again = bank.accounts.execute("ada", Deposit{5}, with_id(id)).value();
      EXPECT_TRUE(again.repeated) << id;
      EXPECT_EQ(again.first, commit.first) << id;
    }
  }
  EXPECT_EQ(told(bank.accounts, "ada"), "61");
}

TEST(Aggregates, AnIdInsideASnapshotIsFoundFromWhereItIsLookedFor) {
  Bank bank;
  {
    Aggregates<SnapshotAccount> fast{bank.store};
    ASSERT_TRUE(fast.execute("ada", Deposit{1}, with_id("first")));
    for (int count = 0; count < 20; ++count) ASSERT_TRUE(fast.execute("ada", Deposit{1}));
  }
  Aggregates<SnapshotAccount> fast{bank.store};
  EXPECT_EQ(bank.read_by([&] { EXPECT_EQ(told(fast, "ada"), "21"); }), 2u + 1u)
      << "two snapshots, and what is behind the later one";
  const Commit again = fast.execute("ada", Deposit{1}, with_id("first", Offset{0})).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, Offset{0});
  EXPECT_EQ(bank.read_by([&] { fast.execute("ada", Deposit{1}, with_id("second", Offset{0})).value(); }), 0u)
      << "the state that was kept last knows all ids";
}

// The retry of a command waits for the record that it lost against. Meanwhile an earlier try of the command arrives, and a
// snapshot that holds it.
TEST(Aggregates, AnEarlierTryInsideANewSnapshotIsFoundAfterAConflict) {
  Bank bank;
  Aggregates<SnapshotAccount> fast{bank.store};
  Aggregates<SnapshotAccount> others{bank.store};
  ASSERT_TRUE(others.execute("ada", Deposit{1}));
  bank.log->before_wait = [&] {
    ASSERT_TRUE(others.execute("ada", Deposit{5}, with_id("tried")));
    for (int count = 0; count < 20; ++count) ASSERT_TRUE(others.execute("ada", Deposit{1}));
  };
  std::function<void()> another = [&] { others.execute("ada", Deposit{1}).value(); };
  EXPECT_TRUE(fast.execute("ada", DepositAfter{5, &another}, with_id("tried"))->repeated);
  EXPECT_EQ(loaded(fast, "ada"), "27");
}

TEST(Aggregates, SnapshotsAreWrittenAsOftenFromKeptStates) {
  Bank bank;
  Aggregates<SnapshotAccount> fast{bank.store};
  for (int count = 0; count < 40; ++count) ASSERT_TRUE(fast.execute("ada", Deposit{1}));
  EXPECT_EQ(bank.log->ends({std::string(kSnapshotsTopic), PartitionId{0}})->written, Offset{3});
  EXPECT_EQ(fast.load("ada")->events, 10) << "behind the last one";
}

// ---- bounds ----

std::unique_ptr<detail::KeptState> state_of(std::size_t bytes, std::int64_t offset = 1, std::uint8_t topic = 1) {
  auto state = std::make_unique<detail::KeptStateOf<std::int64_t>>();
  state->held_bytes = bytes;
  state->position.offset = Offset{offset};
  state->position.epoch = LeaderEpoch{1};
  state->position.topic.bytes[0] = topic;
  return state;
}

TEST(KeptStates, TheLeastRecentlyUsedGoesFirst) {
  detail::KeptStates states{10'000};
  for (const char* stream : {"a", "b", "c"}) states.keep(stream, state_of(2500));
  states.keep("a", states.take("a"));
  states.keep("d", state_of(2500));
  EXPECT_LE(states.size_bytes(), 10'000u);
  EXPECT_EQ(states.take("b"), nullptr);
  for (const char* stream : {"a", "c", "d"}) {
    EXPECT_NE(states.take(stream), nullptr) << stream;
    EXPECT_EQ(states.take(stream), nullptr) << "it is kept no more";
  }
  EXPECT_EQ(states.size_bytes(), 0u);
}

TEST(KeptStates, OneThatIsLargerThanAllTogetherIsNotKept) {
  detail::KeptStates states{10'000};
  states.keep("a", state_of(2500));
  states.keep("b", state_of(20'000));
  EXPECT_EQ(states.take("b"), nullptr);
  EXPECT_NE(states.take("a"), nullptr);
}

TEST(KeptStates, TheLaterOneOfAStreamStays) {
  detail::KeptStates states{10'000};
  for (const std::int64_t offset : {5, 7, 6}) states.keep("a", state_of(0, offset));
  EXPECT_EQ(states.take("a")->position.offset, Offset{7});
  states.keep("a", state_of(0, 7));
  states.keep("a", state_of(0, 2, 2));
  EXPECT_EQ(states.take("a")->position.offset, Offset{2}) << "of the topic that was made anew";
}

TEST(KeptStates, WhatNoEpochProvesIsNotKept) {
  detail::KeptStates states{10'000};
  auto state = state_of(0);
  state->position.epoch = kNoEpoch;
  states.keep("a", std::move(state));
  EXPECT_EQ(states.take("a"), nullptr);
}

TEST(Aggregates, NothingIsKeptWhereNothingMayBe) {
  Bank bank;
  Aggregates<Account> frugal{bank.store, AggregatesOptions{.kept_bytes_max = 0}};
  deposit(frugal, "ada", 20);
  EXPECT_EQ(bank.read_by([&] { EXPECT_EQ(told(frugal, "ada"), "20"); }), 20u);
}

TEST(KnownIds, KnowsWhatWasAdded) {
  std::mt19937_64 random{1};
  detail::KnownIds ids;
  EXPECT_FALSE(ids.may_have(""));
  std::set<std::string> added;
  int wrong = 0;
  for (int count = 0; count < 20'000; ++count) {
    const std::string id = std::to_string(random() % 30'000);
    EXPECT_TRUE(!added.contains(id) || ids.may_have(id));
    if (!added.contains(id) && ids.may_have(id)) ++wrong;
    ids.add(id);
    added.insert(id);
  }
  EXPECT_EQ(wrong, 0) << "64 bits tell them apart";
  EXPECT_LE(ids.size_bytes(), added.size() * 8 * 4);
}

struct Big {
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::int64_t>> numbers;
  std::optional<std::variant<std::int64_t, std::string>> either;
  std::array<std::string, 2> two;
};
struct Hidden {
  std::shared_ptr<std::string> text;
};

TEST(StateBytes, WhatAStateHoldsIsCounted) {
  const auto bytes_of = [](const auto& value) {
    detail::HeapBytes heap;
    add_heap_bytes(value, heap);
    EXPECT_TRUE(heap.is_all);
    return heap.bytes;
  };
  Big big;
  const std::size_t nothing = bytes_of(big);
  EXPECT_LT(nothing, 200u);
  big.names.assign(10, std::string(1000, 'x'));
  EXPECT_GE(bytes_of(big), 10'000 + 10 * sizeof(std::string));
  EXPECT_LT(bytes_of(big), 11'500u);
  big.names.clear();
  big.names.shrink_to_fit();
  for (int key = 0; key < 10; ++key) big.numbers[std::to_string(key)].assign(100, 1);
  EXPECT_GE(bytes_of(big), 8000u);
  EXPECT_LT(bytes_of(big), 10'500u);
  big.numbers.clear();
  big.either = std::string(5000, 'x');
  big.two[1] = std::string(5000, 'x');
  EXPECT_GE(bytes_of(big), 10'000u);
  EXPECT_LT(bytes_of(big), 10'500u);
}

TEST(StateBytes, WhatCantBeSeenIsTakenToBeWhatItsEventsBrought) {
  detail::KeptStateOf<Hidden> hidden;
  detail::KeptStateOf<Big> overwritten;  // by each event anew
  detail::KeptStateOf<std::int64_t> number;
  for (int event = 0; event < 1000; ++event) {
    hidden.grown_by(100);
    overwritten.state.names = {std::string(100, 'x')};
    overwritten.grown_by(100);
    number.grown_by(100);
  }
  EXPECT_GE(hidden.size_bytes(), 100'000u);
  EXPECT_LT(overwritten.size_bytes(), 10'000u);
  EXPECT_EQ(number.size_bytes(), sizeof(number));
}

// ---- all together ----

// Whatever happens to the log, a command meets the balance that a load meets.
TEST(Aggregates, ACommandMeetsWhatALoadMeets) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Bank bank;
    Aggregates<Account> small{bank.store, AggregatesOptions{.kept_bytes_max = 700}};
    Aggregates<SnapshotAccount> fast{bank.store};
    deposit(bank.accounts, "ada", 1);
    std::mt19937_64 random{seed};
    const std::array<std::string, 4> ids{"ada", "bob", "cyd", "dan"};
    std::size_t met = 0;
    for (int step = 0; step < 300; ++step) {
      const std::string& id = ids[random() % ids.size()];
      const std::int64_t cents = static_cast<std::int64_t>(random() % 100);
      const std::string command_id = "command-" + std::to_string(random() % 200);
      const ExecuteOptions options = random() % 3 == 0 ? with_id(command_id, Offset{0}) : ExecuteOptions{};
      switch (random() % 10) {
        case 0:
        case 1:
          static_cast<void>(bank.accounts.execute(id, Deposit{cents}, options));
          break;
        case 2:
        case 3:
          static_cast<void>(small.execute(id, Withdraw{cents}, options));
          break;
        case 4:
        case 5:
          static_cast<void>(fast.execute(id, Move{cents, 1}, options));
          break;
        case 6:
          static_cast<void>(bank.store.append("events", StreamId("Account", id), Deposited{cents}));
          break;
        case 7: {
          if (random() % 4 != 0) break;
          const TopicPartition partition{"events", partition_of_stream("Account-" + id, 4)};
          const std::int64_t end = bank.log->ends(partition)->committed.value();
          bank.log->cut(partition, Offset{std::max<std::int64_t>(0, end - static_cast<std::int64_t>(random() % 10))});
          break;
        }
        default:
          ++met;
          EXPECT_EQ(told(bank.accounts, id), loaded(bank.accounts, id)) << "seed " << seed << ", step " << step;
          EXPECT_EQ(told(small, id), loaded(small, id)) << "seed " << seed << ", step " << step;
          EXPECT_EQ(told(fast, id), loaded(small, id)) << "seed " << seed << ", step " << step;
      }
    }
    EXPECT_GT(met, 30u);
  }
}

}  // namespace aggregates_tests
