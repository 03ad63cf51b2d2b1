// The engine on the embedded log, real threads and a real disk: appends, reads, rebuilds and stops at once, which the simulated
// executor can't show. Meant for the thread sanitizer as much as for its own checks.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 60s;  // never reached unless the test fails

/// Runs with the rows in memory and in SQLite.
class EngineThreads : public testing::TestWithParam<bool> {
 protected:
  EngineThreads() { store.stream_topic("events", 2).value(); }

  std::unique_ptr<StateStore> rows() { return GetParam() ? sqlite("views.db") : memory(); }
  static std::int64_t sum(Projection<EventCounts>& counts) {
    std::int64_t sum = 0;
    counts.for_each([&sum](std::int32_t, const EventCounts::State& state) { sum += state.count; }).value();
    return sum;
  }

  TempDirectory directory;
  EventStore store{open_local(directory.path()).value()};
};

TEST_P(EngineThreads, WritersReadTheirOwnWritesWhileOthersScanAndRebuild) {
  constexpr int kWriters = 3;
  constexpr int kViewsEach = 60;
  Engine engine{store, rows(), {.commit_interval = 1ms}};
  auto& top = engine.add<TopPages>();
  auto& counts = engine.add<EventCounts>();
  ASSERT_TRUE(engine.start().has_value());

  std::atomic<bool> writing{true};
  const auto write = [&](int writer) {
    const std::string url = "/" + std::to_string(writer);
    for (int round = 1; round <= kViewsEach; ++round) {
      const Commit commit = view(store, "v" + std::to_string(writer + round % 5), url).value();
      const auto row = top.get(url, at_least(commit, kPatience));
      EXPECT_TRUE(row.has_value() && *row && (**row).views == round) << url << " round " << round;
    }
  };
  const auto scan = [&] {
    std::int64_t before = 0;
    while (writing) {
      const std::int64_t now = sum(counts);
      EXPECT_GE(now, before) << "committed events were gone, or a rebuild showed";
      before = now;
      for (const ProjectionStatus& status : engine.status()) EXPECT_FALSE(status.error) << *status.error;
      std::this_thread::yield();
    }
  };
  const auto rebuild = [&] {
    while (writing) EXPECT_TRUE(engine.rebuild({.timeout = kPatience}).has_value());
  };
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) writers.emplace_back(write, writer);
  std::vector<std::thread> others;
  others.emplace_back(scan);
  others.emplace_back(scan);
  others.emplace_back(rebuild);
  for (std::thread& writer : writers) writer.join();
  writing = false;
  for (std::thread& other : others) other.join();

  ASSERT_TRUE(engine.catch_up(kPatience).has_value());
  EXPECT_EQ(sum(counts), kWriters * kViewsEach);
  ASSERT_TRUE(engine.stop().has_value());
  EXPECT_EQ(sum(counts), kWriters * kViewsEach) << "rows can be read after a stop";
}

TEST_P(EngineThreads, StopEndsWaitsAndRebuildsOfOtherThreads) {
  for (int round = 0; round < 10; ++round) {
    Engine engine{store, rows()};
    auto& top = engine.add<TopPages>();
    ASSERT_TRUE(engine.start().has_value());
    const Commit commit = view(store, "v", "/x").value();
    ASSERT_TRUE(top.wait_for(at_least(commit, kPatience)).has_value());

    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      Commit never = commit;
      never.end = never.end.plus(1'000'000);
      ready.fetch_add(1);
      EXPECT_EQ(top.wait_for(at_least(never, kPatience)).error(), Errc::closed);
    });
    threads.emplace_back([&] {
      ready.fetch_add(1);
      Result<RebuildReport> report = engine.rebuild({.timeout = kPatience});
      while (report) report = engine.rebuild({.timeout = kPatience});
      EXPECT_TRUE(report.error() == Errc::canceled || report.error() == Errc::closed) << report.error();
    });
    for (int stopper = 0; stopper < 2; ++stopper) {
      threads.emplace_back([&] {
        while (ready < 2) std::this_thread::yield();
        EXPECT_TRUE(engine.stop().has_value());
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(engine.rebuild().error(), Errc::closed);
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, EngineThreads, testing::Values(false, true),
                         [](const auto& kind) { return kind.param ? "Sqlite" : "Memory"; });

}  // namespace
}  // namespace lungo::test
