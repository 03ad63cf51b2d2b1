// A rebuild that does not hold its caller: it goes on by itself, and its handle tells how far it is and how it ended.
#include <atomic>
#include <thread>

#include <lungo/log/local_event_log.hpp>
#include "tests/projections/rebuild_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class RebuildHandle : public RebuildTest {
 protected:
  /// An engine that has caught up with so many events.
  void open_with(std::size_t events) {
    append_random(store, random, events);
    open();
    engine->catch_up(60s).value();
  }
  Result<RebuildReport> outcome_of(const Rebuild& rebuild) {
    if (!sim.executor.wait_until([&] { return rebuild.outcome().has_value(); }, sim.clock.monotonic() + 60s))
      return Error{Errc::timed_out, "the rebuild does not end"};
    return *rebuild.outcome();
  }
};

TEST_F(RebuildHandle, GoesOnByItselfAndTellsHowFarItIs) {
  open_with(60000);
  const std::vector<std::string> live = fingerprints();
  const Rebuild rebuild = engine->begin_rebuild().value();
  EXPECT_FALSE(rebuild.outcome());
  EXPECT_EQ(rebuild.progress().events, 0u);
  EXPECT_FALSE(rebuild.progress().left);
  EXPECT_FALSE(top->status().rebuilt_beside) << "nothing was done yet";

  std::uint64_t before = 0;
  int looks = 0;
  for (; !rebuild.outcome() && sim.executor.step_one(); ++looks) {
    const RebuildProgress progress = rebuild.progress();
    EXPECT_GE(progress.events, before);
    EXPECT_EQ(progress.total, 60000u);
    EXPECT_GT(progress.elapsed, Duration::zero());
    EXPECT_EQ(top->status().rebuilt_beside, !rebuild.outcome());
    EXPECT_EQ(top->status().phase, ProjectionPhase::live);
    EXPECT_EQ(fingerprints(), live);
    before = progress.events;
  }
  EXPECT_GE(looks, 10);
  const RebuildReport report = outcome_of(rebuild).value();
  EXPECT_EQ(report.projections.size(), 3u);
  EXPECT_EQ(report.events, 60000u);
  EXPECT_FALSE(report.resumed);
  EXPECT_EQ(top->status().generation, 2);

  const RebuildProgress end = rebuild.progress();
  EXPECT_EQ(end.events, 60000u);
  EXPECT_EQ(end.left, Duration::zero());
  sim.clock.advance(1h);
  EXPECT_EQ(rebuild.progress().elapsed, end.elapsed) << "it has ended";
  EXPECT_EQ(rebuild.outcome()->value().elapsed, end.elapsed);
}

/// Of a topic that is much shorter than the others': its shadow is swapped in long before they are.
struct Refunds {
  static constexpr std::string_view topic = "refunds";
  using Events = events<VisitEnded>;
  using Key = std::string;
  struct State {
    std::int64_t count = 0;
  };
  static std::string_view key(const Envelope&, const VisitEnded& e) { return e.visitor; }
  static void evolve(State& s, const VisitEnded&) { ++s.count; }
};

// As the tracker's sessions do: the numbers of whoever looks must not fall when one topic's rows are in use already.
TEST_F(RebuildHandle, TopicThatIsSwappedInEarlierStaysCounted) {
  store.stream_topic("refunds", 4).value();
  EventBatch batch = store.batch("refunds").value();
  for (int i = 0; i < 500; ++i) {
    const std::string visitor = "v" + std::to_string(i);
    batch.add(StreamId{"visit", visitor}, VisitEnded{visitor}).value();
  }
  store.append_wait(std::move(batch)).value();
  append_random(store, random, 60000);
  engine.emplace(store, sqlite(directory / "views.db"), EngineOptions{.catch_up_interval = 5ms});
  top = &engine->add<TopPages>();
  Projection<Refunds>& refunds = engine->add<Refunds>();
  engine->start().value();
  engine->catch_up(60s).value();

  const Rebuild rebuild = engine->begin_rebuild().value();
  RebuildProgress before;
  int looks_after_swap = 0;
  while (!rebuild.outcome() && sim.executor.step_one()) {
    const RebuildProgress progress = rebuild.progress();
    EXPECT_GE(progress.events, before.events);
    EXPECT_EQ(progress.total, 60500u);
    looks_after_swap += refunds.status().generation == 2 && top->status().generation == 1 ? 1 : 0;
    before = progress;
  }
  EXPECT_GE(looks_after_swap, 5);
  EXPECT_EQ(outcome_of(rebuild).value().events, 60500u);
}

TEST_F(RebuildHandle, CanceledItIsResumedByTheNextOne) {
  open_with(60000);
  const std::vector<std::string> live = fingerprints();
  Rebuild rebuild = engine->begin_rebuild().value();
  while (rebuild.progress().events < 20000 && sim.executor.step_one()) sim.clock.advance(10ms);
  EXPECT_FALSE(rebuild.outcome());
  rebuild.cancel();
  EXPECT_EQ(engine->begin_rebuild().error(), Errc::busy) << "not gone yet";
  EXPECT_EQ(outcome_of(rebuild).error(), Errc::canceled);
  EXPECT_FALSE(top->status().rebuilt_beside);
  EXPECT_EQ(top->status().generation, 1);
  EXPECT_EQ(fingerprints(), live);

  rebuild = engine->begin_rebuild().value();
  const RebuildReport report = outcome_of(rebuild).value();
  EXPECT_TRUE(report.resumed);
  EXPECT_LT(report.events, 60000u);
  EXPECT_EQ(fingerprints(), live);
  rebuild.cancel();  // too late
  sim.executor.run_for(1s);
  EXPECT_TRUE(rebuild.outcome()->has_value());
  EXPECT_EQ(top->status().generation, 2);
}

TEST_F(RebuildHandle, AnotherOneMeanwhileIsBusy) {
  open_with(20000);
  const Rebuild rebuild = engine->begin_rebuild({.projections = {"TopPages"}}).value();
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(engine->begin_rebuild({.projections = {"Visitors"}}).error(), Errc::busy);
    EXPECT_EQ(engine->rebuild().error(), Errc::busy);
    sim.executor.step_one();
  }
  EXPECT_TRUE(top->status().rebuilt_beside);
  EXPECT_FALSE(visitors->status().rebuilt_beside);
  EXPECT_TRUE(outcome_of(rebuild));
  EXPECT_TRUE(engine->rebuild());
  EXPECT_EQ(top->status().generation, 3);
  EXPECT_EQ(visitors->status().generation, 2);
}

TEST_F(RebuildHandle, ToDestroyItDoesNotCancel) {
  open_with(20000);
  static_cast<void>(engine->begin_rebuild().value());
  sim.executor.run_for(1s);
  EXPECT_EQ(top->status().generation, 2);
}

TEST_F(RebuildHandle, WhatCannotBeginIsRefusedAndWhatFailsLaterIsItsOutcome) {
  open_with(100);
  EXPECT_EQ(engine->begin_rebuild({.projections = {"Nothing"}}).error(), Errc::not_found);
  log->trim({"events", PartitionId{0}}, Offset{3});
  const Rebuild rebuild = engine->begin_rebuild().value();
  EXPECT_EQ(outcome_of(rebuild).error(), Errc::history_trimmed);
  EXPECT_FALSE(top->status().rebuilt_beside);
  ASSERT_TRUE(engine->stop());
  EXPECT_EQ(engine->begin_rebuild().error(), Errc::closed);
  Engine other{store, memory()};
  other.add<TopPages>();
  EXPECT_EQ(other.begin_rebuild().error(), Errc::closed) << "before the start";
}

TEST_F(RebuildHandle, AStopEndsItAndTheHandleOutlivesTheEngine) {
  open_with(60000);
  Rebuild rebuild = engine->begin_rebuild().value();
  sim.executor.step_one();
  engine.reset();
  ASSERT_TRUE(rebuild.outcome());
  EXPECT_EQ(rebuild.outcome()->error(), Errc::canceled);
  EXPECT_EQ(rebuild.progress().total, 60000u);
  rebuild.cancel();
}

TEST_F(RebuildHandle, ACallOfTheChangeFeedMayBeginOne) {
  open_with(1000);
  std::optional<Rebuild> rebuild;
  bool replaced = false;
  const WatchToken token = top->watch([&](const Projection<TopPages>::Changes& changes) {
    replaced = replaced || changes.replaced;
    if (!rebuild) rebuild = engine->begin_rebuild().value();
  });
  const Commit commit = view(store, "v", "/a").value();
  ASSERT_TRUE(top->wait_for(at_least(commit, 5s)));
  ASSERT_TRUE(rebuild);
  EXPECT_TRUE(outcome_of(*rebuild));
  EXPECT_TRUE(replaced);
}

// Real threads: handles are looked at and canceled beside the engine's work.
TEST(RebuildHandleThreads, OneThreadLooksAndAnotherCancels) {
  TempDirectory directory;
  EventStore store{open_local(directory.path()).value()};
  store.stream_topic("events", 2).value();
  Random random{test_seed(43)};
  append_random(store, random, 20000);
  Engine engine{store, sqlite("views.db")};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(engine.catch_up(60s));
  const std::string live = top.fingerprint().value();
  Executor& executor = store.log().ports().executor;
  const Instant deadline = store.log().ports().clock.monotonic() + 60s;
  for (int round = 0; round < 10; ++round) {
    Rebuild rebuild = engine.begin_rebuild().value();
    std::thread look{[&rebuild] {
      while (!rebuild.outcome()) {
        const RebuildProgress progress = rebuild.progress();
        EXPECT_LE(progress.events, progress.total);
        std::this_thread::yield();
      }
    }};
    std::thread cancel{[&rebuild, round] {
      const auto far_enough = static_cast<std::uint64_t>(round) * 2000;
      while (!rebuild.outcome() && rebuild.progress().events < far_enough) std::this_thread::yield();
      rebuild.cancel();
    }};
    EXPECT_TRUE(executor.wait_until([&] { return rebuild.outcome().has_value(); }, deadline));
    look.join();
    cancel.join();
    EXPECT_TRUE(rebuild.outcome()->has_value() || rebuild.outcome()->error() == Errc::canceled);
    EXPECT_EQ(top.fingerprint().value(), live);
  }
  ASSERT_TRUE(engine.rebuild({.timeout = 60s}));
  EXPECT_EQ(top.fingerprint().value(), live);
}

}  // namespace
}  // namespace lungo::test
