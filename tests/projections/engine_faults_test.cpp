// The engine on a store that refuses or breaks: what passes is waited for, what does not ends every wait.
#include <gtest/gtest.h>

#include <lungo/log/check.hpp>
#include <lungo/projections/engine.hpp>
#include "tests/projections/faulty_store.hpp"
#include "tests/projections/shop_projections.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class EngineFaults : public testing::Test {
 protected:
  EngineFaults() { store.stream_topic("events", 4).value(); }

  void open() {
    engine.reset();
    engine.emplace(store, std::make_unique<FaultyStore>(sqlite(directory / "views.db"), faults));
    top = &engine->add<TopPages>();
    counts = &engine->add<EventCounts>();
    engine->start().value();
  }
  std::int64_t counted() {
    std::int64_t sum = 0;
    counts->for_each([&sum](std::int32_t, const EventCounts::State& state) { sum += state.count; }).value();
    return sum;
  }

  Simulation sim{test_seed(31)};
  TempDirectory directory;
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
  StoreFaults faults;
  std::optional<Engine> engine;
  Projection<TopPages>* top = nullptr;
  Projection<EventCounts>* counts = nullptr;
};

TEST_F(EngineFaults, StopEndsEvenWhenItsLastCommitThrows) {
  open();
  view(store, "a", "/x").value();
  sim.executor.run_for(10ms);  // applied, not committed
  faults.on_commit = []() -> std::optional<Error> { throw invariant_broken("on purpose"); };
  const Instant begin = sim.clock.monotonic();
  const Result<void> stopped = engine->stop();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error(), Errc::closed) << stopped.error();
  EXPECT_NE(stopped.error().text().find("on purpose"), std::string_view::npos) << stopped.error();
  EXPECT_LT(sim.clock.monotonic() - begin, 1s);
  EXPECT_EQ(top->status().phase, ProjectionPhase::failed);
}

TEST_F(EngineFaults, ARebuildEndsWithAStopThatThrows) {
  Random random{1};
  append_random(store, random, 3000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  int commits = 0;
  faults.on_commit = [&] {  // the shadows' tables are made, their rows are not written
    return ++commits <= 2 ? std::optional<Error>{} : Error{Errc::io, "the disk is away"};
  };
  int calls = 0;
  RebuildOptions options;
  options.progress = [&](const RebuildProgress&) {
    if (++calls > 1) return true;
    faults.on_commit = []() -> std::optional<Error> { throw invariant_broken("on purpose"); };
    EXPECT_FALSE(engine->stop());
    return true;
  };
  const Instant begin = sim.clock.monotonic();
  EXPECT_FALSE(engine->rebuild(options));
  EXPECT_GT(calls, 0);
  EXPECT_LT(sim.clock.monotonic() - begin, 10s);
}

TEST_F(EngineFaults, ARowThatCannotBeReadForNowIsWaitedFor) {
  for (const Errc code : {Errc::busy, Errc::io}) {
    open();
    const std::int64_t before = top->get("/x").value().value_or(TopPages::State{}).views;
    const std::int64_t counted_before = counted();
    const Commit first = view(store, "a", "/x").value();
    ASSERT_TRUE(top->get("/x", at_least(first, 5s)));
    open();  // no row is held: each has to be read first
    int refused = 0;
    faults.on_get = [&]() -> std::optional<Error> {
      ++refused;
      return Error{code, "not now"};
    };
    view(store, "a", "/x").value();
    const Commit last = view(store, "b", "/x").value();
    sim.executor.run_for(3s);
    EXPECT_GE(refused, 4) << "both projections try again every second";
    EXPECT_EQ(top->status().phase, ProjectionPhase::stalled);
    ASSERT_TRUE(top->status().error);
    EXPECT_EQ(*top->status().error, code);
    faults.on_get = [] { return std::nullopt; };
    ASSERT_TRUE(engine->catch_up(10s));
    EXPECT_EQ(top->get("/x", at_least(last, 5s)).value()->views, before + 3);
    EXPECT_EQ(counted(), counted_before + 3);
    EXPECT_EQ(top->status().phase, ProjectionPhase::live);
    EXPECT_FALSE(top->status().error);
  }
}

// The first rows are changed and not committed when the read of a later one fails: they must not count their events twice.
TEST_F(EngineFaults, NoEventCountsTwiceWhenReadsFailNowAndThen) {
  Random random{2};
  append_random(store, random, 2000);
  open();
  ASSERT_TRUE(engine->catch_up(60s));
  open();
  int reads = 0;
  faults.on_get = [&]() -> std::optional<Error> {
    return ++reads % 17 == 0 && reads < 200 ? std::optional{Error{Errc::busy, "not now"}} : std::nullopt;
  };
  append_random(store, random, 2000);
  ASSERT_TRUE(engine->catch_up(600s)) << engine->status().front().error.value_or(Error{Errc::closed, ""});
  EXPECT_GT(reads, 34);
  Engine other{store, memory()};
  auto& other_top = other.add<TopPages>();
  auto& other_counts = other.add<EventCounts>();
  other.start().value();
  ASSERT_TRUE(other.catch_up(60s));
  EXPECT_EQ(top->fingerprint().value(), other_top.fingerprint().value());
  EXPECT_EQ(counts->fingerprint().value(), other_counts.fingerprint().value());
}

// Rows of a rebuild are read again once they were evicted.
TEST_F(EngineFaults, ARebuildSurvivesReadsThatFailNowAndThen) {
  Random random{3};
  append_random(store, random, 5000);
  engine.emplace(store, std::make_unique<FaultyStore>(sqlite(directory / "views.db"), faults), EngineOptions{.cache_bytes = 1});
  top = &engine->add<TopPages>();
  counts = &engine->add<EventCounts>();
  engine->start().value();
  ASSERT_TRUE(engine->catch_up(60s));
  const std::string before = top->fingerprint().value();
  int reads = 0;
  faults.on_get = [&]() -> std::optional<Error> {
    return ++reads % 50 == 0 && reads < 500 ? std::optional{Error{Errc::busy, "not now"}} : std::nullopt;
  };
  const Result<RebuildReport> rebuilt = engine->rebuild();
  ASSERT_TRUE(rebuilt) << rebuilt.error();
  EXPECT_GT(reads, 50);
  EXPECT_EQ(top->fingerprint().value(), before);
  EXPECT_EQ(top->status().generation, 2);
}

}  // namespace
}  // namespace lungo::test
