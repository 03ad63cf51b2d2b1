// Names of events and fields, and what may stand beside what.
#include <gtest/gtest.h>

#include <lungo/framework/event.hpp>
#include <optional>
#include <string>
#include <vector>

namespace {

struct InAnonymousNamespace {
  int inner = 0;
  std::string text;
};

template <class T>
struct Changed {
  static constexpr std::string_view event_name = "Changed.int";
  T before{}, after{};
};

}  // namespace

namespace shop {
struct OrderPlaced {
  static constexpr std::array<std::string_view, 2> event_aliases{"OrderMade", "Ordered"};
  std::string id;
};
struct Renamed {
  static constexpr std::string_view event_name = "order-renamed";
};
struct Thief {
  static constexpr std::string_view event_name = "Ordered";
};
class Money {
 public:
  Money() = default;
  [[nodiscard]] long cents() const { return cents_; }

 private:
  friend auto lungo_fields(Money& m) {
    return std::tuple{lungo::named("cents", m.cents_), lungo::named("currency", m.currency_)};
  }
  long cents_ = 0;
  std::string currency_ = "EUR";
};
}  // namespace shop

namespace lungo {
namespace {

template <class T>
std::vector<std::string> names_of() {
  return {field_names<T>().begin(), field_names<T>().end()};
}

using Names = std::vector<std::string>;

TEST(EventName, IsTheStructsOwnNameWithoutNamespaces) {
  struct Local {
    int x = 0;
  };
  EXPECT_EQ(event_name<shop::OrderPlaced>(), "OrderPlaced");
  EXPECT_EQ(event_name<InAnonymousNamespace>(), "InAnonymousNamespace");
  EXPECT_EQ(event_name<Local>(), "Local");
}

TEST(EventName, CanBePinned) {
  EXPECT_EQ(event_name<shop::Renamed>(), "order-renamed");
  EXPECT_EQ(event_name<Changed<int>>(), "Changed.int");
}

TEST(EventName, AliasesAreAnsweredTo) {
  EXPECT_TRUE(answers_to<shop::OrderPlaced>("OrderPlaced"));
  EXPECT_TRUE(answers_to<shop::OrderPlaced>("OrderMade"));
  EXPECT_TRUE(answers_to<shop::OrderPlaced>("Ordered"));
  EXPECT_FALSE(answers_to<shop::OrderPlaced>("Order"));
}

TEST(EventNames, TheSameTypeMayBeAddedAgain) {
  EventNames names;
  EXPECT_TRUE(names.add<shop::OrderPlaced>());
  EXPECT_TRUE(names.add<shop::OrderPlaced>());
  EXPECT_TRUE(names.add<shop::Renamed>());
}

TEST(EventNames, TwoTypesOfOneNameAreRefusedByName) {
  EventNames names;
  ASSERT_TRUE(names.add<shop::OrderPlaced>());
  const Result<void> refused = names.add<shop::Thief>();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::already_exists);
  EXPECT_NE(refused.error().text().find("Ordered"), std::string_view::npos) << refused.error();
}

TEST(Fields, OfAPlainStructAreNamedInOrder) {
  EXPECT_EQ(names_of<InAnonymousNamespace>(), (Names{"inner", "text"}));
  EXPECT_EQ(names_of<Changed<std::vector<int>>>(), (Names{"before", "after"}));
  EXPECT_EQ(field_count<shop::Renamed>, 0u);
}

TEST(Fields, UpTo64AreCounted) {
  struct Wide {
    int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9,
        d0, d1;
    std::string e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, g0, g1, g2, g3, g4, g5, g6, g7,
        g8, g9;
    std::optional<int> h0, last;
  };
  const Names names = names_of<Wide>();
  ASSERT_EQ(names.size(), 64u);
  EXPECT_EQ(names.front(), "a0");
  EXPECT_EQ(names[62], "h0");
  EXPECT_EQ(names.back(), "last");
}

TEST(Fields, OfAClassAreThoseItNames) {
  EXPECT_EQ(names_of<shop::Money>(), (Names{"cents", "currency"}));
  shop::Money money;
  std::get<0>(field_ties(money)) = 42;
  EXPECT_EQ(money.cents(), 42);
}

TEST(Fields, AreVisitedByReference) {
  InAnonymousNamespace value;
  for_each_field(value, [](std::string_view name, auto& field) {
    if constexpr (std::is_same_v<decltype(field), int&>) {
      EXPECT_EQ(name, "inner");
      field = 5;
    } else {
      field = name;
    }
  });
  EXPECT_EQ(value.inner, 5);
  EXPECT_EQ(value.text, "text");
}

struct Base {
  int z = 0;
};
struct Derived : Base {
  int y = 0;
};
struct WithCArray {
  int before = 0;
  int list[3] = {};
  std::string after;
};
struct WithBitField {
  int before = 0;
  unsigned flag : 3 = 0;
};
struct WithConst {
  const int fixed = 3;
};
struct WithReference {
  int& target;
};
class WithPrivate {
 public:
  [[maybe_unused]] int shown = 0;

 private:
  [[maybe_unused]] int hidden_ = 0;
};

TEST(Plain, TheReasonAgainstIsNamed) {
  EXPECT_EQ(plain_problem<InAnonymousNamespace>(), PlainProblem::none);
  EXPECT_EQ(plain_problem<Derived>(), PlainProblem::base_class);
  EXPECT_EQ(plain_problem<WithCArray>(), PlainProblem::c_array);
  EXPECT_EQ(plain_problem<WithBitField>(), PlainProblem::bit_field);
  EXPECT_EQ(plain_problem<WithConst>(), PlainProblem::const_field);
  EXPECT_EQ(plain_problem<WithReference>(), PlainProblem::no_default);
  EXPECT_EQ(plain_problem<WithPrivate>(), PlainProblem::not_aggregate);
  EXPECT_EQ(plain_problem<std::string>(), PlainProblem::not_aggregate);
}

}  // namespace
}  // namespace lungo
