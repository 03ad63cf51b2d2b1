// Goal: each command is answered once, whatever it waits for.
#include <gtest/gtest.h>

#include "tests/framework/commands.hpp"

namespace aggregates_tests {

TEST_F(CommandGroups, WhoWaitsForItsTurnIsToldWhenItsTimeIsOver) {
  keep_busy();
  teller.send("ada", Deposit{2}, {}, {.timeout = 100ms});
  teller.send("ada", Deposit{3}, {}, {.timeout = 10s});
  teller.send("ada", Deposit{4}, {}, {.timeout = 50ms});
  bank.simulation.executor.run_for(60ms);
  EXPECT_EQ(teller.answered, 1u);
  EXPECT_EQ(teller.answers[3]->error(), Errc::timed_out);
  bank.simulation.executor.run_for(60ms);
  EXPECT_EQ(teller.answers[1]->error(), Errc::timed_out);
  teller.finish();
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+3"}));
}

TEST_F(CommandGroups, WhoWaitsForARecordInTheWayIsToldWhenItsTimeIsOver) {
  Aggregates<Account> others{bank.store};
  others.execute_async(Scope{}, "ada", Deposit{1}, {}, [](const Result<Commit>&) {});
  teller.decide();
  teller.send("ada", Deposit{2}, {}, {.timeout = 50ms});
  teller.send("ada", Deposit{3}, {}, {.timeout = 10s});
  bank.simulation.executor.run_for(60ms);
  EXPECT_EQ(teller.told(), (Answers{"timed_out: the command met only conflicts", "-"}));
  teller.finish();
  EXPECT_EQ(history(bank.store, "ada"), (std::vector<std::string>{"+100", "+1", "+3"}));
}

TEST_F(CommandGroups, WhoseTurnHasComeIsDecidedHoweverLate) {
  keep_busy();
  teller.send("ada", Deposit{2}, {}, {.timeout = 10ms});
  teller.send("bob", Deposit{3}, {}, {.timeout = 10ms});
  bank.simulation.clock.advance(20ms);
  teller.decide();
  teller.finish();
  EXPECT_EQ(teller.answers[1]->error(), Errc::timed_out);
  EXPECT_TRUE(*teller.answers[2]);
}

TEST_F(CommandGroups, EachIsAnsweredWhenTheAggregatesGo) {
  std::vector<std::string> told(5, "-");
  const auto note = [&](std::size_t index) {
    return [&told, index](const Result<Commit>& answer) {
      EXPECT_EQ(told[index], "-");
      told[index] = answer ? "written" : std::string(to_string(answer.error().code()));
    };
  };
  {
    Aggregates<Account> leaving{bank.store};
    leaving.execute_async(Scope{}, "ada", Deposit{1}, {}, note(0));
    leaving.execute_async(Scope{}, "ada", Withdraw{1000}, {}, note(1));
    bank.simulation.executor.run_due();
    leaving.execute_async(Scope{}, "ada", Deposit{1}, {}, note(2));
    leaving.execute_async(Scope{}, "bob", Deposit{1}, {}, note(3));
    EXPECT_EQ(told, (std::vector<std::string>{"-", "-", "-", "-", "-"}));
  }
  EXPECT_EQ(told, (std::vector<std::string>{"-", "-", "canceled", "canceled", "-"}));
  bank.log->commit_held();
  EXPECT_EQ(told, (std::vector<std::string>{"written", "rejected", "canceled", "canceled", "-"}));
  {
    // One that lost its race behind the end.
    Aggregates<Account> leaving{bank.store};
    bank.log->hold_commits();
    Aggregates<Account> others{bank.store};
    others.execute_async(Scope{}, "ada", Deposit{1}, {}, [](const Result<Commit>&) {});
    bank.simulation.executor.run_due();
    leaving.execute_async(Scope{}, "ada", Deposit{1}, {}, note(4));
    bank.simulation.executor.run_due();
  }
  bank.log->commit_held();
  EXPECT_EQ(told[4], "canceled");
}

/// Keeps completions back.
class LateLog : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  void append(AppendRequest request, Completion completion) override {
    if (!is_late) return MemoryEventLog::append(std::move(request), std::move(completion));
    late.push_back(std::move(completion));
  }
  bool is_late = false;
  std::vector<Completion> late;
};

TEST(CommandGroup, WhatIsUnderWayWhenTheAggregatesGoIsNotDecidedAgain) {
  for (const Error& error : {Error{Errc::conflict, "faster", Offset{0}}, Error{Errc::io, "broken"}}) {
    test::Simulation simulation{1};
    const auto log = std::make_shared<LateLog>(simulation.ports());
    EventStore store{log};
    std::vector<std::string> told(2, "-");
    {
      Aggregates<Account> leaving{store};
      ASSERT_TRUE(leaving.execute("ada", Deposit{1}));
      log->is_late = true;
      for (std::size_t index : {0u, 1u}) {
        const auto note = [&told, index](const Result<Commit>& answer) { told[index] = to_string(answer.error().code()); };
        if (index == 0) leaving.execute_async(Scope{}, "ada", Deposit{1}, {}, note);
        if (index == 1) leaving.execute_async(Scope{}, "ada", Withdraw{1000}, {}, note);
      }
      simulation.executor.run_due();
    }
    ASSERT_EQ(log->late.size(), 1u);
    EXPECT_EQ(told, (Answers{"-", "-"}));
    log->late.front()(error);
    EXPECT_EQ(told, (error == Errc::io ? Answers{"io", "canceled"} : Answers{"canceled", "canceled"}));
  }
}

TEST_F(CommandGroups, AnAnswerMaySendTheNextCommand) {
  bank.log->commit_held();
  int left = 50;
  std::function<void(const Result<Commit>&)> next = [&](const Result<Commit>& answer) {
    EXPECT_TRUE(answer);
    if (--left > 0) bank.accounts.execute_async(Scope{}, "ada", Deposit{1}, {}, next);
  };
  bank.accounts.execute_async(Scope{}, "ada", Deposit{1}, {}, next);
  teller.decide();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(loaded(bank.accounts, "ada"), "150");
}

}  // namespace aggregates_tests
