// What the tests of spread projections share: views of pages, projections that say how their rows are spread, and processes
// that share a topic.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <lungo/projections/spread_engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"
#include "tests/support/two_homes.hpp"
#include "tests/support/wire.hpp"

namespace lungo::test {

/// Rows of one stream each.
struct VisitorPages {
  using Events = events<PageViewed, VisitEnded>;
  using Key = std::string;
  struct State {
    std::int64_t pages = 0;
    std::string last;
  };
  static std::string_view key(const Envelope&, const PageViewed& e) { return e.visitor; }
  static std::string_view key(const Envelope&, const VisitEnded& e) { return e.visitor; }
  static void evolve(State& s, const PageViewed& e) {
    ++s.pages;
    s.last = e.url;
  }
  static void evolve(State& s, const VisitEnded&) { s.last = "ended"; }
  static StreamId stream_of(const Key& visitor) { return {"visit", visitor}; }
};

/// Tells how often it was called, to see what is applied again.
struct AppliedCalls {
  using Events = events<PageViewed>;
  using Key = std::int32_t;
  struct State {
    std::int64_t count = 0;
  };
  static inline int made = 0;
  static Key key(const Envelope&, const PageViewed&) { return 0; }
  static void evolve(State& s, const PageViewed&) {
    ++made;
    ++s.count;
  }
  static State merge(State a, const State& b) { return {a.count + b.count}; }
};

constexpr std::int32_t kSpreadPartitions = 4;

inline TopicPartition spread_partition(std::int32_t id) { return {"events", PartitionId{id}}; }
inline TopicPartition partition_of_visitor(std::string_view visitor) {
  return {"events", partition_of_stream(VisitorPages::stream_of(std::string(visitor)).text(), kSpreadPartitions)};
}

/// One process of two, with an engine.
struct SpreadSite {
  SpreadSite(TwoHomes& homes, Wire& wire, int home, SpreadStores stores, SpreadOptions options = {}) : store(homes.log(home)) {
    store.forward_with(std::make_shared<WireForwarder>(wire));
    server.emplace(store);
    engine = std::make_unique<SpreadEngine>(store, std::move(stores), std::move(options));
    engine->answer_in(*server);
    top = &engine->add<TopPages>();
    visitors = &engine->add<VisitorPages>();
    calls = &engine->add<AppliedCalls>();
    wire.servers[TwoHomes::endpoint(home)] = &*server;
  }
  EventStore store;
  std::optional<ForwardServer> server;
  std::unique_ptr<SpreadEngine> engine;
  SpreadProjection<TopPages>* top = nullptr;
  SpreadProjection<VisitorPages>* visitors = nullptr;
  SpreadProjection<AppliedCalls>* calls = nullptr;
};

/// Two processes that share `events`, and the topic without owners, to append to.
struct SpreadCluster {
  explicit SpreadCluster(std::uint64_t seed)
      : simulation(seed),
        random(seed),
        ports{posix.ports().storage, simulation.clock, simulation.executor, simulation.random},
        homes(ports),
        wire(ports) {
    EXPECT_TRUE(unowned.stream_topic("events", kSpreadPartitions));
  }
  SpreadStores files(int home) { return sqlite_by_partition(directory / ("views-" + std::to_string(home) + ".db")); }
  std::unique_ptr<SpreadSite> start(int home, SpreadStores stores, SpreadOptions options = {}) {
    auto site = std::make_unique<SpreadSite>(homes, wire, home, std::move(stores), std::move(options));
    const Result<void> started = site->engine->start();
    EXPECT_TRUE(started) << started.error();
    return site;
  }
  std::unique_ptr<SpreadSite> start(int home) { return start(home, memory_by_partition()); }
  /// Rows as one engine has them that keeps them all.
  template <class P>
  std::vector<RowOf<P>> all_rows() {
    Engine engine{unowned, memory()};
    Projection<P>& rows = engine.add<P>();
    engine.start().value();
    engine.catch_up(std::chrono::seconds{30}).value();
    return rows.scan().value();
  }

  Simulation simulation;
  Random random;
  TempDirectory directory;
  PosixPorts posix;  // the stores' files are SQLite's own business, so the disk beside them is the real one
  Ports ports;
  TwoHomes homes;
  EventStore unowned{std::shared_ptr<EventLog>(&homes.shared(), [](EventLog*) {})};
  Wire wire;
};

inline auto fields(const RowOf<TopPages>& row) { return std::tuple{row.key, row.state.views, row.state.millis}; }
inline auto fields(const RowOf<VisitorPages>& row) { return std::tuple{row.key, row.state.pages, row.state.last}; }

template <class P>
void expect_same(const Result<std::vector<RowOf<P>>>& rows, const std::vector<RowOf<P>>& wanted) {
  ASSERT_TRUE(rows) << rows.error();
  ASSERT_EQ(rows->size(), wanted.size());
  for (std::size_t row = 0; row < wanted.size(); ++row) EXPECT_EQ(fields((*rows)[row]), fields(wanted[row])) << row;
}

}  // namespace lungo::test
