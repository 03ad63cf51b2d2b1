// The read models where partitions are folded each by itself: merged in any order their rows are those of all events together.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <lungo/framework/testing.hpp>

#include "model/projections.hpp"
#include "tests/support/random.hpp"

namespace tracker {
namespace {

using namespace std::chrono_literals;

constexpr int kEvents = 400;
constexpr std::int32_t kPartitions = 4;
constexpr int kRounds = 10;

/// Few values of each kind, so that partitions share keys, and a second day.
class SomeEvents {
 public:
  explicit SomeEvents(std::uint64_t seed) : random_(seed) {}

  void fill(Request& e) {
    fill_page(e);
    e.zone_minutes = 60;
    e.status = random_.one_in(4) ? 404 : 200;
    e.kind = random_.one_in(3) ? RequestKind::asset : RequestKind::page;
  }
  void fill(PageViewed& e) { fill_page(e); }
  void fill(CustomEvent& e) {
    fill_page(e);
    e.name = one_of({"Order", "Click"});
  }
  void fill(SessionStarted& e) { fill_session(e); }
  void fill(SessionEnded& e) {
    fill_session(e);
    e.duration_seconds = static_cast<std::int64_t>(random_.below(1000));
    e.pages = 1 + static_cast<std::int64_t>(random_.below(5));
    e.bounce = e.pages == 1;
    e.exit_page = one_of({"/", "/menu"});
    e.path = {e.entry_page, e.exit_page};
  }
  std::size_t below(std::size_t end) { return random_.below(end); }

 private:
  template <class E>
  void fill_page(E& e) {
    e.visitor[0] = static_cast<std::byte>(random_.below(4));
    e.visitor[15] = static_cast<std::byte>(random_.below(8));
    e.time = some_time();
    e.target = one_of({"/", "/menu", "/espresso?from=mail"});
    e.referrer_host = one_of({"", "a.example", "b.example"});
    e.browser = one_of({"Firefox", "Chrome", ""});
    e.system = one_of({"Linux", "Android"});
    e.device = random_.one_in(2) ? Device::desktop : Device::mobile;
    e.bot = random_.one_in(6);
  }
  template <class E>
  void fill_session(E& e) {
    e.started = some_time();
    e.entry_page = one_of({"/", "/menu", "/shop"});
  }
  std::chrono::sys_seconds some_time() {
    return std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + 23h + std::chrono::minutes{random_.below(90)};
  }
  std::string one_of(const std::vector<std::string>& values) { return values[random_.below(values.size())]; }

  lungo::test::Random random_;
};

using AllReadModels = testing::Types<HitsPerMinute, HitsPerHour, HitsPerDay, StatusCodes, TopTargets, PagesPerDay,
                                     PageReferrers, Referrers, Browsers, Systems, Devices, CustomEvents, PageCustomEvents,
                                     Visitors, VisitorSketch, ActiveVisitors, SessionsPerDay, EntryPages, ExitPages, Funnel>;

template <class P, class... E>
void add_some(lungo::test::Interleavings<P>& rows, SomeEvents& events, lungo::events<E...>) {
  for (int number = 0; number < kEvents; ++number) {
    const lungo::PartitionId partition{static_cast<std::int32_t>(events.below(kPartitions))};
    std::size_t turn = events.below(sizeof...(E));
    const auto add = [&]<class Event>(Event event) {
      if (turn-- != 0) return;
      events.fill(event);
      rows.add(partition, "visitor-1", {}, event);
    };
    (add(E{}), ...);
  }
}

template <class P>
void expect_same_rows() {
  SCOPED_TRACE(lungo::projection_name<P>());
  const std::uint64_t seed = lungo::test::test_seed(31);
  SomeEvents events{seed};
  lungo::test::Interleavings<P> rows;
  add_some(rows, events, typename P::Events{});
  try {
    rows.check(kRounds, seed);
  } catch (const lungo::test::failed& difference) {
    ADD_FAILURE() << difference.what();
  }
}

TEST(Spread, ShuffledPartitionsMergeToEqualRows) {
  []<class... P>(testing::Types<P...>*) { (expect_same_rows<P>(), ...); }(static_cast<AllReadModels*>(nullptr));
}

TEST(Spread, MoreActiveVisitorsThanAreKeptMergeToABoundedRow) {
  ActiveVisitors::State odd, even;
  for (std::int64_t number = 0; number < 2 * kActiveVisitorsMax; ++number) {
    PageViewed page;
    for (std::size_t byte = 0; byte < 4; ++byte) page.visitor[byte] = static_cast<std::byte>(number >> (8 * (3 - byte)));
    ActiveVisitors::evolve(number % 2 == 0 ? even : odd, page);
  }
  const ActiveVisitors::State all = ActiveVisitors::merge(odd, even);
  EXPECT_EQ(all.count, kActiveVisitorsMax);
  EXPECT_EQ(all.ids.size(), static_cast<std::size_t>(kActiveVisitorsMax) * kActiveIdBytes);
  EXPECT_EQ(ActiveVisitors::merge(even, odd).ids, all.ids);
}

}  // namespace
}  // namespace tracker
