// Sends commands to the accounts of a bank and notes what they are told.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include "tests/framework/accounts.hpp"

namespace aggregates_tests {

using namespace std::chrono_literals;

/// What a command was told: "2 from 5", "nothing", "repeats 5", or the error. Offsets are counted in their stream, from 1.
using Answers = std::vector<std::string>;

inline std::string text_of(const Result<Commit>& answer, const std::map<Offset, std::int64_t>& numbers) {
  if (!answer) return std::string(to_string(answer.error().code())) + ": " + std::string(answer.error().text());
  if (answer->repeated) return "repeats " + std::to_string(numbers.at(answer->first));
  if (answer->first == answer->end) return "nothing";
  return std::to_string(answer->end - answer->first) + " from " + std::to_string(numbers.at(answer->first));
}

/// A bank whose log commits when it is told to, and the commands that were sent there.
struct Teller {
  explicit Teller(Bank& its_bank) : bank(&its_bank) {}

  template <class C>
  void send(std::string_view account, const C& command, std::string_view id = {}, ExecuteOptions options = {}) {
    options.meta.id = id;
    const std::size_t index = accounts.size();
    accounts.emplace_back(account);
    answers.emplace_back();
    bank->accounts.execute_async(Scope{}, account, command, options,
                                 [this, index](const Result<Commit>& answer) { note(index, answer); });
  }
  void note(std::size_t index, const Result<Commit>& answer) {
    EXPECT_FALSE(answers[index]) << "answered twice";
    answers[index] = answer;
    ++answered;
  }
  void decide() { bank->simulation.executor.run_due(); }
  void commit() {
    bank->log->commit_held(true);
    decide();
  }
  /// Until all are answered.
  void finish() {
    const auto done = [this] {
      bank->log->commit_held(true);
      return answered == answers.size();
    };
    ASSERT_TRUE(bank->simulation.executor.wait_until(done, bank->simulation.clock.monotonic() + 60s));
  }
  /// Of all so far; "-" where there is none yet.
  Answers told() {
    Answers texts;
    for (std::size_t index = 0; index < answers.size(); ++index) {
      texts.push_back(answers[index] ? text_of(*answers[index], numbers_of(bank->store, accounts[index])) : "-");
    }
    return texts;
  }
  static std::map<Offset, std::int64_t> numbers_of(EventStore& store, std::string_view account) {
    std::map<Offset, std::int64_t> numbers;
    StreamEvents events = store.read_stream("events", StreamId("Account", account)).value();
    while (const StreamEvent* event = events.next().value()) numbers[event->envelope.offset] = event->number;
    return numbers;
  }

  Bank* bank;
  std::vector<std::string> accounts;
  std::vector<std::optional<Result<Commit>>> answers;
  std::size_t answered = 0;
};

/// The events of an account as text, with their ids.
inline std::vector<std::string> history(EventStore& store, std::string_view account) {
  EventDecoder decoder{store.shapes()};
  decoder.add<Opened>();
  decoder.add<Deposited>();
  decoder.add<Withdrawn>();
  std::vector<std::string> texts;
  StreamEvents events = store.read_stream("events", StreamId("Account", account)).value();
  while (const StreamEvent* event = events.next().value()) {
    const Decoded decoded = decoder.decode(event->envelope).value();
    std::string text = decoded.type == 0   ? "opened"
                       : decoded.type == 1 ? "+" + std::to_string(static_cast<const Deposited*>(decoded.event)->cents)
                                           : "-" + std::to_string(static_cast<const Withdrawn*>(decoded.event)->cents);
    if (!event->envelope.id.empty()) text += " " + std::string(event->envelope.id);
    texts.push_back(std::move(text));
  }
  return texts;
}

class CommandGroups : public testing::Test {
 protected:
  CommandGroups() {
    EXPECT_TRUE(bank.accounts.execute("ada", Deposit{100}));
    EXPECT_TRUE((bank.store.declare<Opened, Withdrawn>()));
    bank.log->hold_commits();
  }
  std::size_t appends() const { return bank.log->append_calls() - appends_before; }
  void count_appends_from_here() { appends_before = bank.log->append_calls(); }
  /// Something is under way, so that what is sent next queues.
  void keep_busy() {
    teller.send("ada", Deposit{1});
    teller.decide();
    count_appends_from_here();
  }

  std::string told_now(std::string_view account) { return aggregates_tests::told(bank.accounts, account); }

  Bank bank;
  Teller teller{bank};
  std::size_t appends_before = 0;
};

}  // namespace aggregates_tests
