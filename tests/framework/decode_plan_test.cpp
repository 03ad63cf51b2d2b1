// How a program reads what an older or newer program wrote.
#include <gtest/gtest.h>

#include <lungo/framework/decode_plan.hpp>

#include "sample_values.hpp"

namespace lungo::test {
namespace {

namespace written {  // what the writer knew
struct Item {
  std::string name;
  std::int16_t count = 0;
};
struct PageViewed {
  std::string uri;
  std::int32_t width = 0;
  std::string removed;
  std::vector<Item> items;
  Item best;
  std::variant<std::int32_t, Item> choice;
  std::chrono::seconds spent{};
  float score = 0;
  Device device{};
  std::map<std::string, std::int32_t> counts;
};
}  // namespace written

namespace read {  // what the reader is
struct Item {
  std::int64_t count = -1;  // reordered and widened
  std::string name;
  std::string added = "new";
};
struct PageViewed {
  static constexpr std::array<FieldAlias, 1> field_aliases{{{"url", "uri"}}};
  std::map<std::string, std::int64_t> counts;
  std::optional<std::int64_t> width;  // plain before
  std::string url;                    // called uri before
  std::vector<Item> items;
  Item best;
  std::variant<std::int32_t, Item, std::string> choice;  // appended
  std::chrono::milliseconds spent{};                     // finer
  double score = 0;
  std::int32_t device = 0;  // by underlying value
  std::string added = "default";
  std::vector<std::string> none{"a", "b"};
};
}  // namespace read

written::PageViewed sample() {
  return {.uri = "/a",
          .width = 640,
          .removed = "gone",
          .items = {{"x", 1}, {"y", 2}},
          .best = {"z", 3},
          .choice = written::Item{"w", 4},
          .spent = std::chrono::seconds{5},
          .score = 0.5F,
          .device = Device::desktop,
          .counts = {{"k", -9}}};
}

template <class To, class From>
Result<DecodePlan<To>> plan_for() {
  return DecodePlan<To>::make(shape_of<From>());
}

// Writes a From and reads it as a To.
template <class To, class From>
Result<To> convert(const From& event, To target = {}) {
  Result<DecodePlan<To>> plan = plan_for<To, From>();
  if (!plan) return plan.error();
  Result<void> done = plan->decode(encoded(event), target);
  if (!done) return done.error();
  return target;
}

template <class To, class From>
std::string refusal() {
  const Result<DecodePlan<To>> plan = plan_for<To, From>();
  return plan ? "" : std::string(plan.error().text());
}

TEST(DecodePlan, FieldsMeetByName) {
  const Result<read::PageViewed> page = convert<read::PageViewed>(sample());
  ASSERT_TRUE(page) << page.error();
  EXPECT_EQ(page->url, "/a");
  EXPECT_EQ(page->width, 640);
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[1].name, "y");
  EXPECT_EQ(page->items[1].count, 2);
  EXPECT_EQ(page->items[1].added, "new");
  EXPECT_EQ(page->best.name, "z");
  EXPECT_EQ(std::get<read::Item>(page->choice).count, 4);
  EXPECT_EQ(page->spent, std::chrono::milliseconds{5'000});
  EXPECT_EQ(page->score, 0.5);
  EXPECT_EQ(page->device, 7);
  EXPECT_EQ(page->counts.at("k"), -9);
  EXPECT_EQ(page->added, "default");
}

TEST(DecodePlan, AddedFieldsOfAReusedObjectReturnToTheirDefault) {
  read::PageViewed used;
  used.added = "left over";
  used.none.clear();
  used.best.added = "left over";
  const Result<read::PageViewed> page = convert<read::PageViewed>(sample(), used);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->added, "default");
  EXPECT_EQ(page->none.size(), 2u);
  EXPECT_EQ(page->best.added, "new");
}

TEST(DecodePlan, EqualShapesTakeTheStraightPath) {
  EXPECT_TRUE((plan_for<Everything, Everything>()->is_exact()));
  EXPECT_FALSE((plan_for<read::PageViewed, written::PageViewed>()->is_exact()));
}

struct Renamed {
  std::string text;
  std::vector<Comment> replies;
};

TEST(DecodePlan, AnotherEventNameAloneNeedsNoConversion) { EXPECT_TRUE((plan_for<Renamed, Comment>().has_value())); }

TEST(DecodePlan, EveryTruncationAndFlipIsSafe) {
  const Result<DecodePlan<read::PageViewed>> plan = plan_for<read::PageViewed, written::PageViewed>();
  ASSERT_TRUE(plan);
  const Bytes good = encoded(sample());
  read::PageViewed target;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(plan->decode(BytesView{good}.first(size), target).error(), Errc::undecodable) << size;
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes = good;
      bytes[at] ^= static_cast<std::byte>(1 << bit);
      (void)plan->decode(bytes, target);
    }
  }
}

struct Wide {
  std::int64_t n = 0;
};
struct Narrow {
  std::int8_t n = 0;
};
struct Unsigned {
  std::uint32_t n = 0;
};
struct Floating {
  double n = 0;
};
struct Text {
  std::string n;
};
struct Maybe {
  std::optional<std::int64_t> n;
};
struct Flag {
  bool n = false;
};

TEST(DecodePlanIntegers, MayChangeWidthAndSignWhereTheValueFits) {
  EXPECT_EQ((convert<Wide>(Narrow{-128})->n), -128);
  EXPECT_EQ((convert<Narrow>(Wide{127})->n), 127);
  EXPECT_EQ((convert<Unsigned>(Wide{4'294'967'295})->n), 4'294'967'295u);
  EXPECT_EQ((convert<Narrow>(Wide{128}).error()), Errc::undecodable);
  EXPECT_EQ((convert<Narrow>(Wide{-129}).error()), Errc::undecodable);
  EXPECT_EQ((convert<Unsigned>(Wide{-1}).error()), Errc::undecodable);
}

TEST(DecodePlanRefusal, NamesTheFieldAndPrintsBothShapes) {
  const std::string text = refusal<Wide, Text>();
  EXPECT_NE(text.find("Wide, field n: the writer has string, this program int64"), std::string::npos) << text;
  EXPECT_NE(text.find("string n;"), std::string::npos) << text;
  EXPECT_NE(text.find("int64 n;"), std::string::npos) << text;
  EXPECT_EQ((plan_for<Wide, Text>().error()), Errc::incompatible_shape);
}

struct Money {
  std::int64_t cents = 0;
};
struct Priced {
  Money n;
};
struct PricedLines {
  std::vector<Priced> lines;
};
struct WideLines {
  std::vector<Wide> lines;
};

TEST(DecodePlanRefusal, NamesTheStructThatTheFieldIsInThisProgram) {
  EXPECT_NE((refusal<Priced, Wide>().find("Priced, field n: the writer has int64, this program Money;")), std::string::npos)
      << refusal<Priced, Wide>();
  EXPECT_NE((refusal<PricedLines, WideLines>().find("field lines.n: the writer has int64, this program Money;")),
            std::string::npos)
      << refusal<PricedLines, WideLines>();
  EXPECT_NE((refusal<Wide, Priced>().find("field n: the writer has Money, this program int64;")), std::string::npos)
      << refusal<Wide, Priced>();
}

TEST(DecodePlanRefusal, WhatWouldLoseOrInventAValue) {
  EXPECT_NE((refusal<Floating, Wide>()), "");
  EXPECT_NE((refusal<Wide, Floating>()), "");
  EXPECT_NE((refusal<Wide, Maybe>()), "");
  EXPECT_NE((refusal<Wide, Flag>()), "");
  EXPECT_NE((refusal<Flag, Wide>()), "");
}

struct InList {
  std::vector<Text> list;
};
struct InListWide {
  std::vector<Wide> list;
};

TEST(DecodePlanRefusal, PathLeadsIntoNestedStructs) {
  EXPECT_NE((refusal<InListWide, InList>().find("field list.n:")), std::string::npos) << refusal<InListWide, InList>();
}

struct SecondsAgo {
  std::chrono::milliseconds t{};
};
struct Coarse {
  std::chrono::seconds t{};
};

TEST(DecodePlanTimes, MayBecomeFinerButNotCoarser) {
  EXPECT_EQ((convert<SecondsAgo>(Coarse{std::chrono::seconds{-3}})->t.count()), -3'000);
  EXPECT_EQ((convert<SecondsAgo>(Coarse{std::chrono::seconds::max()}).error()), Errc::undecodable);
  EXPECT_NE((refusal<Coarse, SecondsAgo>()), "");
}

struct Circle {
  double size = 0;
};
struct Square {
  double size = 0;
};
struct Drawn {
  std::variant<Circle, Square> shape;
};
struct DrawnSwapped {
  std::variant<Square, Circle> shape;
};
struct DrawnLess {
  std::variant<Circle> shape;
};

TEST(DecodePlanVariants, AreAppendOnly) {
  EXPECT_NE((refusal<DrawnSwapped, Drawn>()), "");
  EXPECT_EQ((std::get<Circle>(convert<DrawnLess>(Drawn{Circle{2}})->shape).size), 2);
  EXPECT_EQ((convert<DrawnLess>(Drawn{Square{2}}).error()), Errc::undecodable);
}

struct PriceV1 {
  static constexpr std::string_view event_name = "Price";
  double euros = 0;
};
struct PriceV2 {
  static constexpr std::string_view event_name = "Price";
  std::int64_t cents = 0;
  static PriceV2 upcast(const PriceV1& old) {
    if (old.euros < 0) throw std::runtime_error("a negative price");
    if (old.euros > 1'000'000) throw 1;
    return {static_cast<std::int64_t>(old.euros * 100)};
  }
};
struct Price {
  std::string amount;
  std::string currency = "EUR";
  static Price upcast(const PriceV2& old) { return {std::to_string(old.cents), "EUR"}; }
};
struct Cart {
  std::vector<Price> prices;
};
struct CartV1 {
  std::vector<PriceV1> prices;
};

TEST(DecodePlanUpcast, ChainsOverVersions) {
  EXPECT_EQ((convert<Price>(PriceV2{250})->amount), "250");
  EXPECT_EQ((convert<Price>(PriceV1{2.5})->amount), "250");
  EXPECT_EQ((convert<Price>(Price{"1", "USD"})->currency), "USD");
}

TEST(DecodePlanUpcast, WorksInsideOtherStructs) {
  const Result<Cart> cart = convert<Cart>(CartV1{{PriceV1{1}, PriceV1{2}}});
  ASSERT_TRUE(cart) << cart.error();
  EXPECT_EQ(cart->prices.at(1).amount, "200");
}

TEST(DecodePlanUpcast, ThatThrowsMakesThePayloadUndecodable) {
  EXPECT_EQ((convert<Price>(PriceV1{-1}).error()), Errc::undecodable);
  EXPECT_EQ((convert<Price>(PriceV1{2'000'000}).error()), Errc::undecodable) << "whatever it throws";
}

struct HeavyRow {
  std::array<std::int64_t, 64> numbers{};
  std::string text;
};
struct HeavyTable {
  std::vector<HeavyRow> rows;
};
struct HeavyRowBefore {
  std::string text;
  std::array<std::int32_t, 64> numbers{};
};
struct HeavyTableBefore {
  std::vector<HeavyRowBefore> rows;
};

TEST(DecodePlanHostile, ACountIsCheckedAgainstTheWritersElementsBeforeMemoryIsTaken) {
  Bytes bomb(5'000, std::byte{1});
  bomb[0] = std::byte{0x84};  // 4,996 rows of at least 66 bytes each
  bomb[1] = std::byte{0x27};
  const auto plan = plan_for<HeavyTable, HeavyTableBefore>();
  ASSERT_TRUE(plan) << plan.error();
  ASSERT_FALSE(plan->is_exact());
  HeavyTable table;
  EXPECT_EQ(plan->decode(bomb, table).error(), Errc::undecodable);
  EXPECT_EQ(table.rows.capacity(), 0u);
  EXPECT_EQ(decode(bomb, table).error(), Errc::undecodable);
  EXPECT_EQ(table.rows.capacity(), 0u);
}

TEST(DecodePlanHostile, AWritersShapeOfManyNestedStructsIsRefused) {
  // Comment's fields, in structs that each refer to the next: 2,000 levels for a reader that contains itself.
  constexpr int kLevels = 2'000;
  Bytes bytes = from_hex("4c5301");
  const auto number = [&](std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::byte>(value | 0x80));
    bytes.push_back(static_cast<std::byte>(value));
  };
  number(kLevels + 1);
  for (int i = 0; i <= kLevels; ++i) {
    for (const std::byte byte : from_hex("0143 01 07 7265706c696573 13 17")) bytes.push_back(byte);
    number(static_cast<std::uint64_t>(i < kLevels ? i + 1 : kLevels));
  }
  const Result<Shape> shape = Shape::parse(bytes);
  ASSERT_TRUE(shape) << shape.error();
  EXPECT_EQ(DecodePlan<Comment>::make(*shape).error(), Errc::incompatible_shape);
}

}  // namespace
}  // namespace lungo::test
