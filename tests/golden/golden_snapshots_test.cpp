// States that an older program wrote down, in the directory `snapshots`: a decider's snapshot and a process's checkpoint. The
// structs here are today's; the older ones stand in writers/snapshots.cpp.
#include "tests/golden/golden_directory.hpp"

#include <gtest/gtest.h>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>

namespace golden_tests {

using namespace lungo;
using namespace std::chrono_literals;
using golden::GoldenDirectory;

namespace snapshots {

struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
};

/// The State is as it was; evolve is not, so that what comes out of the snapshot can be told from what was folded again.
struct Order {
  static constexpr std::string_view topic = golden::kTopic;
  static constexpr int snapshot_every = 2;
  using Events = lungo::events<OrderPlaced>;
  struct State {
    std::int32_t orders = 0;
    std::int64_t cents = 0;
    std::string last_customer;
  };
  static void evolve(State& state, const OrderPlaced& event) {
    state.orders += 100;
    state.cents += event.cents;
    state.last_customer = event.customer;
  }
};

namespace grown {
struct Order {
  static constexpr std::string_view topic = golden::kTopic;
  static constexpr int snapshot_every = 2;
  using Events = lungo::events<OrderPlaced>;
  struct State {
    std::int32_t orders = 0;
    std::int64_t cents = 0;
    std::string last_customer;
    std::int64_t largest = 0;
  };
  static void evolve(State& state, const OrderPlaced& event) {
    ++state.orders;
    state.largest = std::max(state.largest, event.cents);
  }
};
}  // namespace grown

struct ReminderSent {
  std::string customer;
  std::int64_t orders = 0;
  std::string text;
};

/// Its State was widened and reordered, a field has another name, one is gone and one is new.
struct Reminders {
  static constexpr std::string_view topic = golden::kTopic;
  static constexpr std::string_view output_topic = "reminders";
  using Events = lungo::events<OrderPlaced>;
  struct Remind {
    std::string text;
  };
  using Timers = lungo::events<Remind>;
  using Emits = lungo::events<ReminderSent>;
  struct State {
    static constexpr std::array<FieldAlias, 1> field_aliases{{{"customer", "client"}}};
    std::string customer;
    std::int64_t orders = 0;
    std::string channel = "mail";
    bool operator==(const State&) const = default;
  };
  static std::string key(const Envelope&, const OrderPlaced& event) { return event.customer; }
  static void evolve(State& state, const OrderPlaced& event) {
    ++state.orders;
    state.customer = event.customer;
  }
  static void react(const State&, const OrderPlaced& event, Actions& actions) {
    actions.after(30min, Remind{"dear " + event.customer});
  }
  static void react(const State& state, const Remind& remind, Actions& actions) {
    actions.emit(ReminderSent{state.customer, state.orders, remind.text + " by " + state.channel}).close();
  }
};

}  // namespace snapshots

TEST(GoldenSnapshots, ADeciderGoesOnFromASnapshotOfItsState) {
  const GoldenDirectory golden{"snapshots"};
  Aggregates<snapshots::Order> orders{golden.open()};
  const auto loaded = orders.load("1").value();
  EXPECT_EQ(loaded.events, 1) << "the one behind the snapshot";
  EXPECT_EQ(loaded.state.orders, 103);
  EXPECT_EQ(loaded.state.cents, 2008);
  EXPECT_EQ(loaded.state.last_customer, "eve");
}

TEST(GoldenSnapshots, ADeciderWhoseStateHasGrownFoldsItsEventsAgain) {
  const GoldenDirectory golden{"snapshots"};
  Aggregates<snapshots::grown::Order> orders{golden.open()};
  const auto loaded = orders.load("1").value();
  EXPECT_EQ(loaded.events, 4);
  EXPECT_EQ(loaded.state.orders, 4);
  EXPECT_EQ(loaded.state.largest, 1999);
}

TEST(GoldenSnapshots, ItsRowsSayWhereTheyStand) {
  const GoldenDirectory golden{"snapshots"};
  EventStore store = golden.open(true);
  Snapshots rows{store};
  const TopicId orders = store.topic(golden::kTopic).value().id;
  for (const auto& [key, end] : {std::pair{"decider/Order/Order-1", 4}, std::pair{"process/Reminders/orders/0", 4}}) {
    const std::optional<Snapshot> row = rows.load(key).value();
    ASSERT_TRUE(row) << key;
    EXPECT_EQ(row->position, (Position{orders, PartitionId{0}, Offset{end}, LeaderEpoch{1}})) << key;
    EXPECT_FALSE(row->state.empty()) << key;
  }
}

TEST(GoldenSnapshots, AProcessGoesOnFromACheckpointOfItsState) {
  const GoldenDirectory golden{"snapshots"};
  EventStore store = golden.open();
  Process<snapshots::Reminders> reminders{store};
  ASSERT_TRUE(reminders.start());
  ASSERT_TRUE(reminders.catch_up(30s));
  EXPECT_EQ(reminders.status().counts.inputs, 1) << "the one behind the checkpoint";
  EXPECT_EQ(reminders.status().open_keys, 3u);

  AppendOptions later;
  later.meta.time = Timestamp{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
  later.meta.lane = "import-1";
  ASSERT_TRUE(store.append(golden::kTopic, StreamId{"Order", "9"}, snapshots::OrderPlaced{"zoe", 1}, later));
  ASSERT_TRUE(reminders.catch_up(30s));
  ASSERT_TRUE(reminders.stop());

  std::vector<std::string> sent;
  const TopicInfo topic = store.topic("reminders").value();
  PartitionReader reader{store.log(), topic, Position{topic.id, PartitionId{0}, Offset{0}, kNoEpoch}};
  while (const Envelope* envelope = reader.next().value()) {
    const auto shape = store.shapes().find(*envelope->shape).value();
    sent.push_back(std::string(envelope->id) + " " + to_json(*shape, envelope->payload).value());
  }
  EXPECT_EQ(sent, (std::vector<std::string>{R"(Reminders/0/t/2/0 {"customer":"bob","orders":1,"text":"dear bob by mail"})",
                                            R"(Reminders/0/t/1/0 {"customer":"ann","orders":2,"text":"dear ann by mail"})",
                                            R"(Reminders/0/t/3/0 {"customer":"eve","orders":2,"text":"dear eve by mail"})"}));
}

}  // namespace golden_tests
