// Goal: what many commands at once lead to is what one at a time would, over races, failures and power cuts, too.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include <lungo/log/local_event_log.hpp>
#include "tests/framework/commands.hpp"

namespace aggregates_tests {

struct Step {
  std::string account;
  std::variant<Open, Deposit, Withdraw, Move, Break, Tell> command;
  std::string id;
};

std::vector<Step> script(std::uint64_t seed) {
  std::mt19937_64 random{seed};
  const auto below = [&](std::int64_t end) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(end)); };
  std::vector<Step> steps;
  for (int count = 0; count < 150; ++count) {
    if (!steps.empty() && below(6) == 0) {  // somebody tries again
      steps.push_back(steps[static_cast<std::size_t>(below(static_cast<std::int64_t>(steps.size())))]);
      continue;
    }
    Step step{std::string(1, static_cast<char>('a' + below(3))), Tell{}, {}};
    switch (below(8)) {
      case 0:
        step.command = Open{"somebody"};
        break;
      case 1:
      case 2:
        step.command = Deposit{below(100)};
        break;
      case 3:
      case 4:
        step.command = Withdraw{below(150)};
        break;
      case 5:
        step.command = Move{below(100), below(100)};
        break;
      case 6:
        step.command = Break{};
        break;
      default:
        break;
    }
    if (below(3) != 0) step.id = "command-" + std::to_string(count);
    steps.push_back(std::move(step));
  }
  return steps;
}

TEST(CommandGroup, ManyAtOnceAreToldWhatOneAtATimeIsTold) {
  std::size_t saved = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const std::vector<Step> steps = script(seed);
    Bank one;
    std::vector<Result<Commit>> answers;
    for (const Step& step : steps) {
      ExecuteOptions options;
      options.meta.id = step.id;
      answers.push_back(
          std::visit([&](const auto& command) { return one.accounts.execute(step.account, command, options); }, step.command));
    }
    Answers expected;
    for (std::size_t index = 0; index < steps.size(); ++index) {
      expected.push_back(text_of(answers[index], Teller::numbers_of(one.store, steps[index].account)));
    }

    Bank many;
    ASSERT_TRUE((many.store.declare<Opened, Deposited, Withdrawn>()));
    ASSERT_TRUE(many.store.stream_topic("events"));
    many.log->hold_commits();
    Teller teller{many};
    std::mt19937_64 random{seed};
    for (const Step& step : steps) {
      std::visit([&](const auto& command) { teller.send(step.account, command, step.id); }, step.command);
      if (random() % 5 == 0) teller.decide();
      if (random() % 12 == 0) teller.commit();
    }
    teller.finish();
    EXPECT_EQ(teller.told(), expected) << "seed " << seed;
    for (const char* account : {"a", "b", "c"}) {
      EXPECT_EQ(history(many.store, account), history(one.store, account)) << "seed " << seed;
      EXPECT_EQ(told(many.accounts, account), loaded(one.accounts, account)) << "seed " << seed;
    }
    saved += one.log->append_calls() - many.log->append_calls();
  }
  EXPECT_GT(saved, 2000u) << "they share no appends";
}

// Writers who do not know of each other, a log that fails now and then, and clients that try again by id until they are told.
TEST(CommandGroup, EachCommandOfManyWritersTakesEffectOnce) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Bank bank;
    Aggregates<Account> others{bank.store};
    ASSERT_TRUE((bank.store.declare<Opened, Deposited, Withdrawn>()));
    ASSERT_TRUE(bank.store.stream_topic("events"));
    bank.log->hold_commits();
    std::mt19937_64 random{seed};
    constexpr int kCommands = 120;
    int told = 0;
    const ExecuteOptions patient{.attempts = 1000};
    std::function<void(int)> send = [&](int command) {
      Aggregates<Account>& writer = random() % 2 == 0 ? bank.accounts : others;
      const std::string id = "command-" + std::to_string(command);
      ExecuteOptions options = patient;
      options.meta.id = id;
      writer.execute_async(Scope{}, command % 2 == 0 ? "a" : "b", Deposit{1}, options,
                           [&, command](const Result<Commit>& answer) {
                             if (answer) {
                               ++told;
                             } else {
                               EXPECT_EQ(answer.error(), Errc::busy);
                               send(command);
                             }
                           });
    };
    for (int command = 0; command < kCommands; ++command) {
      send(command);
      if (random() % 4 == 0) bank.simulation.executor.run_due();
      if (random() % 6 == 0) bank.log->fail_appends(1, Error{Errc::busy, "much to do"});
      if (random() % 8 == 0) bank.log->commit_held(true);
    }
    const auto all_told = [&] {
      bank.log->commit_held(true);
      return told == kCommands;
    };
    ASSERT_TRUE(bank.simulation.executor.wait_until(all_told, bank.simulation.clock.monotonic() + 60s)) << "seed " << seed;
    for (const char* account : {"a", "b"}) {
      const std::vector<std::string> events = history(bank.store, account);
      EXPECT_EQ(events.size(), kCommands / 2u) << "seed " << seed;
      EXPECT_EQ(std::set<std::string>(events.begin(), events.end()).size(), events.size()) << "seed " << seed;
    }
  }
}

/// Sends commands to two accounts of a log on a disk, and keeps what was promised.
struct Client {
  static constexpr int kCommands = 60;
  static std::string account_of(int command) { return command % 2 == 0 ? "a" : "b"; }

  void send(Aggregates<Account>& accounts, int command) {
    const std::string id = std::to_string(command);
    ExecuteOptions options;
    options.meta.id = id;
    accounts.execute_async(Scope{}, account_of(command), Move{command, 1}, options,
                           [this, command](const Result<Commit>& answer) {
                             if (!answer) return;
                             ++told;
                             const auto [promised, is_new] = promises.emplace(command, answer->first);
                             EXPECT_TRUE(is_new || (answer->repeated && promised->second == answer->first));
                           });
  }
  std::map<int, Offset> promises;
  int told = 0;
};

/// How many commands have their events in the account, which are those of a prefix of what was sent to it.
int count_prefix(EventStore& store, const std::string& account) {
  const std::vector<std::string> events = history(store, account);
  EXPECT_EQ(events.size() % 2, 0u);
  for (std::size_t pair = 0; pair < events.size() / 2; ++pair) {
    const std::string number = std::to_string(2 * pair + (account == "a" ? 0 : 1));
    EXPECT_EQ(events[2 * pair], "+" + number + " " + number);
    EXPECT_EQ(events[2 * pair + 1], "-1");
  }
  return static_cast<int>(events.size() / 2);
}

// A power cut leaves each group whole or not at all, so of each stream a prefix of its commands; what was promised is there,
// and a retry of all of them by id executes what is not.
TEST(CommandGroup, AfterAPowerCutEachIdIsExecutedOnce) {
  int partly = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random{seed};
    Client client;
    test::Simulation machine{seed};
    const Ports ports = machine.ports();
    EventStore store{open_local("/data", {.ports = &ports}).value()};
    Aggregates<Account> accounts{store, 1};
    ASSERT_TRUE(store.stream_topic("events", 1));
    ASSERT_TRUE((store.declare<Deposited, Withdrawn>()));
    for (int command = 0; command < Client::kCommands; ++command) {
      client.send(accounts, command);
      for (std::uint64_t step = random() % 3; step > 0; --step) machine.executor.step_one();
      if (random() % 40 == 0) break;
    }

    test::Simulation after{seed, machine.disk.after_power_cut(seed)};
    const Ports after_ports = after.ports();
    EventStore recovered{open_local("/data", {.ports = &after_ports}).value()};
    const int survived = count_prefix(recovered, "a") + count_prefix(recovered, "b");
    EXPECT_GE(survived, client.told);
    if (survived > 0 && survived < Client::kCommands) ++partly;
    Aggregates<Account> again{recovered, 1};
    client.told = 0;
    for (int command = 0; command < Client::kCommands; ++command) client.send(again, command);
    const auto all_told = [&] { return client.told == Client::kCommands; };
    ASSERT_TRUE(after.executor.wait_until(all_told, after.clock.monotonic() + 60s));
    EXPECT_EQ(count_prefix(recovered, "a") + count_prefix(recovered, "b"), Client::kCommands);
  }
  EXPECT_GT(partly, 10) << "the cuts hit nothing";
}

}  // namespace aggregates_tests
