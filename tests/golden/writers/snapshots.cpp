// Golden directory snapshots: a decider's snapshot, and the checkpoint of a process that has reminders to send.
#include "tests/golden/writers/writer.hpp"

#include <lungo/framework/process.hpp>

namespace {

using namespace std::chrono_literals;

struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
};

struct Order {
  static constexpr std::string_view topic = lungo::golden::kTopic;
  static constexpr int snapshot_every = 2;
  using Events = lungo::events<OrderPlaced>;
  struct State {
    std::int32_t orders = 0;
    std::int64_t cents = 0;
    std::string last_customer;
  };
  static void evolve(State& state, const OrderPlaced& event) {
    ++state.orders;
    state.cents += event.cents;
    state.last_customer = event.customer;
  }
};

struct ReminderSent {
  std::string customer;
  std::int32_t orders = 0;
};

struct Reminders {
  static constexpr std::string_view topic = lungo::golden::kTopic;
  static constexpr std::string_view output_topic = "reminders";
  using Events = lungo::events<OrderPlaced>;
  struct Remind {
    std::string text;
  };
  using Timers = lungo::events<Remind>;
  using Emits = lungo::events<ReminderSent>;
  struct State {
    std::int16_t orders = 0;
    std::string client;
    std::vector<std::int64_t> amounts;
    bool operator==(const State&) const = default;
  };
  static std::string key(const lungo::Envelope&, const OrderPlaced& event) { return event.customer; }
  static void evolve(State& state, const OrderPlaced& event) {
    ++state.orders;
    state.client = event.customer;
    state.amounts.push_back(event.cents);
  }
  static void react(const State&, const OrderPlaced& event, lungo::Actions& actions) {
    actions.after(30min, Remind{"dear " + event.customer});
  }
  static void react(const State& state, const Remind&, lungo::Actions& actions) {
    actions.emit(ReminderSent{state.client, state.orders}).close();
  }
};

void write(lungo::golden::Writer& out) {
  // In a lane of its own, which no clock moves: what the next program finds does not hang on its day.
  const lungo::EventMeta import{.lane = "import-1"};
  out.append("1", OrderPlaced{"ann", 1999}, import);
  out.append("1", OrderPlaced{"bob", 5}, import);
  out.append("1", OrderPlaced{"ann", 1}, import);
  out.append("2", OrderPlaced{"eve", 7}, import);
  lungo::Aggregates<Order> orders{out.store()};
  orders.load("1").value();
  lungo::Process<Reminders> reminders{out.store()};
  reminders.start().value();
  reminders.catch_up(1min).value();
  reminders.stop().value();
  out.append("1", OrderPlaced{"eve", 3}, import);  // neither has seen it
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
