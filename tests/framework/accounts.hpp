// Accounts, a decider for tests of Aggregates, and a log that counts what is read of streams.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <lungo/framework/aggregates.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace aggregates_tests {

using namespace lungo;

struct Opened {
  std::string owner;
};
struct Deposited {
  std::int64_t cents = 0;
};
struct Withdrawn {
  std::int64_t cents = 0;
};
struct Audited {
  std::string by;
};

struct Open {
  std::string owner;
};
struct Deposit {
  std::int64_t cents = 0;
};
struct Withdraw {
  std::int64_t cents = 0;
};
struct Move {
  std::int64_t in = 0;
  std::int64_t out = 0;
};
/// Opens again, with a long text.
struct Announce {
  std::string text;
};
/// Refused with what the account holds.
struct Tell {};
/// Deposits, after something else has happened; once.
struct DepositAfter {
  std::int64_t cents = 0;
  std::function<void()>* first = nullptr;
};
struct Break {};
struct BreakOddly {};

struct Account {
  using Events = lungo::events<Opened, Deposited, Withdrawn>;
  struct State {
    bool open = false;
    std::int64_t cents = 0;
  };
  static State evolve(State s, const Opened&) {
    s.open = true;
    return s;
  }
  static void evolve(State& s, const Deposited& e) { s.cents += e.cents; }
  static void evolve(State& s, const Withdrawn& e) { s.cents -= e.cents; }
  static std::optional<Opened> decide(const State& s, const Open& c) {
    if (s.open) return std::nullopt;
    return Opened{c.owner};
  }
  static Deposited decide(const State&, const Deposit& c) { return {c.cents}; }
  static Withdrawn decide(const State& s, const Withdraw& c) {
    if (s.cents < c.cents) throw rejected("insufficient funds");
    return {c.cents};
  }
  static std::vector<std::variant<Deposited, Withdrawn>> decide(const State&, const Move& c) {
    return {Deposited{c.in}, Withdrawn{c.out}};
  }
  static Opened decide(const State&, const Announce& c) { return {c.text}; }
  static Deposited decide(const State& s, const Tell&) { throw rejected(std::to_string(s.cents)); }
  static Deposited decide(const State&, const DepositAfter& c) {
    if (*c.first) std::exchange(*c.first, nullptr)();
    return {c.cents};
  }
  static Deposited decide(const State&, const Break&) { throw std::runtime_error("a bug"); }
};

/// Throws what is no std::exception.
struct Odd {
  static constexpr std::string_view category = "Account";
  using Events = Account::Events;
  struct State {};
  static void evolve(State&, const Opened&) {}
  static void evolve(State&, const Deposited&) { throw 1; }
  static void evolve(State&, const Withdrawn&) {}
  static Opened decide(const State&, const BreakOddly&) { throw "odd"; }
};

struct SnapshotAccount : Account {
  static constexpr std::string_view category = "Account";
  static constexpr int snapshot_every = 10;
};

struct Counted {
  std::int64_t step = 0;
};
struct CountOn {
  std::int64_t step = 0;
};

/// Leaves its state half changed when it throws: for now, or always for a step of -1.
struct Fragile {
  using Events = lungo::events<Counted>;
  struct State {
    std::int64_t before = 0;
    std::int64_t after = 0;
  };
  static inline bool breaks = false;
  static void evolve(State& s, const Counted& e) {
    s.before += e.step;
    if (breaks || e.step == -1) throw std::runtime_error("half way");
    s.after += e.step;
  }
  static Counted decide(const State& s, const CountOn& c) {
    if (s.before != s.after) throw rejected("half changed");
    return {c.step};
  }
};

/// Travels in whole euros; a debt does not.
struct Euros {
  std::int64_t cents = 0;
};

}  // namespace aggregates_tests

template <>
struct lungo::lungo_codec<aggregates_tests::Euros> {
  using Wire = std::int64_t;
  static Wire to_wire(const aggregates_tests::Euros& money) {
    if (money.cents < 0) throw std::runtime_error("a debt");
    return money.cents / 100;
  }
  static aggregates_tests::Euros from_wire(Wire euros) { return {euros * 100}; }
};

namespace aggregates_tests {

struct Paid {
  Euros amount;
};
struct Purse {
  using Events = lungo::events<Paid>;
  struct State {
    std::int64_t cents = 0;
  };
  static void evolve(State& s, const Paid& e) { s.cents += e.amount.cents; }
  static Paid decide(const State&, const Deposit& c) { return {Euros{c.cents}}; }
  static std::vector<Paid> decide(const State&, const Move& c) { return {Paid{Euros{c.in}}, Paid{Euros{-c.out}}}; }
  static Paid decide(const State& s, const Tell&) { throw rejected(std::to_string(s.cents)); }
};

/// Counts what read_key() hands out.
class CountingLog : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                              std::size_t records_max) override {
    Result<KeyRecords> found = MemoryEventLog::read_key(partition, key, begin, end, records_max);
    if (found) records += found->records.size();
    return found;
  }
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override {
    if (before_wait) std::exchange(before_wait, nullptr)();
    return MemoryEventLog::notify_above(partition, end, std::move(notify));
  }
  std::size_t records = 0;
  std::function<void()> before_wait;  // happens once, when somebody begins to wait for a record
};

/// A log of accounts in memory.
struct Bank {
  test::Simulation simulation{1};
  std::shared_ptr<CountingLog> log = std::make_shared<CountingLog>(simulation.ports());
  EventStore store{log};
  Aggregates<Account> accounts{store};

  /// So many records of streams does the call read.
  std::size_t read_by(const std::function<void()>& call) {
    const std::size_t before = log->records;
    call();
    return log->records - before;
  }
};

inline ExecuteOptions with_id(std::string_view id, std::optional<Offset> since = {}) {
  ExecuteOptions options;
  options.meta.id = id;
  options.since = since;
  return options;
}
/// The balance that a command meets.
template <class F>
std::string told(Aggregates<F>& accounts, std::string_view id) {
  return std::string(accounts.execute(id, Tell{}).error().text());
}
template <class F>
std::string loaded(Aggregates<F>& accounts, std::string_view id) {
  return std::to_string(accounts.load(id).value().state.cents);
}

}  // namespace aggregates_tests
