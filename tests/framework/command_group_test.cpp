// Goal: commands that share an append are told what they would be told alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/framework/commands.hpp"

namespace aggregates_tests {

TEST_F(CommandGroups, CommandsOfAStreamShareAnAppend) {
  keep_busy();
  for (int command = 0; command < 10; ++command) teller.send("ada", Deposit{10});
  teller.decide();
  EXPECT_EQ(appends(), 0u) << "one of the stream is under way";
  teller.commit();
  EXPECT_EQ(appends(), 1u);
  teller.commit();
  const std::vector<std::string> told = teller.told();
  ASSERT_EQ(told.size(), 11u);
  for (std::size_t command = 0; command < told.size(); ++command) {
    EXPECT_EQ(told[command], "1 from " + std::to_string(command + 2)) << "in the order in which they were sent";
  }
  EXPECT_EQ(loaded(bank.accounts, "ada"), "201");
}

TEST_F(CommandGroups, CommandsOfOtherStreamsDoNotWait) {
  keep_busy();
  teller.send("bob", Deposit{10});
  teller.decide();
  EXPECT_EQ(appends(), 1u);
}

TEST_F(CommandGroups, ARefusalIsItsOwn) {
  keep_busy();
  teller.send("ada", Withdraw{150});  // 101 are there
  teller.send("ada", Deposit{200});
  teller.send("ada", Withdraw{250});
  teller.send("ada", Break{});
  teller.send("ada", Withdraw{52});  // 51 are left
  teller.send("ada", Move{5, 50});
  teller.commit();
  EXPECT_EQ(appends(), 1u);
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "rejected: insufficient funds", "-", "-", "-", "-", "-"}))
      << "who was decided on what is not committed yet waits";
  teller.commit();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "rejected: insufficient funds", "1 from 3", "1 from 4",
                                    "handler_failed: decide of Account: a bug", "rejected: insufficient funds", "2 from 5"}));
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+200", "-250", "+5", "-50"}));
}

TEST_F(CommandGroups, NothingToWriteIsACommitOfNothingBehindTheOthers) {
  keep_busy();
  teller.send("ada", Open{"ada"});
  teller.send("ada", Open{"ada"});
  teller.send("ada", Deposit{1});
  teller.commit();
  teller.commit();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "1 from 3", "nothing", "1 from 4"}));
  EXPECT_EQ((*teller.answers[2])->end, (*teller.answers[1])->end) << "who waits for it sees what it was decided on";
}

// ---- ids ----

TEST_F(CommandGroups, EachIdIsFoundAgain) {
  keep_busy();
  for (const char* id : {"a", "b", "c"}) teller.send("ada", Move{10, 5}, id);
  teller.commit();
  teller.commit();
  ASSERT_EQ(appends(), 1u);
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "2 from 3", "2 from 5", "2 from 7"}));
  bank.log->commit_held();
  Aggregates<Account> others{bank.store};
  std::size_t command = 1;
  for (const char* id : {"a", "b", "c"}) {
    const Commit first = teller.answers[command++]->value();
    ExecuteOptions once;
    once.meta.id = id;
    for (Aggregates<Account>* accounts : {&bank.accounts, &others}) {
      const Commit again = accounts->execute("ada", Move{10, 5}, once).value();
      EXPECT_TRUE(again.repeated) << id;
      EXPECT_EQ(again.first, first.first) << id;
    }
    // The log's own look-up, of who appends without a decider.
    lungo::AppendOptions append;
    append.meta.id = id;
    append.since = Offset{0};
    const Commit appended = bank.store.append("events", StreamId("Account", "ada"), Deposited{10}, append).value();
    EXPECT_TRUE(appended.repeated) << id;
    EXPECT_EQ(appended.first, first.first) << id;
  }
  EXPECT_EQ(history(bank.store, "ada").size(), 8u);
}

TEST_F(CommandGroups, OneIdTwiceInAGroupIsExecutedOnce) {
  keep_busy();
  teller.send("ada", Deposit{10}, "a");
  teller.send("ada", Deposit{20}, "b");
  teller.send("ada", Deposit{10}, "a");
  teller.send("ada", Withdraw{1000}, "refused");
  teller.send("ada", Withdraw{1000}, "refused");
  teller.commit();
  teller.send("ada", Deposit{20}, "b");  // behind the group that it is in
  teller.commit();
  teller.commit();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "1 from 3", "1 from 4", "repeats 3", "rejected: insufficient funds",
                                    "rejected: insufficient funds", "repeats 4"}));
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+10 a", "+20 b"}));
}

// A home that writes an append again after an unknown outcome knows it by its first id; it must know all of it then.
TEST_F(CommandGroups, BehindACommandWithAnIdStandsNoneWithout) {
  keep_busy();
  teller.send("ada", Deposit{1}, "a");
  teller.send("ada", Deposit{2}, "b");
  teller.send("ada", Deposit{3});
  teller.send("ada", Deposit{4}, "c");
  teller.commit();
  EXPECT_EQ(bank.log->ends({"events", partition_of_stream("Account-ada", 4)})->written, Offset{4});
  teller.commit();
  teller.commit();
  EXPECT_EQ(appends(), 2u) << "in front of others it may stand";
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "1 from 3", "1 from 4", "1 from 5", "1 from 6"}));
}

// ---- races ----

TEST_F(CommandGroups, ALostRaceBringsAllAgainInTheirOrder) {
  Aggregates<Account> others{bank.store};
  keep_busy();
  std::function<void()> faster = [&] {
    bank.log->commit_held();
    others.execute("ada", Withdraw{101}).value();
    bank.log->hold_commits();
  };
  teller.send("ada", Withdraw{60});
  teller.send("ada", DepositAfter{7, &faster}, "b");
  teller.send("ada", Withdraw{10});
  teller.send("ada", Withdraw{60});
  teller.finish();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "rejected: insufficient funds", "1 from 4", "rejected: insufficient funds",
                                    "rejected: insufficient funds"}));
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "-101", "+7 b"}));
}

TEST_F(CommandGroups, EachHasItsOwnAttempts) {
  Aggregates<Account> others{bank.store};
  keep_busy();
  std::function<void()> faster = [&] {
    bank.log->commit_held();
    others.execute("ada", Deposit{5}).value();
    bank.log->hold_commits();
  };
  teller.send("ada", DepositAfter{1, &faster}, {}, {.attempts = 1});
  teller.send("ada", Deposit{2}, {}, {.attempts = 2});
  teller.send("ada", Withdraw{1000}, {}, {.attempts = 1});
  teller.finish();
  const Answers told = teller.told();
  EXPECT_EQ(told[3], "rejected: insufficient funds") << "it lost no race itself";
  EXPECT_EQ(told[1].substr(0, 8), "conflict");
  EXPECT_EQ(told[2], "1 from 4");
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+5", "+2"}));
}

// The other one wrote the same first command, and then another one: that must not pass for our second.
TEST_F(CommandGroups, AnotherTryOfTheFirstCommandIsNotTakenForAllOfThem) {
  Aggregates<Account> others{bank.store};
  keep_busy();
  std::function<void()> faster = [&] {
    bank.log->commit_held();
    ExecuteOptions once;
    once.meta.id = "a";
    others.execute("ada", Deposit{10}, once).value();
    bank.log->hold_commits();
  };
  teller.send("ada", Deposit{10}, "a");
  teller.send("ada", DepositAfter{20, &faster}, "b");
  teller.send("ada", Deposit{30}, "c");
  teller.finish();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "repeats 3", "1 from 4", "1 from 5"}));
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+10 a", "+20 b", "+30 c"}));
}

// All of the append was written by another try; what was decided behind it is decided on what that wrote.
TEST_F(CommandGroups, AnotherTryOfAllOfThemIsTheirAnswerAndTheRefusalsAreLookedAtAgain) {
  keep_busy();
  std::function<void()> faster = [&] {
    bank.log->commit_held();
    EventBatch batch = bank.store.batch("events").value();
    ASSERT_TRUE(batch.add(StreamId("Account", "ada"), Deposited{10}, {.id = "a"}));
    ASSERT_TRUE(batch.add(StreamId("Account", "ada"), Deposited{5000}, {.id = "b"}));
    ASSERT_TRUE(bank.store.append_wait(std::move(batch)));
    bank.log->hold_commits();
  };
  teller.send("ada", Deposit{10}, "a");
  teller.send("ada", DepositAfter{20, &faster}, "b");
  teller.send("ada", Withdraw{1000}, "c");
  teller.finish();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "repeats 3", "repeats 4", "1 from 5"}));
  EXPECT_EQ(told_now("ada"), "4111");
}

TEST_F(CommandGroups, WhatCameMeanwhileStaysBehindALostRace) {
  Aggregates<Account> others{bank.store};
  keep_busy();
  std::function<void()> faster = [&] {
    bank.log->commit_held();
    others.execute("ada", Deposit{5}).value();
    bank.log->hold_commits();
    teller.send("ada", Deposit{3});
  };
  teller.send("ada", Deposit{1});
  teller.send("ada", DepositAfter{2, &faster});
  teller.finish();
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+5", "+1", "+2", "+3"}));
  EXPECT_EQ(told_now("ada"), "112");
}

// While they wait for the record that was in the way an earlier try of one of them arrives, and a snapshot that holds it.
TEST(CommandGroup, AnEarlierTryInsideANewSnapshotIsFoundAfterALostRace) {
  Bank bank;
  Aggregates<SnapshotAccount> fast{bank.store};
  Aggregates<SnapshotAccount> others{bank.store};
  ASSERT_TRUE(others.execute("ada", Deposit{1}));
  bank.log->before_wait = [&] {
    ASSERT_TRUE(others.execute("ada", Deposit{5}, with_id("tried")));
    for (int count = 0; count < 20; ++count) ASSERT_TRUE(others.execute("ada", Deposit{1}));
  };
  std::function<void()> another = [&] { others.execute("ada", Deposit{1}).value(); };
  std::vector<bool> repeated;
  const auto note = [&](const Result<Commit>& answer) { repeated.push_back(answer->repeated); };
  fast.execute_async(Scope{}, "ada", DepositAfter{7, &another}, {}, note);
  fast.execute_async(Scope{}, "ada", Deposit{5}, with_id("tried"), note);
  bank.simulation.executor.run_due();
  EXPECT_EQ(std::ranges::count(repeated, true), 1);
  EXPECT_EQ(repeated.size(), 2u);
  EXPECT_EQ(loaded(fast, "ada"), "34");
}

// ---- failures ----

TEST(CommandGroup, WhatFailsHalfWayLeavesNothing) {
  Bank bank;
  Aggregates<Purse> purses{bank.store};
  EXPECT_EQ(purses.execute("a", Move{100, 100}).error(), Errc::handler_failed);
  std::vector<std::string> answers;
  const auto note = [&](const Result<Commit>& answer) {
    answers.push_back(answer ? std::to_string(answer->end - answer->first) : std::string(to_string(answer.error().code())));
  };
  purses.execute_async(Scope{}, "a", Deposit{200}, {}, note);
  purses.execute_async(Scope{}, "a", Move{100, 100}, {}, note);
  purses.execute_async(Scope{}, "a", Deposit{300}, {}, note);
  bank.simulation.executor.run_due();
  EXPECT_EQ(answers, (Answers{"1", "handler_failed", "1"}));
  EXPECT_EQ(told(purses, "a"), "500");
  EXPECT_EQ(loaded(purses, "a"), "500");
}

TEST_F(CommandGroups, AFailedAppendIsTheAnswerOfWhoHasEventsInIt) {
  keep_busy();
  teller.send("ada", Open{"ada"});
  teller.send("ada", Open{"ada"});     // nothing, as long as the one before it holds
  teller.send("ada", Withdraw{1000});  // refused in either case
  teller.send("ada", Deposit{5});
  bank.log->fail_appends(1, Error{Errc::busy, "much to do"});
  teller.finish();
  const Answers told = teller.told();
  EXPECT_EQ(told[1].substr(0, 4), "busy");
  EXPECT_EQ(told[2], "1 from 3");
  EXPECT_EQ(told[3], "rejected: insufficient funds");
  EXPECT_EQ(told[4].substr(0, 4), "busy");
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "opened"}));
  EXPECT_EQ(told_now("ada"), "101");
}

TEST_F(CommandGroups, WhatIsTooLargeTogetherIsWrittenApart) {
  keep_busy();
  for (const char* id : {"a", "b", "c"}) teller.send("ada", Deposit{5}, id);
  bank.log->fail_appends(1, Error{Errc::too_large, "for this broker"});
  teller.finish();
  EXPECT_EQ(teller.told(), (Answers{"1 from 2", "1 from 3", "1 from 4", "1 from 5"}));
  EXPECT_EQ(appends(), 4u);
}

TEST_F(CommandGroups, AnAppendHasItsLimits) {
  keep_busy();
  const std::string text(20'000, 'x');
  for (int command = 0; command < 7; ++command) teller.send("ada", Announce{text});
  teller.send("ada", Announce{std::string(100'000, 'x')});
  teller.finish();
  EXPECT_EQ(appends(), 4u) << "three, three, one, and the one that is larger than all";
  for (int command = 0; command < 2000; ++command) teller.send("ada", Deposit{1});
  count_appends_from_here();
  teller.finish();
  EXPECT_EQ(appends(), 4u);
  const Answers told = teller.told();
  for (std::size_t command = 0; command < told.size(); ++command) {
    EXPECT_EQ(told[command], "1 from " + std::to_string(command + 2));
  }
}

TEST_F(CommandGroups, ADecisionThatCantBeFoldedEndsTheGroup) {
  Aggregates<Fragile> fragile{bank.store};
  bank.log->commit_held();
  ASSERT_TRUE(fragile.execute("a", CountOn{1}));
  bank.log->hold_commits();
  std::vector<std::optional<Errc>> told;
  const auto note = [&](const Result<Commit>& answer) {
    told.push_back(answer ? std::nullopt : std::optional{answer.error().code()});
  };
  for (const std::int64_t step : {1, 2, -1, 4, 5}) fragile.execute_async(Scope{}, "a", CountOn{step}, {}, note);
  const auto all_told = [&] {
    bank.log->commit_held(true);
    return told.size() == 5;
  };
  ASSERT_TRUE(bank.simulation.executor.wait_until(all_told, bank.simulation.clock.monotonic() + 5s));
  EXPECT_EQ(told, (std::vector<std::optional<Errc>>{{}, {}, {}, Errc::handler_failed, Errc::handler_failed}));
}

}  // namespace aggregates_tests
