// An engine with three projections over a log in memory, simulated time and a SQLite store on disk, for the tests of rebuilds.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {

class RebuildTest : public testing::Test {
 protected:
  RebuildTest() { store.stream_topic("events", 4).value(); }

  void open(const std::string& path = "views.db") {
    engine.reset();
    engine.emplace(store, sqlite(directory / path), EngineOptions{.catch_up_interval = std::chrono::milliseconds{5}});
    top = &engine->add<TopPages>();
    visitors = &engine->add<Visitors>();
    counts = &engine->add<EventCounts>();
    engine->start().value();
  }
  std::vector<std::string> fingerprints() {
    return {top->fingerprint().value(), visitors->fingerprint().value(), counts->fingerprint().value()};
  }
  /// The rows that an engine gives which reads the log for the first time.
  std::vector<std::string> rows_from_nothing() {
    Engine other{store, memory()};
    auto& other_top = other.add<TopPages>();
    auto& other_visitors = other.add<Visitors>();
    auto& other_counts = other.add<EventCounts>();
    other.start().value();
    other.catch_up(std::chrono::seconds{60}).value();
    return {other_top.fingerprint().value(), other_visitors.fingerprint().value(), other_counts.fingerprint().value()};
  }

  const std::uint64_t seed = test_seed(21);
  Simulation sim{seed};
  Random random{seed};
  TempDirectory directory;
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
  std::optional<Engine> engine;
  Projection<TopPages>* top = nullptr;
  Projection<Visitors>* visitors = nullptr;
  Projection<EventCounts>* counts = nullptr;
};

/// Does something between the engine's steps; `each` gets the number of the step, from 1, and says whether to go on.
class Between : public Activity {
 public:
  explicit Between(std::function<bool(int)> each) : each_(std::move(each)) {}
  Instant step(Instant now) override { return each_(++steps_) ? now : Instant::max(); }
  [[nodiscard]] std::string_view name() const override { return "between"; }

 private:
  std::function<bool(int)> each_;
  int steps_ = 0;
};

}  // namespace lungo::test
