// Payloads that older programs wrote, kept as bytes (tests/golden/shapes): today's structs read them as design says.
#include <gtest/gtest.h>

#include <fstream>
#include <lungo/framework/codec_json.hpp>

#include "sample_values.hpp"

namespace lungo::test {
namespace {

// ---- today's structs --------------------------------------------------------------------------------------------------------

enum class Channel : std::int32_t { unknown = 0, web = 1, phone = 2 };

struct Line {
  std::string product;
  std::int32_t count = 0;
  double discount = 0;
};

// The event as it was when its amount was text.
struct OrderPlacedWithAmount {
  std::string id, amount;
};

struct OrderPlaced {
  static constexpr std::array<std::string_view, 1> event_aliases{"OrderMade"};
  static constexpr std::array<FieldAlias, 1> field_aliases{{{"id", "order_number"}}};

  std::string id;
  std::int64_t cents = 0;
  std::string currency = "EUR";
  std::optional<std::string> note;
  std::vector<Line> lines;
  Channel channel = Channel::web;
  std::chrono::sys_time<std::chrono::milliseconds> at;

  static OrderPlaced upcast(const OrderPlacedWithAmount& old) {
    OrderPlaced order;
    order.id = old.id;
    const std::size_t point = old.amount.find('.');
    order.cents = std::stoll(old.amount.substr(0, point)) * 100 + std::stoll(old.amount.substr(point + 1));
    return order;
  }
};

// ---- reading them -----------------------------------------------------------------------------------------------------------

struct Golden {
  Shape shape;
  Bytes payload;
};

Golden golden(const std::string& name) {
  const std::string path = std::string(LUNGO_GOLDEN_FILES) + "/shapes/" + name + ".hex";
  std::ifstream file{path};
  std::string shape;
  std::string payload;
  EXPECT_TRUE(std::getline(file, shape) && std::getline(file, payload)) << path;
  return {Shape::parse(from_hex(shape)).value(), from_hex(payload)};
}

// What a reader makes of the payload, in an object that held something else before.
OrderPlaced read_order(const std::string& name) {
  const Golden old = golden(name);
  OrderPlaced order{"before", 1, "USD", "before", {{}, {}}, Channel::phone, {}};
  EXPECT_TRUE(answers_to<OrderPlaced>(old.shape.name()));
  EXPECT_TRUE(DecodePlan<OrderPlaced>::make(old.shape).value().decode(old.payload, order)) << name;
  return order;
}

TEST(GoldenShapes, AddedFieldsGetTheirDefault) {
  const OrderPlaced order = read_order("added");
  EXPECT_EQ(order.id, "o-1");
  EXPECT_EQ(order.cents, 1'999);
  EXPECT_EQ(order.currency, "EUR");
  EXPECT_EQ(order.note, std::nullopt);
  EXPECT_EQ(order.channel, Channel::web);
  ASSERT_EQ(order.lines.size(), 2u);
  EXPECT_EQ(order.lines[1].product, "cup");
  EXPECT_EQ(order.lines[1].discount, 0);
}

TEST(GoldenShapes, RemovedFieldsAreSkipped) {
  const OrderPlaced order = read_order("removed");
  EXPECT_EQ(order.id, "o-2");
  EXPECT_EQ(order.cents, 500);
  EXPECT_TRUE(order.lines.empty());
}

TEST(GoldenShapes, ReorderedFieldsLandRight) {
  const OrderPlaced order = read_order("reordered");
  EXPECT_EQ(order.id, "o-3");
  EXPECT_EQ(order.cents, 750);
  EXPECT_EQ(order.currency, "CHF");
  EXPECT_EQ(order.note, "ring twice");
  ASSERT_EQ(order.lines.size(), 1u);
  EXPECT_EQ(order.lines[0].product, "tea");
  EXPECT_EQ(order.lines[0].count, 3);
  EXPECT_EQ(order.lines[0].discount, 0.5);
}

TEST(GoldenShapes, RenamedEventAndFieldAreFoundByTheirAliases) {
  const OrderPlaced order = read_order("renamed");
  EXPECT_EQ(order.id, "o-4");
  EXPECT_EQ(order.cents, 100);
}

TEST(GoldenShapes, WidenedFieldsKeepTheirValues) {
  const OrderPlaced order = read_order("widened");
  EXPECT_EQ(order.cents, -32'768);
  EXPECT_EQ(order.note, "late");
  ASSERT_EQ(order.lines.size(), 1u);
  EXPECT_EQ(order.lines[0].count, -1);
  EXPECT_EQ(order.lines[0].discount, 0.25);
  EXPECT_EQ(order.channel, Channel::phone);
  EXPECT_EQ(order.at.time_since_epoch().count(), 1'700'000'000'000);
}

TEST(GoldenShapes, AChangedTypeIsReadThroughTheUpcast) {
  const OrderPlaced order = read_order("retyped");
  EXPECT_EQ(order.id, "o-6");
  EXPECT_EQ(order.cents, 1'250);
}

TEST(GoldenShapes, WithoutAnUpcastAChangedTypeIsRefusedWithBothShapes) {
  struct Order {
    std::string id;
    std::int64_t amount = 0;
  };
  const Result<DecodePlan<Order>> plan = DecodePlan<Order>::make(golden("retyped").shape);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error(), Errc::incompatible_shape);
  EXPECT_EQ(
      plan.error().text(),
      "Order, field amount: the writer has string, this program int64; add an `upcast` from a struct of the writer's fields\n"
      "the writer's shape:\nstruct OrderPlaced {\n  string id;\n  string amount;\n};\n"
      "this program's shape:\nstruct Order {\n  string id;\n  int64 amount;\n};\n");
}

TEST(GoldenShapes, EveryKindOfFieldIsReadByItsShapeAlone) {
  const Golden old = golden("everything");
  EXPECT_EQ(
      to_json(old.shape, old.payload).value(),
      R"({"flag":true,"i8":-8,"i16":-1600,"i32":-320000,"i64":-6400000000,"u8":8,"u16":1600,"u32":320000,"u64":6400000000,)"
      R"("f32":0.5,"f64":-0.25,"text":"text","raw":"AP8=","address":[127,0,0,1],"device":7,"spent":1500,)"
      R"("at":"2023-11-14T22:13:20.123Z","width":640,"height":null,"extra":{"alternative":3,"value":{"lat":1,"lon":2,"city":"Rome"}},)"
      R"("tags":["a","b"],"bits":[true,false],"ids":[-1,1],"words":["x","y","z"],"props":{"k":"v"},"weights":[[1,0.25],[2,0.5]],)"
      R"("comments":[{"text":"c","replies":[{"text":"d","replies":[]}]}]})");
}

}  // namespace
}  // namespace lungo::test
