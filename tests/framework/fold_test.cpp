// Folds: both forms of evolve, and every form of a decision.
#include <gtest/gtest.h>

#include <lungo/framework/fold.hpp>
#include <string>

namespace lungo::test {
namespace {

struct Added {
  int amount = 0;
};
struct Removed {
  int amount = 0;
};
struct Closed {};

struct Account {
  using Events = events<Added, Removed>;
  struct State {
    int sum = 0;
    int changes = 0;
  };
  static State evolve(State state, const Added& event) {
    state.sum += event.amount;
    ++state.changes;
    return state;
  }
  static void evolve(State& state, const Removed& event) {
    state.sum -= event.amount;
    ++state.changes;
  }
  static Added decide(const State&, const int& amount) { return {amount}; }
};

struct Elsewhere {
  using Events = events<Added>;
  static constexpr std::string_view topic = "audit";
  struct State {};
  static void evolve(State&, const auto&) {}
};

static_assert(Fold<Account> && Fold<Elsewhere> && !Fold<Added>);
static_assert(check_fold<Account>() && check_fold<Elsewhere>());
static_assert(Evolves<Account, Added> && Evolves<Account, Removed> && !Evolves<Account, Closed>);
static_assert(FoldHandles<Account, Added> && !FoldHandles<Account, Closed>);
static_assert(Decides<Account, int> && !Decides<Account, std::string>);
static_assert(topic_of<Account>() == "events" && topic_of<Elsewhere>() == "audit");

// What a decision holds, as text.
struct Listing {
  std::string text;
  void operator()(const Added& event) { text += "+" + std::to_string(event.amount); }
  void operator()(const Removed& event) { text += "-" + std::to_string(event.amount); }
  void operator()(const Closed&) { text += "x"; }
};

template <class R>
std::string list(const R& decision) {
  Listing listing;
  for_each_event(decision, listing);
  return listing.text;
}

TEST(Fold, BothFormsOfEvolveApply) {
  Account::State state;
  evolve_into<Account>(state, Added{5});
  evolve_into<Account>(state, Removed{2});
  EXPECT_EQ(state.sum, 3);
  EXPECT_EQ(state.changes, 2);
}

TEST(Decision, EveryFormHandsOverItsEventsInOrder) {
  using Either = std::variant<Added, Removed>;
  EXPECT_EQ(list(Added{1}), "+1");
  EXPECT_EQ(list(std::optional<Added>{}), "");
  EXPECT_EQ(list(std::optional<Added>{Added{2}}), "+2");
  EXPECT_EQ(list(std::vector<Added>{{1}, {2}}), "+1+2");
  EXPECT_EQ(list(Either{Removed{3}}), "-3");
  EXPECT_EQ(list(std::vector<Either>{Added{1}, Removed{2}}), "+1-2");
  EXPECT_EQ(list(std::tuple{Added{1}, Closed{}}), "+1x");
  EXPECT_EQ(list(std::tuple{std::optional<Added>{}, std::vector<Either>{Removed{1}}, Closed{}}), "-1x");
}

static_assert(std::same_as<DecidedEvents<Added>, events<Added>>);
static_assert(std::same_as<DecidedEvents<std::vector<std::variant<Added, Removed>>>, events<Added, Removed>>);
static_assert(std::same_as<DecidedEvents<std::tuple<Added, std::optional<Added>, Closed>>, events<Added, Closed>>);

TEST(Rejected, CarriesItsReason) {
  try {
    throw rejected{"closed"};
  } catch (const std::runtime_error& refusal) {
    EXPECT_STREQ(refusal.what(), "closed");
  }
}

}  // namespace
}  // namespace lungo::test
