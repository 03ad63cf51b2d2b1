// Two processes over one log, with a decider of which both take commands, and a wire between them that may lose what it
// carries.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/forward_server.hpp>
#include "tests/support/simulation.hpp"
#include "tests/support/two_homes.hpp"
#include "tests/support/wire.hpp"

namespace forwarding_tests {

using namespace lungo;
using namespace std::chrono_literals;

using test::Wire;
using test::WireForwarder;

struct Put {
  std::int64_t cents = 0;
};
struct Taken {
  std::int64_t cents = 0;
};
struct Pay {
  std::int64_t cents = 0;
};
struct Take {
  std::int64_t cents = 0;
  std::string why;
};
struct Unlisted {};

struct Till {
  using Events = lungo::events<Put, Taken>;
  using Commands = lungo::commands<Pay, Take>;
  static constexpr std::string_view topic = "tills";
  struct State {
    std::int64_t cents = 0;
  };
  static void evolve(State& s, const Put& e) { s.cents += e.cents; }
  static void evolve(State& s, const Taken& e) { s.cents -= e.cents; }
  static std::optional<Put> decide(const State&, const Pay& c) {
    if (c.cents == 0) return std::nullopt;
    if (c.cents < 0) throw std::runtime_error("a till takes no debts");
    return Put{c.cents};
  }
  static Taken decide(const State& s, const Take& c) {
    if (c.cents > s.cents) throw rejected("there are " + std::to_string(s.cents) + " cents, not enough for " + c.why);
    return {c.cents};
  }
  static Put decide(const State&, const Unlisted&) { return {1}; }
};

constexpr std::int32_t kPartitions = 2;

/// One process: its store, its decider, and what serves the other one's commands.
struct Site {
  Site(test::TwoHomes& homes, Wire& wire, int home) : store(homes.log(home)) {
    store.forward_with(std::make_shared<WireForwarder>(wire));
    tills = std::make_unique<Aggregates<Till>>(store, kPartitions);
    server.emplace(store).add(*tills);
    wire.servers[test::TwoHomes::endpoint(home)] = &*server;
  }
  EventStore store;
  std::unique_ptr<Aggregates<Till>> tills;
  std::optional<ForwardServer> server;
};

struct Shop {
  explicit Shop(std::uint64_t seed) : simulation(seed), random(seed), homes(simulation.ports()), wire(simulation.ports()) {
    EXPECT_TRUE(unowned.stream_topic("tills", kPartitions));
    for (std::int32_t id = 0; id < kPartitions; ++id) homes.give(tills(id), 1);
  }
  static TopicPartition tills(std::int32_t id) { return {"tills", PartitionId{id}}; }
  static TopicPartition of(std::string_view till) {
    return {"tills", partition_of_stream("Till-" + std::string(till), kPartitions)};
  }
  /// Amounts in the order in which they came, with the ids.
  std::vector<std::string> history(std::string_view till) {
    std::vector<std::string> texts;
    EventDecoder decoder{unowned.shapes()};
    decoder.add<Put>();
    decoder.add<Taken>();
    StreamEvents events = unowned.read_stream("tills", StreamId("Till", till)).value();
    while (const StreamEvent* event = events.next().value()) {
      const Decoded decoded = decoder.decode(event->envelope).value();
      std::string text = decoded.type == 0 ? "+" + std::to_string(static_cast<const Put*>(decoded.event)->cents)
                                           : "-" + std::to_string(static_cast<const Taken*>(decoded.event)->cents);
      if (!event->envelope.id.empty()) text += " " + std::string(event->envelope.id);
      texts.push_back(std::move(text));
    }
    return texts;
  }
  static ExecuteOptions with_id(std::string_view id, Duration timeout = 30s) {
    ExecuteOptions options;
    options.meta.id = id;
    options.timeout = timeout;
    return options;
  }

  test::Simulation simulation;
  test::Random random;
  test::TwoHomes homes;
  EventStore unowned{std::shared_ptr<EventLog>(&homes.shared(), [](EventLog*) {})};
  Wire wire;
  Site here{homes, wire, 0};
  Site there{homes, wire, 1};
};

}  // namespace forwarding_tests
