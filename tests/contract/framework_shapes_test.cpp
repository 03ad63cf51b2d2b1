// What becomes of events, and of a process's state, when their structs change: the same in every home.
#include "tests/contract/contract.hpp"

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/projections/engine.hpp>
#include "tests/support/temp_directory.hpp"

#include <array>
#include <utility>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

using Texts = std::vector<std::string>;

struct Money {
  std::int64_t cents = 0;
  std::string currency = "EUR";
};
// An event as it was at first, and as three later programs have it.
namespace first {
struct Sold {
  std::string item;
  std::int64_t price = 0;
};
}  // namespace first
namespace grown {
struct Sold {
  static constexpr std::array<lungo::FieldAlias, 1> field_aliases{{{"good", "item"}}};
  bool to_go = true;
  std::string good;
  std::int64_t price = 0;
};
}  // namespace grown
namespace careless {
struct Sold {
  std::string item;
  Money price;
};
}  // namespace careless
namespace mended {
struct Sold {
  std::string item;
  Money price;
  static Sold upcast(const first::Sold& old) { return {old.item, {old.price, "EUR"}}; }
};
}  // namespace mended

struct Sell {};

template <class Sold>
struct Shop {
  static constexpr std::string_view category = "Shop";
  using Events = lungo::events<Sold>;
  struct State {
    std::vector<Sold> sold;
  };
  static void evolve(State& s, const Sold& e) { s.sold.push_back(e); }
  static Sold decide(const State&, const Sell&) { return {}; }
};

struct Weighed {};

/// Remembers that something was weighed, in a field of either type.
template <class Amount>
struct Scales {
  static constexpr std::string_view category = "Scales";
  using Events = lungo::events<Weighed>;
  struct State {
    Amount weight{};
  };
  static std::string key(const Envelope&, const Weighed&) { return "all"; }
  static void evolve(State& s, const Weighed&) { s.weight = {1}; }
};

template <class Sold>
struct Takings {
  static constexpr std::string_view projection_name = "Takings";
  using Events = lungo::events<Sold>;
  using Key = std::string;
  struct State {
    std::int64_t cents = 0;
  };
  static Key key(const Envelope&, const Sold& e) { return e.item; }
  static void evolve(State& s, const Sold& e) { s.cents += e.price.cents; }
};

class Shapes : public Contract {
 protected:
  template <class E>
  void append_event(const E& event) {
    EventStore store{log};
    store.stream_topic("events").value();
    store.append("events", StreamId("Shop", "1"), event).value();
  }
  /// As that program has them, as JSON.
  template <class Sold>
  Texts all_sold() {
    Texts texts;
    for (const Sold& event : Aggregates<Shop<Sold>>{EventStore{log}}.load("1").value().state.sold)
      texts.push_back(to_json(event));
    return texts;
  }
  template <class Amount>
  Result<void> run_scales() {
    Process<Scales<Amount>> scales{EventStore{log}};
    Result<void> ran = scales.start();
    if (ran) ran = scales.catch_up(20s);  // partitions may be opened behind start()
    return ran ? scales.stop() : ran;
  }
  template <class T>
  static void expect_misfit(const Result<T>& refused, std::string_view what, std::string_view why) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::incompatible_shape);
    EXPECT_NE(refused.error().text().find(what), std::string_view::npos) << refused.error();
    EXPECT_NE(refused.error().text().find(why), std::string_view::npos) << refused.error();
  }
  using CentsAndParked = std::pair<std::int64_t, std::int64_t>;
  /// What was taken for tea, and how many events are parked.
  template <class Sold>
  CentsAndParked takings(bool rebuild) {
    EventStore store{log};
    Engine engine{store, sqlite(rows_ / "views.db")};
    auto& takings = engine.add<Takings<Sold>>();
    engine.start().value();
    engine.catch_up(20s).value();
    if (rebuild) engine.rebuild().value();
    return {takings.get("tea").value()->cents, takings.status().parked};
  }

 private:
  const test::TempDirectory rows_;
};

TEST_P(Shapes, ThatHaveGrownAreReadInTheNewForm) {
  append_event(first::Sold{"tea", 300});
  home->restart(log);
  append_event(grown::Sold{false, "milk", 120});
  EXPECT_EQ(all_sold<grown::Sold>(), (Texts{R"({"to_go":true,"good":"tea","price":300})",  // as nobody said that it is not
                                            R"({"to_go":false,"good":"milk","price":120})"}));
}

TEST_P(Shapes, ThatDoNotFitAreRefusedByNameUntilThereIsAnUpcast) {
  append_event(first::Sold{"tea", 300});
  home->restart(log);
  expect_misfit(Aggregates<Shop<careless::Sold>>{EventStore{log}}.execute("1", Sell{}), "Sold",
                "field price: the writer has int64, this program Money");
  home->restart(log);
  EXPECT_EQ(all_sold<mended::Sold>(), Texts{R"({"item":"tea","price":{"cents":300,"currency":"EUR"}})"});
}

TEST_P(Shapes, OfAStateThatDoNotFitKeepItsProcessFromRunning) {
  append_event(Weighed{});
  ASSERT_TRUE(run_scales<std::int64_t>());
  home->restart(log);
  expect_misfit(run_scales<Money>(), "Scales", "field weight: the writer has int64, this program Money");
}

TEST_P(Shapes, ThatDoNotFitParkEventsUntilAProjectionIsRebuilt) {
  for (const int cents : {300, 20}) append_event(first::Sold{"tea", cents});
  home->restart(log);
  append_event(careless::Sold{"tea", {1}});
  EXPECT_EQ(takings<careless::Sold>(false), (CentsAndParked{1, 2}));
  home->restart(log);
  EXPECT_EQ(takings<mended::Sold>(false), (CentsAndParked{1, 2})) << "nobody has asked";
  EXPECT_EQ(takings<mended::Sold>(true), (CentsAndParked{321, 0}));
}

INSTANTIATE_TEST_SUITE_P(Homes, Shapes, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
