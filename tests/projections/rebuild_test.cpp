// Replay is the truth: a rebuild gives the rows that the live projection has, wherever it was cut off.
#include "tests/projections/rebuild_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

TEST_F(RebuildTest, RowsEqualTheLiveOnes) {
  append_random(store, random, 10000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  const RebuildReport report = engine->rebuild().value();
  EXPECT_EQ(report.projections.size(), 3u);
  EXPECT_EQ(report.events, 10000u);
  EXPECT_FALSE(report.resumed);
  EXPECT_EQ(fingerprints(), live);
  EXPECT_EQ(top->status().generation, 2);
  const Commit commit = view(store, "v", "/after").value();  // the swapped rows go on
  EXPECT_EQ(top->get("/after", at_least(commit, 1s)).value()->views, 1);
}

TEST_F(RebuildTest, LiveRowsAreServedAndGoOnMeanwhileAndTheSwapIsOneMoment) {
  append_random(store, random, 20000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const RebuildOptions options{.projections = {"TopPages"}};
  // The rows are looked at between the engine's steps.
  std::int64_t views = 0;
  top->for_each([&views](const std::string&, const TopPages::State& state) { views += state.views; }).value();
  class Watch : public Activity {
   public:
    Instant step(Instant now) override {
      std::int64_t sum = 0;
      top->for_each([&sum](const std::string&, const TopPages::State& state) { sum += state.views; }).value();
      smallest = std::min(smallest, sum);
      if (++steps % 3 == 0) view(*store, "watcher", "/watched").value();
      return steps < 30 ? now : Instant::max();
    }
    std::string_view name() const override { return "watch"; }
    Projection<TopPages>* top = nullptr;
    EventStore* store = nullptr;
    std::int64_t smallest = INT64_MAX;
    int steps = 0;
  } watch;
  watch.top = top;
  watch.store = &store;
  const auto running = sim.executor.start(watch);
  ASSERT_TRUE(engine->rebuild(options).has_value());
  EXPECT_GE(watch.smallest, views);  // never a row less than before
  EXPECT_GT(watch.steps, 3);
  sim.executor.run_for(10ms);
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> before = fingerprints();
  ASSERT_TRUE(engine->rebuild(options).has_value());
  EXPECT_EQ(fingerprints(), before);
}

TEST_F(RebuildTest, StoppedHalfWayItIsResumed) {
  append_random(store, random, 60000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  for (int cut = 1; cut <= 2; ++cut) {
    class Cut : public Activity {
     public:
      Instant step(Instant now) override {
        if (++steps >= limit) engine->stop().has_value();
        return steps >= limit ? Instant::max() : now;
      }
      std::string_view name() const override { return "cut"; }
      Engine* engine = nullptr;
      int steps = 0;
      int limit = 0;
    } cutter;
    cutter.engine = &*engine;
    cutter.limit = 1 + cut;
    const auto running = sim.executor.start(cutter);
    const auto rebuilt = engine->rebuild();
    ASSERT_FALSE(rebuilt.has_value());
    EXPECT_TRUE(rebuilt.error() == Errc::canceled) << rebuilt.error();
    open();
    EXPECT_EQ(fingerprints(), live);
  }
  const RebuildReport report = engine->rebuild().value();
  EXPECT_TRUE(report.resumed);
  EXPECT_LT(report.events, 60000u);
  EXPECT_EQ(fingerprints(), live);
}

TEST_F(RebuildTest, NextOneBeginsOnlyWhenATimedOutOneIsGone) {
  append_random(store, random, 60000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  class Late : public Activity {
   public:
    explicit Late(ManualClock& clock) : clock_(clock) {}
    Instant step(Instant now) override {
      if (++steps_ < 4) return now;
      clock_.advance(1s);
      return Instant::max();
    }
    std::string_view name() const override { return "late"; }

   private:
    ManualClock& clock_;
    int steps_ = 0;
  } late{sim.clock};
  const auto running = sim.executor.start(late);
  const auto timed_out = engine->rebuild({.timeout = 100ms});
  ASSERT_FALSE(timed_out.has_value());
  EXPECT_EQ(timed_out.error(), Errc::timed_out) << timed_out.error();
  EXPECT_TRUE(engine->rebuild().value().resumed);
  EXPECT_EQ(fingerprints(), live);
  EXPECT_EQ(top->status().generation, 2);
}

TEST_F(RebuildTest, FromAnOffsetOrATimeCountsOnlyWhatCameSince) {
  for (int number = 0; number < 10; ++number) view(store, "v", "/old").value();
  sim.clock.advance(1h);
  const Timestamp noon = sim.clock.now();
  Commit first_new = view(store, "v", "/new").value();
  view(store, "v", "/new").value();
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());

  ASSERT_TRUE(engine->rebuild({.projections = {"TopPages"}, .from = ReplayFrom::time(noon)}).has_value());
  EXPECT_FALSE(top->get("/old").value());
  EXPECT_EQ(top->get("/new").value()->views, 2);
  EXPECT_EQ(top->status().origin, "time 2026-01-01T01:00:00.000Z");

  ASSERT_TRUE(engine->rebuild({.projections = {"TopPages"}, .from = ReplayFrom::offset(first_new.first.next())}).has_value());
  EXPECT_EQ(top->get("/new").value()->views, 1);
  ASSERT_TRUE(engine->rebuild({.projections = {"TopPages"}}).has_value());
  EXPECT_EQ(top->get("/old").value()->views, 10);
  EXPECT_EQ(top->status().origin, "beginning");
}

TEST_F(RebuildTest, UnknownProjectionIsNamedWithThoseThereAre) {
  open();
  const auto rebuilt = engine->rebuild({.projections = {"Nothing"}});
  ASSERT_FALSE(rebuilt.has_value());
  EXPECT_EQ(rebuilt.error(), Errc::not_found);
  EXPECT_NE(rebuilt.error().text().find("TopPages, Visitors, EventCounts"), std::string_view::npos);
}

TEST_F(RebuildTest, TrimmedHistoryIsRefused) {
  append_random(store, random, 100);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  log->trim({"events", PartitionId{0}}, Offset{3});
  EXPECT_EQ(engine->rebuild().error(), Errc::history_trimmed);
  EXPECT_EQ(fingerprints(), live);
}

TEST_F(RebuildTest, FailedProjectionComesBackByRebuild) {
  view(store, "v", "/explode").value();
  std::optional<Engine> other;
  other.emplace(store, sqlite(directory / "other.db"));
  auto& explodes = other->add<Explodes>();
  ASSERT_TRUE(other->start().has_value());
  sim.executor.run_for(1s);
  EXPECT_EQ(explodes.status().phase, ProjectionPhase::failed);
  EXPECT_EQ(other->rebuild().error(), Errc::handler_failed);
  ASSERT_TRUE(other->rebuild({.from = ReplayFrom::offset(Offset{1})}).has_value());
  EXPECT_EQ(explodes.status().phase, ProjectionPhase::live);
}

}  // namespace
}  // namespace lungo::test
