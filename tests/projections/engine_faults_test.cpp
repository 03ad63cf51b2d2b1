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

}  // namespace
}  // namespace lungo::test
