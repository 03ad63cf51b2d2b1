// The read models' folds over events made by hand: what a page of an access log and one told by the beacon have in common.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include <lungo/framework/testing.hpp>

#include "model/projections.hpp"
#include "model/sessions.hpp"
#include "tests/support/random.hpp"

namespace tracker {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::sys_seconds kNoon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + 12h;

PageViewed viewed(const std::string& target, std::chrono::sys_seconds time = kNoon) {
  PageViewed page;
  page.time = time;
  page.target = target;
  page.browser = "Firefox";
  page.system = "Linux";
  page.device = Device::desktop;
  return page;
}

template <class P, class E>
auto key_of(const E& event, const lungo::Envelope& envelope = {}) {
  return P::key(envelope, event);
}

TEST(ReadModels, PageToldByTheBeaconIsAViewAndABotsIsNot) {
  PageViewed page = viewed("/menu?from=mail");
  EXPECT_EQ(DayPage(key_of<PagesPerDay>(page)), (DayPage{"2026-11-25", "/menu"}));
  EXPECT_EQ(key_of<HitsPerMinute>(page).view(), "2026-11-25 12:00");
  EXPECT_EQ(DayValue(*key_of<Devices>(page)), (DayValue{"2026-11-25", "desktop"}));
  EXPECT_EQ(DayValue(*key_of<Referrers>(page)), (DayValue{"2026-11-25", ""}));
  EXPECT_FALSE(key_of<PageReferrers>(page)) << "who came directly is the rest of the page's views";
  page.referrer_host = "a.example";
  EXPECT_EQ(DayPageValue(*key_of<PageReferrers>(page)), (DayPageValue{"2026-11-25", "/menu", "a.example"}));
  Hits hits;
  HitsPerDay::evolve(hits, page);
  page.bot = true;
  HitsPerDay::evolve(hits, page);
  EXPECT_EQ(hits.hits, 2);
  EXPECT_EQ(hits.views, 1);
  EXPECT_FALSE(key_of<Browsers>(page));
}

TEST(ReadModels, CustomEventIsCountedByNameAndPage) {
  CustomEvent event;
  event.name = "Order";
  event.time = kNoon;
  event.target = "/cart?x";
  EXPECT_EQ(DayValue(key_of<CustomEvents>(event)), (DayValue{"2026-11-25", "Order"}));
  EXPECT_EQ(DayPageValue(key_of<PageCustomEvents>(event)), (DayPageValue{"2026-11-25", "/cart", "Order"}));
}

TEST(ActiveVisitors, CountsPeopleOfTheLiveLaneOnceAMinuteUpToABound) {
  PageViewed page = viewed("/");
  lungo::Envelope envelope;
  EXPECT_EQ(key_of<ActiveVisitors>(page, envelope)->view(), "2026-11-25 12:00");
  envelope.lane = "import-1";
  EXPECT_FALSE(key_of<ActiveVisitors>(page, envelope)) << "an import is history";
  page.bot = true;
  EXPECT_FALSE(key_of<ActiveVisitors>(page));

  lungo::test::Random random{lungo::test::test_seed(21)};
  ActiveVisitors::State state;
  for (int i = 0; i < 40'000; ++i) {
    page.visitor[0] = static_cast<std::byte>(random.below(256));
    page.visitor[7] = static_cast<std::byte>(random.below(256));
    page.visitor[15] = static_cast<std::byte>(i);  // not looked at
    ActiveVisitors::evolve(state, page);
  }
  EXPECT_EQ(state.count, kActiveVisitorsMax);
  EXPECT_EQ(state.ids.size(), static_cast<std::size_t>(state.count) * kActiveIdBytes);
  for (std::size_t at = kActiveIdBytes; at < state.ids.size(); at += kActiveIdBytes)
    ASSERT_LT(std::memcmp(&state.ids[at - kActiveIdBytes], &state.ids[at], kActiveIdBytes), 0);
}

TEST(PageDay, HoldsWhatWasCountedWhateverTheOrder) {
  lungo::test::Random random{lungo::test::test_seed(22)};
  const std::string long_name(300, 'x');
  const std::vector<std::string> names{"Firefox", "Chrome", "", "UC Browser", "Edge", long_name};
  struct Hit {
    unsigned hour;
    std::optional<std::int32_t> status;
    bool is_view;
    std::string browser, system;
    Device device;
  };
  std::vector<Hit> events;
  for (int i = 0; i < 5'000; ++i) {
    events.push_back({static_cast<unsigned>(random.below(24)), std::nullopt, random.below(2) == 0, names[random.below(6)],
                      names[random.below(6)], static_cast<Device>(random.below(4))});
    if (random.below(3) > 0) events.back().status = 200 + static_cast<std::int32_t>(random.below(40));
  }
  std::map<unsigned, std::pair<std::uint32_t, std::uint32_t>> hours;
  std::map<std::int32_t, std::uint32_t> statuses;
  std::map<std::tuple<std::string, std::string, Device>, std::uint32_t> agents;
  const auto count = [](const std::vector<Hit>& list) {
    PageDay page;
    for (const Hit& hit : list) {
      add_hit(page, hit.hour, hit.is_view, hit.status);
      if (hit.is_view) add_view(page, hit.browser, hit.system, hit.device);
    }
    return page;
  };
  for (const Hit& hit : events) {
    ++hours[hit.hour].first;
    hours[hit.hour].second += hit.is_view ? 1 : 0;
    if (hit.status) ++statuses[*hit.status];
    if (hit.is_view) ++agents[{hit.browser.substr(0, 120), hit.system.substr(0, 120), hit.device}];
  }
  const PageDay page = count(events);
  EXPECT_EQ(page.hits, 5'000);
  visit_counts(page, {[&](unsigned hour, std::uint32_t hits, std::uint32_t views) {
                        EXPECT_EQ(hours[hour], std::pair(hits, views));
                        hours.erase(hour);
                      },
                      [&](std::uint16_t status, std::uint32_t requests) {
                        EXPECT_EQ(statuses[status], requests);
                        statuses.erase(status);
                      },
                      [&](std::string_view browser, std::string_view system, Device device, std::uint32_t views) {
                        const std::tuple key{std::string{browser}, std::string{system}, device};
                        EXPECT_EQ(agents[key], views);
                        agents.erase(key);
                      }});
  EXPECT_TRUE(hours.empty() && statuses.empty() && agents.empty());

  std::reverse(events.begin(), events.end());
  EXPECT_EQ(count(events).counts, page.counts);
}

TEST(PageDay, DamagedBytesEndTheWalk) {
  PageDay page;
  add_hit(page, 7, true, 200);
  add_view(page, "Firefox", "Linux", Device::desktop);
  const std::vector<std::byte> whole = page.counts;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    page.counts.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    visit_counts(page, {});
  }
  page.counts.assign(whole.size(), std::byte{0xff});
  visit_counts(page, {});
}

class SessionTimeout : public ::testing::Test {
 protected:
  ~SessionTimeout() override { set_session_timeout(30min); }
};

TEST_F(SessionTimeout, EndsASessionOfPagesThatTheBeaconTold) {
  set_session_timeout(10s);
  Sessions::State state;
  Sessions::evolve(state, viewed("/?x", kNoon));
  Sessions::evolve(state, viewed("/menu", kNoon + 10s));
  EXPECT_EQ(state.pages, 2);
  EXPECT_EQ(state.path, (std::vector<std::string>{"/", "/menu"}));
  EXPECT_EQ(state.number, 1);
  Sessions::evolve(state, viewed("/cart", kNoon + 21s));
  EXPECT_EQ(state.pages, 1);
  EXPECT_EQ(state.number, 2);
  PageViewed bot = viewed("/bot", kNoon + 22s);
  bot.bot = true;
  Sessions::evolve(state, bot);
  EXPECT_EQ(state.exit_page, "/cart");
}

}  // namespace
}  // namespace tracker
