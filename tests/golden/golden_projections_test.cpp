// Events of older programs in projections: a running one parks and counts what it can't decode, a rebuild stops and says what
// it met, an upcast makes both whole. On the golden directory of a field whose type changed.
#include <gtest/gtest.h>

#include <lungo/projections/engine.hpp>
#include "tests/golden/golden_directory.hpp"

namespace golden_tests {
namespace {

using namespace lungo;
using namespace std::chrono_literals;
using golden::GoldenDirectory;

struct OrderShipped {
  std::string carrier;
};
struct OrderPlaced {
  std::string customer;
  std::string total;  // was a number
};
struct OrderPlacedV1 {
  std::string customer;
  std::int64_t total = 0;
};
struct OrderPlacedWithUpcast {
  static constexpr std::string_view event_name = "OrderPlaced";
  std::string customer;
  std::string total;
  static OrderPlacedWithUpcast upcast(const OrderPlacedV1& old) { return {old.customer, std::to_string(old.total)}; }
};

/// A row per stream.
template <class Placed>
struct OrderRows {
  static constexpr std::string_view topic = golden::kTopic;
  static constexpr std::string_view projection_name = "orders";
  using Events = lungo::events<Placed, OrderShipped>;
  using Key = std::string;
  struct State {
    std::string total;
    std::string carrier;
  };
  template <class Event>
  static Key key(const Envelope& envelope, const Event&) {
    return std::string(envelope.stream);
  }
  static void evolve(State& state, const Placed& event) { state.total = event.total; }
  static void evolve(State& state, const OrderShipped& event) { state.carrier = event.carrier; }
};

template <class Placed>
std::string row_text(Projection<OrderRows<Placed>>& orders, const std::string& stream) {
  const auto row = orders.get(stream).value();
  return row ? row->total + "|" + row->carrier : "no row";
}

TEST(GoldenProjections, ARunningProjectionParksAndCountsWhatItCannotDecode) {
  const GoldenDirectory golden{"type_changed"};
  EventStore store = golden.open();
  Engine engine{store, memory()};
  auto& orders = engine.add<OrderRows<OrderPlaced>>();
  ASSERT_TRUE(engine.start());
  const Result<void> caught_up = engine.catch_up(30s);
  ASSERT_TRUE(caught_up) << caught_up.error().text();
  EXPECT_EQ(orders.status().parked, 2);
  EXPECT_EQ(row_text(orders, "Order-1"), "|DHL");
  EXPECT_EQ(row_text(orders, "Order-2"), "|UPS");
}

TEST(GoldenProjections, ARebuildStopsWithOffsetTypeShapeAndCountAndLeavesTheRows) {
  const GoldenDirectory golden{"type_changed"};
  EventStore store = golden.open();
  Engine engine{store, memory()};
  auto& orders = engine.add<OrderRows<OrderPlaced>>();
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(engine.catch_up(30s));
  const Result<RebuildReport> rebuilt = engine.rebuild();
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().offset(), Offset{0});
  const std::string text{rebuilt.error().text()};
  for (const char* part : {"2 events", "OrderPlaced (shape ", "in orders-0 at offset 0", "field total", "the writer's shape"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
  EXPECT_EQ(row_text(orders, "Order-1"), "|DHL");
  EXPECT_EQ(orders.status().generation, 1);
}

TEST(GoldenProjections, AnUpcastFillsTheRowsLiveAndRebuilt) {
  const GoldenDirectory golden{"type_changed"};
  EventStore store = golden.open();
  Engine engine{store, memory()};
  auto& orders = engine.add<OrderRows<OrderPlacedWithUpcast>>();
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(engine.catch_up(30s));
  EXPECT_EQ(row_text(orders, "Order-1"), "1999|DHL");
  const std::string live = orders.fingerprint().value();
  const Result<RebuildReport> rebuilt = engine.rebuild();
  ASSERT_TRUE(rebuilt) << rebuilt.error().text();
  EXPECT_EQ(rebuilt->events, 4u);
  EXPECT_EQ(orders.fingerprint().value(), live);
  EXPECT_EQ(row_text(orders, "Order-2"), "5|UPS");
}

}  // namespace
}  // namespace golden_tests
