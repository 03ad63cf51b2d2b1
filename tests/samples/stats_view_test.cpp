// Statistics views against what the events say, and against views that are loaded anew.
#include <boost/json.hpp>

#include "tests/samples/stats_fixture.hpp"

namespace lungo::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using tracker::StatsFilter;
using tracker::StatsView;

class StatsViews : public StatsTest {
 protected:
  StatsView loaded(const StatsFilter& filter) {
    StatsView view{filter, filter.resolve(now, tracker::oldest_day(rows).value())};
    EXPECT_TRUE(tracker::load_rows(rows, view).has_value());
    return view;
  }
  json::object whole(const StatsFilter& filter) { return loaded(filter).whole(); }
};

StatsFilter filter_of(const std::string& period, std::optional<std::string> page = {}) {
  StatsFilter filter;
  filter.period = period;
  filter.page = std::move(page);
  return filter;
}

// Puts the parts of a change into a view as the dashboard does.
void put_in(json::object& view, const json::object& change) {
  for (const auto& [name, part] : change) {
    if (name == "points") {
      std::map<std::string, json::value> points;
      json::array& series = view["series"].as_object()["points"].as_array();
      for (const json::value& point : series) points[std::string{point.at("at").as_string()}] = point;
      for (const json::value& point : part.as_array()) points[std::string{point.at("at").as_string()}] = point;
      series.clear();
      for (const auto& [at, point] : points) series.push_back(point);
    } else if (name == "lists") {
      for (const auto& [list, rows] : part.as_object()) view["lists"].as_object()[list] = rows;
    } else {
      view[name] = part;
    }
  }
}

TEST_F(StatsViews, EmptyStoreHasAllPartsWithNothingInThem) {
  start();
  EXPECT_EQ(json::serialize(whole(filter_of("today"))),
            R"({"filter":{"period":"today","from":"2026-03-01","to":"2026-03-01","page":null},)"
            R"("totals":{"visitors":0,"hits":0,"views":0,"sessions":0,"bounces":0,"ended":0,"duration_seconds":0,"pages":0},)"
            R"("comparison":{"unit":"hour","from":"2026-03-01","until":"2026-03-01 13","before_from":"2026-02-28",)"
            R"("before_until":"2026-02-28 13","now":{"visitors":null,"hits":0,"views":0,"sessions":null,"bounces":null,)"
            R"("ended":null,"duration_seconds":null,"pages":null},"before":{"visitors":null,"hits":0,"views":0,)"
            R"("sessions":null,"bounces":null,"ended":null,"duration_seconds":null,"pages":null}},)"
            R"("series":{"unit":"hour","points":[]},"lists":{"pages":{"rows":[],"names":0},"referrers":{"rows":[],"names":0},)"
            R"("browsers":{"rows":[],"names":0},"systems":{"rows":[],"names":0},"devices":{"rows":[],"names":0},)"
            R"("entry_pages":{"rows":[],"names":0},"exit_pages":{"rows":[],"names":0},"status_codes":{"rows":[],"names":0},)"
            R"("events":{"rows":[],"names":0}},"funnel":{"name":"* > * > *","steps":[{"page":"*","sessions":0},)"
            R"({"page":"*","sessions":0},{"page":"*","sessions":0}]},"live":0})");
  EXPECT_TRUE(whole(filter_of("all")).at("comparison").is_null());
}

TEST_F(StatsViews, WhatHappenedIsCountedOnItsDay) {
  start();
  tracker::PageViewed viewed;
  viewed.target = "/menu?table=3";
  viewed.browser = "Firefox";
  for (const auto& time : {now, now - 13h, now - 13h - 1s}) {  // noon, midnight, the second before
    viewed.time = time;
    append(viewed);
  }
  tracker::Request missing;
  missing.time = now;
  missing.target = "/nothing";
  missing.status = 404;
  missing.referrer_host = "a.example";
  append(missing);
  catch_up();
  const json::object today = whole(filter_of("today"));
  EXPECT_EQ(today.at("totals").at("hits"), 3);
  EXPECT_EQ(today.at("totals").at("views"), 2);
  EXPECT_EQ(today.at("totals").at("visitors"), 1);
  EXPECT_EQ(json::serialize(today.at("series").at("points")),
            R"([{"at":"2026-03-01 00","hits":1,"views":1},{"at":"2026-03-01 13","hits":2,"views":1}])");
  EXPECT_EQ(json::serialize(today.at("lists").at("pages")), R"({"rows":[{"name":"/menu","count":2}],"names":1})");
  EXPECT_EQ(json::serialize(today.at("lists").at("status_codes")), R"({"rows":[{"name":"404","count":1}],"names":1})");

  const json::object page = whole(filter_of("today", "/menu"));
  EXPECT_TRUE(page.at("totals").at("visitors").is_null());
  EXPECT_EQ(page.at("totals").at("views"), 2);
  EXPECT_EQ(
      json::serialize(page.at("series")),
      R"({"unit":"hour","points":[{"at":"2026-03-01 00","hits":1,"views":1},{"at":"2026-03-01 13","hits":1,"views":1}]})");
  EXPECT_EQ(json::serialize(page.at("lists").at("referrers")), R"({"rows":[{"name":"","count":2}],"names":1})");
  EXPECT_EQ(json::serialize(page.at("lists").at("browsers")), R"({"rows":[{"name":"Firefox","count":2}],"names":1})");
  const json::object half = whole(filter_of("30m"));
  EXPECT_EQ(json::serialize(half.at("series")), R"({"unit":"minute","points":[{"at":"2026-03-01 13:00","hits":2,"views":1}]})");
  EXPECT_TRUE(half.at("totals").at("visitors").is_null());
  EXPECT_EQ(half.at("lists").at("pages"), today.at("lists").at("pages"));
}

TEST_F(StatsViews, PageOfAllTimesHasTheDaysThatThereAreAndThoseOfItsEventsAlone) {
  start();
  tracker::PageViewed viewed;
  viewed.target = "/menu";
  for (const auto& time : {now - 24h * 365 * 40, now}) {
    viewed.time = time;
    append(viewed);
  }
  tracker::CustomEvent ordered;
  ordered.name = "order";
  ordered.target = "/menu";
  for (const auto& time : {now - 24h * 365 * 20, now - 24h * 30}) {  // days without a hit
    ordered.time = time;
    append(ordered);
  }
  ordered.target = "/other";
  append(ordered);
  catch_up();
  const json::object page = whole(filter_of("all", "/menu"));
  EXPECT_EQ(page.at("totals").at("views"), 2);
  EXPECT_EQ(json::serialize(page.at("lists").at("events")), R"({"rows":[{"name":"order","count":2}],"names":1})");
  EXPECT_EQ(page.at("series").at("points").as_array().size(), 2u);
}

// A visit in each of these hours of today and of yesterday, and one a day in the days before: of the period that goes on only
// what is over counts, and of the one before as much.
TEST_F(StatsViews, WhatGoesOnIsNotComparedWithWhatIsOver) {
  start();
  tracker::PageViewed viewed;
  viewed.target = "/menu";
  const auto view_at = [&](std::chrono::sys_seconds time) {
    viewed.time = time;
    append(viewed);
  };
  for (const auto& ago : {0h, 1h, 2h, 24h, 25h, 26h, 27h}) view_at(now - ago);  // it is 13:00
  for (int day = 2; day < 60; ++day) view_at(now - day * 24h);
  catch_up();
  const auto views = [this](const StatsFilter& filter) {
    const json::value compared = whole(filter).at("comparison");
    return std::pair{compared.at("now").at("views").to_number<int>(), compared.at("before").at("views").to_number<int>()};
  };
  for (const std::optional<std::string>& page : {std::optional<std::string>{}, std::optional<std::string>{"/menu"}}) {
    SCOPED_TRACE(page.value_or("all pages"));
    EXPECT_EQ(views(filter_of("today", page)), std::pair(2, 3)) << "up to 13:00";
    EXPECT_EQ(views(filter_of("7d", page)), std::pair(4 + 5, 6)) << "without today, and without the day before the week";
    EXPECT_EQ(views(filter_of("30d", page)), std::pair(4 + 28, 29));
    EXPECT_EQ(whole(filter_of("7d", page)).at("totals").at("views"), 3 + 4 + 5) << "what is shown has today in it";
  }
  EXPECT_TRUE(whole(filter_of("today")).at("comparison").at("now").at("visitors").is_null()) << "not counted by hours";
  EXPECT_EQ(whole(filter_of("7d")).at("comparison").at("now").at("visitors"), 6);
  viewed.target = "/";
  for (const auto& ago : {59min, 31min, 30min, 29min, 1min}) view_at(now - ago);
  catch_up();
  EXPECT_EQ(views(filter_of("30m")), std::pair(2, 2)) << "this minute goes on, and so its counterpart, 12:30, is left out";
}

TEST_F(StatsViews, LiveVisitorsAreThoseOfFiveMinutesEachOnce) {
  start();
  tracker::PageViewed viewed;
  for (const auto& ago : {0min, 4min, 5min}) {
    for (int visitor = 0; visitor < 2; ++visitor) {
      viewed.visitor[3] = static_cast<std::byte>(visitor + (ago == 4min ? 1 : 0) + (ago == 5min ? 7 : 0));
      viewed.time = now - ago;
      append(viewed);
    }
  }
  catch_up();
  EXPECT_EQ(tracker::live_visitors(rows, now).value(), 3);
}

TEST_F(StatsViews, ViewThatIsKeptUpToDateEqualsOneThatIsLoadedAnew) {
  start();
  std::vector<StatsFilter> filters;
  for (const char* period : {"30m", "today", "7d", "30d", "12mo", "all"}) {
    filters.push_back(filter_of(period));
    filters.push_back(filter_of(period, "/menu"));
  }
  StatsFilter dates = filter_of("custom");
  dates.from = "2026-02-27";
  dates.to = "2026-02-28";
  filters.push_back(dates);
  std::vector<StatsView> views;
  std::vector<json::object> shown;
  for (const StatsFilter& filter : filters) {
    views.push_back(loaded(filter));
    shown.push_back(views.back().whole());
  }
  std::vector<WatchToken> tokens;
  tracker::for_each_stats_projection(rows, [&]<class P>(Projection<P>& projection) {
    tokens.push_back(projection.watch([&views](const typename Projection<P>::Changes& changes) {
      for (const auto& row : changes.rows)
        for (StatsView& view : views) view.apply(tracker::stats_row<P>(row.key, row.state));
    }));
  });
  for (int round = 0; round < 25; ++round) {
    for (std::uint64_t events = random.below(120); events > 0; --events) append_random_event();
    catch_up();
    sim.executor.run_for(1s);
    for (std::size_t i = 0; i < views.size(); ++i) {
      SCOPED_TRACE(filters[i].period + filters[i].page.value_or(""));
      put_in(shown[i], views[i].changes());
      const bool begins_elsewhere = views[i].period() != filters[i].resolve(now, tracker::oldest_day(rows).value());
      if (begins_elsewhere) continue;  // `all` of a log that got older days: the desk loads it anew
      const std::string fresh = json::serialize(whole(filters[i]));
      ASSERT_EQ(json::serialize(shown[i]), fresh);
      ASSERT_EQ(json::serialize(views[i].changes()), "{}");
      StatsView copy = views[i];
      ASSERT_EQ(json::serialize(copy.whole()), fresh);
    }
  }
}

}  // namespace
}  // namespace lungo::test
