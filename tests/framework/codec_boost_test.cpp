// Classes that describe themselves with Boost.Serialization, lungo_fields or lungo_codec: the ways out for what is not plain.
#include <gtest/gtest.h>

#include <lungo/framework/codec_boost.hpp>

#include <boost/serialization/map.hpp>
#include <boost/serialization/split_member.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/utility.hpp>
#include <boost/serialization/vector.hpp>

#include "sample_values.hpp"

namespace shop {

using boost::serialization::make_nvp;

class Money {  // private members and serialize, a C array
 public:
  Money() = default;
  explicit Money(std::int64_t cents) : cents_(cents) {}
  friend bool operator==(const Money&, const Money&) = default;

 private:
  friend class boost::serialization::access;
  template <class Archive>
  void serialize(Archive& archive, unsigned int /*version*/) {
    archive& make_nvp("cents", cents_) & make_nvp("history", history_);
  }
  std::int64_t cents_ = 0;
  std::int32_t history_[2] = {1, 2};
};

struct Base {
  std::int32_t id = 0;
  template <class Archive>
  void serialize(Archive& archive, unsigned int /*version*/) {
    archive& make_nvp("id", id);
  }
};

struct OrderPlaced : Base {  // a base class, Boost's container headers, std::pair
  Money total;
  std::vector<Money> lines;
  std::map<std::string, Money> discounts;
  std::pair<std::int32_t, std::string> tag;
  template <class Archive>
  void serialize(Archive& archive, unsigned int /*version*/) {
    archive& make_nvp("base", boost::serialization::base_object<Base>(*this));
    archive& make_nvp("total", total) & make_nvp("lines", lines) & make_nvp("discounts", discounts) & make_nvp("tag", tag);
  }
};

class OrderChanged {  // the same event, some time later: reordered, renamed, added, removed
 public:
  static constexpr std::string_view event_name = "OrderPlaced";
  static constexpr std::array<lungo::FieldAlias, 1> field_aliases{{{"price", "total"}}};
  OrderChanged() = default;
  std::int32_t priority = 3;
  std::vector<Money> lines;
  Money price;
  template <class Archive>
  void serialize(Archive& archive, unsigned int /*version*/) {
    archive& make_nvp("priority", priority) & make_nvp("lines", lines) & make_nvp("price", price);
  }
};

class Split {  // save and load apart
 public:
  Split() = default;
  std::string text;
  BOOST_SERIALIZATION_SPLIT_MEMBER()
  template <class Archive>
  void save(Archive& archive, unsigned int /*version*/) const {
    archive << make_nvp("text", text);
  }
  template <class Archive>
  void load(Archive& archive, unsigned int /*version*/) {
    archive >> make_nvp("text", text);
  }
};

class Fickle {  // names a field only sometimes
 public:
  Fickle() = default;
  bool more = false;
  template <class Archive>
  void serialize(Archive& archive, unsigned int /*version*/) {
    archive& make_nvp("more", more);
    if (more) archive& make_nvp("again", more);
  }
};

struct PlainWithClasses {
  Money money;
  std::vector<OrderPlaced> orders;
};

class Named {  // lungo_fields
 public:
  Named() = default;
  Named(std::string first, std::int32_t second) : first_(std::move(first)), second_(second) {}
  friend bool operator==(const Named&, const Named&) = default;

 private:
  friend auto lungo_fields(Named& n) { return std::tuple{lungo::named("first", n.first_), lungo::named("second", n.second_)}; }
  std::string first_;
  std::int32_t second_ = 0;
};

class Percent {  // lungo_codec, which refuses
 public:
  Percent() = default;
  explicit Percent(int value) : value_(value) {}
  [[nodiscard]] int value() const { return value_; }
  friend auto operator<=>(const Percent&, const Percent&) = default;

 private:
  int value_ = 0;
};
class UserId {  // lungo_codec over text, as a map's key too
 public:
  UserId() = default;
  explicit UserId(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  friend auto operator<=>(const UserId&, const UserId&) = default;

 private:
  std::string text_;
};

struct Discounted {
  Percent percent;
  std::map<UserId, Percent> by_user;
  friend bool operator==(const Discounted&, const Discounted&) = default;
};
struct DiscountedBefore {
  std::int16_t percent = 0;
};

}  // namespace shop

template <>
struct lungo::lungo_codec<shop::Percent> {
  using Wire = std::int32_t;
  static Wire to_wire(const shop::Percent& percent) { return percent.value(); }
  static Result<shop::Percent> from_wire(Wire value) {
    if (value < 0 || value > 100) return Error{Errc::invalid_argument, "no percentage"};
    return shop::Percent{value};
  }
};
template <>
struct lungo::lungo_codec<shop::UserId> {
  using Wire = std::string;
  static const Wire& to_wire(const shop::UserId& id) { return id.text(); }
  static shop::UserId from_wire(const Wire& text) { return shop::UserId{text}; }
};

namespace lungo::test {
namespace {

shop::OrderPlaced sample_order() {
  shop::OrderPlaced order;
  order.id = 7;
  order.total = shop::Money{500};
  order.lines = {shop::Money{200}, shop::Money{300}};
  order.discounts = {{"spring", shop::Money{10}}};
  order.tag = {4, "t"};
  return order;
}

TEST(CodecBoost, ShapeHasTheNamesOfTheNvp) {
  EXPECT_EQ(shape_of<shop::OrderPlaced>().to_text(),
            "struct OrderPlaced {\n  Base base;\n  Money total;\n  vector<Money> lines;\n  map<string, Money> discounts;\n  "
            "pair tag;\n};\n"
            "struct Base {\n  int32 id;\n};\nstruct Money {\n  int64 cents;\n  array<int32, 2> history;\n};\n"
            "struct pair {\n  int32 first;\n  string second;\n};\n");
}

TEST(CodecBoost, ObjectsComeBack) {
  const shop::OrderPlaced order = sample_order();
  shop::OrderPlaced back;
  ASSERT_TRUE(decode(encoded(order), back));
  EXPECT_EQ(back.id, 7);
  EXPECT_EQ(back.lines, order.lines);
  EXPECT_EQ(back.discounts, order.discounts);
  EXPECT_EQ(back.tag, order.tag);

  shop::Split split;
  split.text = "x";
  shop::Split split_back;
  ASSERT_TRUE(decode(encoded(split), split_back));
  EXPECT_EQ(split_back.text, "x");
}

TEST(CodecBoost, ClassesMayBeFieldsOfPlainStructs) {
  const shop::PlainWithClasses event{shop::Money{3}, {sample_order()}};
  shop::PlainWithClasses back;
  ASSERT_TRUE(decode(encoded(event), back));
  EXPECT_EQ(back.money, event.money);
  EXPECT_EQ(back.orders.at(0).lines, event.orders.at(0).lines);
}

TEST(CodecBoost, FieldsMeetByName) {
  const Result<DecodePlan<shop::OrderChanged>> plan = DecodePlan<shop::OrderChanged>::make(shape_of<shop::OrderPlaced>());
  ASSERT_TRUE(plan) << plan.error();
  shop::OrderChanged changed;
  changed.priority = 99;
  ASSERT_TRUE(plan->decode(encoded(sample_order()), changed));
  EXPECT_EQ(changed.priority, 3);
  EXPECT_EQ(changed.price, shop::Money{500});
  EXPECT_EQ(changed.lines.size(), 2u);
}

TEST(CodecBoost, JsonGoesBothWays) {
  const std::string json = to_json(sample_order());
  EXPECT_EQ(json, to_json(shape_of<shop::OrderPlaced>(), encoded(sample_order())).value());
  const Result<shop::OrderPlaced> back = from_json<shop::OrderPlaced>(json);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(to_json(*back), json);
}

TEST(CodecBoost, HostileBytesAreUndecodable) {
  const Bytes good = encoded(sample_order());
  const auto plan = DecodePlan<shop::OrderChanged>::make(shape_of<shop::OrderPlaced>());
  shop::OrderPlaced order;
  shop::OrderChanged changed;
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode(BytesView{good}.first(size), order));
    EXPECT_FALSE(plan->decode(BytesView{good}.first(size), changed));
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bytes = good;
      bytes[at] ^= static_cast<std::byte>(1 << bit);
      (void)decode(bytes, order);
      (void)plan->decode(bytes, changed);
    }
  }
}

TEST(CodecBoost, ASerializeThatNamesOtherFieldsNowIsAnError) {
  shop::Fickle fickle;
  EXPECT_NO_THROW(encoded(fickle));
  fickle.more = true;
  EXPECT_THROW(encoded(fickle), Exception);
}

TEST(LungoFields, GiveAClassShapeCodecAndJson) {
  const shop::Named named{"a", 5};
  EXPECT_EQ(shape_of<shop::Named>().to_text(), "struct Named {\n  string first;\n  int32 second;\n};\n");
  shop::Named back;
  ASSERT_TRUE(decode(encoded(named), back));
  EXPECT_EQ(back, named);
  EXPECT_EQ(from_json<shop::Named>(to_json(named)).value(), named);
}

TEST(LungoCodec, ATypeTravelsAsItsWireType) {
  const shop::Discounted event{shop::Percent{20}, {{shop::UserId{"u1"}, shop::Percent{5}}}};
  EXPECT_EQ(shape_of<shop::Discounted>().to_text(),
            "struct Discounted {\n  int32 percent;\n  map<string, int32> by_user;\n};\n");
  shop::Discounted back;
  ASSERT_TRUE(decode(encoded(event), back));
  EXPECT_EQ(back, event);
  EXPECT_EQ(to_json(event), R"({"percent":20,"by_user":{"u1":5}})");
  EXPECT_EQ(to_json(event), to_json(shape_of<shop::Discounted>(), encoded(event)).value());
  EXPECT_EQ(from_json<shop::Discounted>(to_json(event)).value(), event);
}

TEST(LungoCodec, ARefusedValueIsUndecodable) {
  shop::Discounted back;
  EXPECT_EQ(decode(from_hex("ca01 00"), back).error(), Errc::undecodable);  // 101 per cent
  EXPECT_EQ(from_json<shop::Discounted>(R"({"percent":101})").error().text(),
            "Discounted: percent is a value that its lungo_codec refuses");
}

TEST(LungoCodec, TheWireTypeWidensLikeAnyOther) {
  const auto plan = DecodePlan<shop::Discounted>::make(shape_of<shop::DiscountedBefore>());
  ASSERT_TRUE(plan) << plan.error();
  shop::Discounted back;
  ASSERT_TRUE(plan->decode(encoded(shop::DiscountedBefore{30}), back));
  EXPECT_EQ(back.percent, shop::Percent{30});
}

}  // namespace
}  // namespace lungo::test
