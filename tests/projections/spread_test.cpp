// Rows that are kept by partition, in one process: they are those of an engine that keeps them all.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "tests/projections/spread_pages.hpp"
#include "tests/support/memory_event_log.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class Spread : public testing::Test {
 protected:
  Spread() { store.stream_topic("events", kSpreadPartitions).value(); }

  Simulation sim{test_seed(41)};
  Random random{test_seed(41)};
  TempDirectory directory;
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
};

TEST_F(Spread, EachReadGivesTheRowsOfAnEngineThatKeepsAll) {
  append_random(store, random, 5000);
  Engine whole{store, memory()};
  auto& all = whole.add<TopPages>();
  auto& all_visitors = whole.add<VisitorPages>();
  ASSERT_TRUE(whole.start());
  ASSERT_TRUE(whole.catch_up(30s));

  SpreadEngine engine{store, memory_by_partition()};
  auto& top = engine.add<TopPages>();
  auto& visitors = engine.add<VisitorPages>();
  ASSERT_TRUE(engine.start());
  expect_same<TopPages>(top.scan(), all.scan().value());
  expect_same<VisitorPages>(visitors.scan(), all_visitors.scan().value());
  expect_same<TopPages>(top.top(7, &TopPages::State::millis), all.top(7, &TopPages::State::millis).value());
  for (const ScanOptions options : {ScanOptions{}, ScanOptions{true}, ScanOptions{false, 9}, ScanOptions{true, 9}}) {
    expect_same<TopPages>(top.scan("/page/2", "/page/4", options), all.scan("/page/2", "/page/4", options).value());
    expect_same<VisitorPages>(visitors.scan(options), all_visitors.scan(options).value());
  }
  for (const auto& row : all.scan().value()) {
    const auto found = top.get(row.key);
    ASSERT_TRUE(found) << found.error();
    EXPECT_EQ((*found)->millis, row.state.millis);
  }
  EXPECT_FALSE(top.get("/nowhere").value());
  EXPECT_FALSE(visitors.get("nobody").value());
  EXPECT_EQ(top.merged("/page/2", "/page/4").value().views, all.merged("/page/2", "/page/4").value().views);
  EXPECT_EQ(top.merged("/x", "/y").value().views, 0);
}

TEST_F(Spread, ReadsItsOwnWrite) {
  SpreadEngine engine{store, memory_by_partition()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  for (int round = 1; round <= 20; ++round) {
    const Commit commit = view(store, "v" + std::to_string(round), "/espresso").value();
    const auto row = top.get("/espresso", {.timeout = 5s, .at_least = commit});
    ASSERT_TRUE(row) << row.error();
    EXPECT_EQ((*row)->views, round);
  }
  Commit later = view(store, "a", "/x").value();
  later.end = later.end.plus(10);
  const auto waited = top.get("/x", {.timeout = 2s, .at_least = later});
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error(), Errc::timed_out);
  EXPECT_NE(waited.error().text().find("TopPages has applied events-"), std::string_view::npos) << waited.error();
  later.partition.topic = "orders";
  EXPECT_EQ(top.get("/x", {.timeout = 2s, .at_least = later}).error(), Errc::invalid_argument);
}

TEST_F(Spread, EachPartitionHasAStoreFromWhichTheNextStartGoesOn) {
  const auto run = [&](int events, std::int64_t in_all) {
    for (int number = 0; number < events; ++number) view(store, "v" + std::to_string(number), "/x").value();
    AppliedCalls::made = 0;
    SpreadEngine engine{store, sqlite_by_partition(directory / "views.db")};
    auto& calls = engine.add<AppliedCalls>();
    ASSERT_TRUE(engine.start());
    EXPECT_EQ(calls.get(0).value()->count, in_all);
    EXPECT_EQ(AppliedCalls::made, events) << "no more than what is new";
    ASSERT_EQ(engine.status().size(), 4u);
    EXPECT_TRUE(engine.status()[2].is_open);
    EXPECT_EQ(engine.status()[2].projections.front().positions.front().partition, PartitionId{2});
    ASSERT_TRUE(engine.stop());
    EXPECT_EQ(calls.get(0).error(), Errc::closed);
  };
  run(100, 100);
  run(30, 130);
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id) {
    EXPECT_TRUE(std::filesystem::exists(directory / ("views.events-" + std::to_string(id) + ".db")));
  }
}

TEST_F(Spread, AHistoryThatTheLogHasNotIsMadeAnewInItsPartitionOnly) {
  for (int number = 0; number < 100; ++number) view(store, "v" + std::to_string(number), "/x").value();
  const auto run = [&] {
    AppliedCalls::made = 0;
    SpreadEngine engine{store, sqlite_by_partition(directory / "views.db")};
    auto& calls = engine.add<AppliedCalls>();
    EXPECT_TRUE(engine.start());
    return calls.get(0).value()->count;
  };
  EXPECT_EQ(run(), 100);
  const Offset end = log->ends(spread_partition(1)).value().committed;
  log->cut(spread_partition(1), Offset{5});
  EXPECT_EQ(run(), 100 - (end.value() - 5));
  EXPECT_EQ(AppliedCalls::made, 5);
}

/// Its rows are not where it says.
struct WrongStream : VisitorPages {
  static constexpr std::string_view projection_name = "WrongStream";
  template <class E>
  static Key key(const Envelope&, const E&) {
    return "all";
  }
};

TEST_F(Spread, ARowInTwoPartitionsWithoutAMergeIsTold) {
  for (int number = 0; number < 20; ++number) view(store, "v" + std::to_string(number), "/x").value();
  SpreadEngine engine{store, memory_by_partition()};
  auto& wrong = engine.add<WrongStream>();
  ASSERT_TRUE(engine.start());
  const auto rows = wrong.scan();
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error(), Errc::invalid_argument);
  EXPECT_NE(rows.error().text().find("stream_of()"), std::string_view::npos) << rows.error();
}

struct MergedExplodes : Explodes {
  static State merge(State a, const State& b) { return {a.views + b.views}; }
};

TEST_F(Spread, WhatFailsIsToldByItsReads) {
  SpreadEngine engine{store, memory_by_partition()};
  auto& explodes = engine.add<MergedExplodes>();
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(explodes.get("/x"));
  const Commit commit = view(store, "v", "/explode").value();
  EXPECT_EQ(explodes.get("/x", {.timeout = 5s, .at_least = commit}).error(), Errc::handler_failed);
  EXPECT_EQ(top.get("/explode", {.timeout = 5s, .at_least = commit}).value()->views, 1) << "others go on";
  EXPECT_TRUE(engine.catch_up(5s)) << "it has failed, and is not waited for";
}

TEST_F(Spread, StartsOnceAndNamesWhatIsThereTwice) {
  SpreadEngine twice{store, memory_by_partition()};
  twice.add<TopPages>();
  twice.add<TopPages>();
  EXPECT_EQ(twice.start().error(), Errc::already_exists);
  SpreadEngine engine{store, memory_by_partition()};
  auto& top = engine.add<TopPages>();
  EXPECT_EQ(top.get("/x").error(), Errc::closed);
  ASSERT_TRUE(engine.start());
  EXPECT_EQ(engine.start().error(), Errc::invalid_argument);
  EXPECT_EQ(engine.add<VisitorPages>().get("v").error(), Errc::closed) << "added too late";
  EXPECT_TRUE(top.get("/x"));
  ASSERT_TRUE(engine.stop());
  EXPECT_TRUE(engine.stop());
  EXPECT_EQ(engine.start().error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace lungo::test
