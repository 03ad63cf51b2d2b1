// The desk: shared views that move with the rows, bounds on all that is queued, rebuilds and what is told of them.
#include <boost/json.hpp>

#include "tests/samples/stats_fixture.hpp"
#include "web/stats_desk.hpp"

namespace lungo::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using tracker::StatsDesk;
using tracker::StatsFilter;

class Desk : public StatsTest {
 protected:
  Desk() {
    sim.clock.set_wall(now);
    desk.set_running(running.get());
    desk.set_sink([this](std::uint64_t view, std::shared_ptr<const std::string> text) {
      told.push_back({view, json::parse(*text).as_object(), sim.clock.monotonic()});
    });
    start();
  }
  ~Desk() override { desk.set_running(nullptr); }

  /// Runs on the desk's thread and waits for it.
  template <class Job>
  auto on_desk(Job job) {
    std::optional<decltype(job())> answer;
    EXPECT_TRUE(desk.submit([&] { answer = job(); }));
    EXPECT_TRUE(sim.executor.wait_until([&] { return answer.has_value(); }, sim.clock.monotonic() + 10s));
    return std::move(*answer);
  }
  StatsDesk::Watched watch(const StatsFilter& filter = {}) {
    return on_desk([&] { return desk.watch(filter); }).value();
  }
  void view_page(const std::string& page, int visitor = 1) {
    tracker::PageViewed viewed;
    viewed.visitor[0] = static_cast<std::byte>(visitor);
    viewed.time = std::chrono::floor<std::chrono::seconds>(sim.clock.now());
    viewed.target = page;
    append(viewed);
  }
  json::object fresh(const StatsFilter& filter = {}) {
    tracker::StatsView view{
        filter, filter.resolve(std::chrono::floor<std::chrono::seconds>(sim.clock.now()), tracker::oldest_day(rows).value())};
    EXPECT_TRUE(tracker::load_rows(rows, view).has_value());
    view.set_live(tracker::live_visitors(rows, std::chrono::floor<std::chrono::seconds>(sim.clock.now())).value());
    return view.whole();
  }

  struct Told {
    std::uint64_t view;
    json::object message;
    Instant at;
  };
  std::vector<Told> told;
  StatsDesk desk{engine, rows, ports};
  std::unique_ptr<RunningActivity> running = sim.executor.start(desk);
};

StatsFilter filter_of(const std::string& period, std::optional<std::string> page = {}) {
  StatsFilter filter;
  filter.period = period;
  filter.page = std::move(page);
  return filter;
}

TEST_F(Desk, WatchedViewIsToldWhatChangedAndNoMoreThanThat) {
  const StatsDesk::Watched watched = watch();
  const json::object whole = json::parse(watched.text).as_object();
  EXPECT_EQ(whole.at("type"), "view");
  EXPECT_EQ(whole.at("view").at("totals").at("views"), 0);
  view_page("/menu");
  sim.executor.run_for(500ms);
  ASSERT_EQ(told.size(), 1U);
  const json::object& change = told[0].message;
  EXPECT_EQ(told[0].view, watched.view);
  EXPECT_EQ(change.at("type"), "change");
  EXPECT_EQ(change.at("totals").at("views"), 1);
  EXPECT_EQ(json::serialize(change.at("lists").at("pages")), R"({"rows":[{"name":"/menu","count":1}],"names":1})");
  EXPECT_EQ(json::serialize(change.at("points")), R"([{"at":"2026-03-01","hits":1,"views":1}])");
  EXPECT_FALSE(change.contains("comparison")) << "today goes on: it is not compared";
  EXPECT_FALSE(change.contains("funnel"));
  EXPECT_FALSE(change.at("lists").as_object().contains("exit_pages"));
  told.clear();
  sim.executor.run_for(1s);
  ASSERT_EQ(told.size(), 1U) << "the next tick sees who is live";
  EXPECT_EQ(json::serialize(told[0].message), R"({"type":"change","live":1})");
  told.clear();
  sim.executor.run_for(4min);
  EXPECT_TRUE(told.empty());
  sim.executor.run_for(2min);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(json::serialize(told[0].message), R"({"type":"change","live":0})");
}

TEST_F(Desk, ManyChangesAreOneMessagePerInterval) {
  watch();
  for (int i = 0; i < 100; ++i) {
    view_page("/" + std::to_string(i % 7));
    sim.executor.run_for(10ms);
  }
  sim.executor.run_for(300ms);
  EXPECT_LE(told.size(), 16U);
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GE(told[i].at - told[i - 1].at, 99ms);
  EXPECT_GT(told.size(), 2U);
  EXPECT_EQ(json::parse(on_desk([&] { return desk.stats({}); }).value()).at("totals").at("views"), 100);
}

TEST_F(Desk, EqualFiltersShareAViewAndTheSecondWatcherHidesNothingFromTheFirst) {
  const StatsDesk::Watched first = watch(filter_of("today"));
  view_page("/a");
  catch_up();
  sim.executor.run_due();  // the change has come and was not told yet, or was
  const StatsDesk::Watched second = watch(filter_of("today"));
  EXPECT_EQ(second.view, first.view);
  sim.executor.run_for(300ms);
  bool told_views = false;
  for (const Told& one : told) told_views = told_views || one.message.contains("totals");
  EXPECT_TRUE(told_views) << "who watched first lacks the change otherwise";
  desk.unwatch(first.view);
  told.clear();
  view_page("/b");
  sim.executor.run_for(300ms);
  EXPECT_FALSE(told.empty()) << "one still watches";
  desk.unwatch(second.view);
  sim.executor.run_for(300ms);
  told.clear();
  view_page("/c");
  sim.executor.run_for(3s);
  EXPECT_TRUE(told.empty());
}

TEST_F(Desk, FurtherFiltersAreRefusedAndWelcomeAgainWhenOneGoes) {
  std::vector<std::uint64_t> views;
  for (std::size_t i = 0; i < StatsDesk::kViewsMax; ++i) views.push_back(watch(filter_of("7d", "/" + std::to_string(i))).view);
  const auto refused = on_desk([&] { return desk.watch(filter_of("7d", "/more")); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::busy);
  desk.unwatch(views[3]);
  sim.executor.run_due();
  EXPECT_TRUE(on_desk([&] { return desk.watch(filter_of("7d", "/more")); }).has_value());
}

TEST_F(Desk, ViewIsKeptForAWhileSoThatAPageThatAsksAndThenWatchesReadsRowsOnce) {
  const StatsFilter week = filter_of("7d");
  const auto stats = [&] { return json::parse(on_desk([&] { return desk.stats(week); }).value()).as_object(); };
  view_page("/a");
  EXPECT_EQ(stats(), fresh(week));
  view_page("/a", 2);
  EXPECT_EQ(stats(), fresh(week)) << "a view that is kept moves with the rows";
  StatsDesk::Watched watched = watch(week);
  EXPECT_EQ(watched.view, 1u) << "the first view that was ever made";
  EXPECT_EQ(json::parse(watched.text).as_object().at("view"), fresh(week));
  desk.unwatch(watched.view);
  sim.executor.run_for(StatsDesk::kKept - 1s);
  view_page("/b");
  told.clear();
  sim.executor.run_for(500ms);
  EXPECT_TRUE(told.empty()) << "nobody watches";
  watched = watch(week);
  EXPECT_EQ(watched.view, 1u);
  EXPECT_EQ(json::parse(watched.text).as_object().at("view"), fresh(week));
  desk.unwatch(watched.view);
  sim.executor.run_for(StatsDesk::kKept + 1s);
  EXPECT_EQ(watch(week).view, 2u);
}

TEST_F(Desk, WhatIsAskedForIsAnsweredThoughThereIsNoRoomToKeepIt) {
  for (std::size_t i = 0; i < StatsDesk::kViewsMax; ++i) watch(filter_of("7d", "/" + std::to_string(i)));
  view_page("/a");
  EXPECT_EQ(json::parse(on_desk([&] { return desk.stats({}); }).value()).as_object(), fresh());
  for (std::size_t i = 0; i < 2 * StatsDesk::kViewsMax; ++i)
    EXPECT_TRUE(on_desk([&] { return desk.stats(filter_of("30d", "/" + std::to_string(i))); }).has_value());
}

TEST_F(Desk, ViewsThatNobodyWatchesMakeRoom) {
  for (std::size_t i = 0; i < 2 * StatsDesk::kViewsMax; ++i)
    EXPECT_TRUE(on_desk([&] { return desk.stats(filter_of("30d", "/" + std::to_string(i))); }).has_value());
  for (std::size_t i = 0; i < StatsDesk::kViewsMax; ++i) watch(filter_of("7d", "/" + std::to_string(i)));
  EXPECT_EQ(on_desk([&] { return desk.watch(filter_of("7d", "/more")); }).error(), Errc::busy);
}

TEST_F(Desk, JobsAreRefusedWhenTooManyWait) {
  std::size_t taken = 0;
  std::size_t done = 0;
  while (taken < 10'000 && desk.submit([&done] { ++done; })) ++taken;
  EXPECT_EQ(taken, StatsDesk::kJobsMax);
  EXPECT_TRUE(sim.executor.wait_until([&] { return done == taken; }, sim.clock.monotonic() + 10s));
  EXPECT_TRUE(desk.submit([] { throw 1; }));
  EXPECT_TRUE(desk.submit([&done] { ++done; }));
  EXPECT_TRUE(sim.executor.wait_until([&] { return done == taken + 1; }, sim.clock.monotonic() + 10s));
}

TEST_F(Desk, TooManyChangesEndInAViewThatIsLoadedAnew) {
  watch();
  told.clear();
  desk.set_running(nullptr);
  running.reset();  // the desk is held up
  for (int i = 0; i < 12'000; ++i) view_page("/" + std::string(800, 'x') + std::to_string(i));
  catch_up();
  running = sim.executor.start(desk);
  desk.set_running(running.get());
  sim.executor.run_for(2s);
  bool reloaded = false;
  for (const Told& one : told) reloaded = reloaded || one.message.at("type") == "view";
  EXPECT_TRUE(reloaded);
  EXPECT_EQ(on_desk([&] { return desk.stats({}); }).value(), json::serialize(fresh()));
}

TEST_F(Desk, PeriodsMoveOnAtMidnight) {
  view_page("/a");
  catch_up();
  const StatsDesk::Watched watched = watch(filter_of("today"));
  EXPECT_EQ(json::parse(watched.text).at("view").at("totals").at("views"), 1);
  sim.executor.run_for(11h + 2s);
  ASSERT_FALSE(told.empty());
  const json::object& last = told.back().message;
  ASSERT_EQ(last.at("type"), "view");
  EXPECT_EQ(last.at("view").at("filter").at("from"), "2026-03-02");
  EXPECT_EQ(last.at("view").at("totals").at("views"), 0);
  EXPECT_TRUE(last.at("view").at("comparison").is_null()) << "no hour is over yet";
  told.clear();
  sim.executor.run_for(1h);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().message.at("view").at("comparison").at("until"), "2026-03-02 01");
}

TEST_F(Desk, RebuildIsToldAndViewsStayTrue) {
  for (int i = 0; i < 300; ++i) append_random_event();
  catch_up();
  watch();
  EXPECT_EQ(json::parse(on_desk([&] { return desk.watch_projections(); }).value().text).at("rebuild"), nullptr);
  EXPECT_EQ(on_desk([&] { return desk.begin_rebuild({"Nobody"}); }).error(), Errc::not_found);
  EXPECT_EQ(on_desk([&] { return desk.cancel_rebuild(); }).error(), Errc::not_found);
  const json::object before = fresh();
  told.clear();
  ASSERT_TRUE(on_desk([&] { return desk.begin_rebuild({}); }).has_value());
  sim.executor.run_for(5s);
  const json::object report = json::parse(on_desk([&] { return desk.projections(); }).value()).as_object();
  EXPECT_EQ(report.at("rebuild").at("state"), "done");
  EXPECT_EQ(report.at("rebuild").at("projections").as_array().size(), engine.names().size());
  EXPECT_EQ(report.at("projections").at(0).at("generation"), 2);
  EXPECT_EQ(report.at("projections").at(0).at("lag"), 0);
  EXPECT_EQ(report.at("projections").at(0).at("position"), report.at("projections").at(0).at("end"));
  bool view_was_told = false;
  bool rebuild_was_told = false;
  for (const Told& one : told) {
    view_was_told = view_was_told || one.message.at("type") == "view";
    rebuild_was_told =
        rebuild_was_told || (one.view == StatsDesk::kProjections && one.message.at("rebuild").at("state") == "done");
  }
  EXPECT_TRUE(view_was_told);
  EXPECT_TRUE(rebuild_was_told);
  EXPECT_EQ(on_desk([&] { return desk.stats({}); }).value(), json::serialize(before));
}

TEST_F(Desk, ViewsThatTakeTooMuchMemoryAreRefusedButForTheFirst) {
  StatsDesk small{engine, rows, ports, 100ms, 1};
  EXPECT_TRUE(small.watch({}));
  StatsFilter other;
  other.period = "7d";
  const Result<StatsDesk::Watched> refused = small.watch(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::busy);
  EXPECT_TRUE(small.watch({})) << "one that is there takes no more";
}

TEST_F(Desk, LightJobsGoFirst) {
  desk.set_running(nullptr);
  std::string order;
  EXPECT_TRUE(desk.submit([&] { order += 'h'; }));
  EXPECT_TRUE(desk.submit([&] { order += 'l'; }, StatsDesk::Load::light));
  EXPECT_TRUE(desk.submit([&] { order += 'l'; }, StatsDesk::Load::light));
  on_desk([] { return true; });
  EXPECT_EQ(order, "llh");
}

}  // namespace
}  // namespace lungo::test
