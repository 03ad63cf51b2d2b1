// The engine on a log in memory and simulated time: reads of one's own writes, restarts, failures, rebuilds that it decides on.
#include <gtest/gtest.h>

#include <lungo/projections/engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class EngineTest : public testing::Test {
 protected:
  EngineTest() { store.stream_topic("events", 4).value(); }

  std::unique_ptr<StateStore> views() { return sqlite(directory / "views.db"); }

  /// The number of events of the log, which an engine must have seen.
  std::int64_t log_size() {
    std::int64_t size = 0;
    for (std::int32_t partition = 0; partition < 4; ++partition)
      size += log->ends({"events", PartitionId{partition}}).value().committed.value();
    return size;
  }
  static std::int64_t counted(Projection<EventCounts>& counts) {
    std::int64_t sum = 0;
    counts.for_each([&sum](std::int32_t, const EventCounts::State& state) { sum += state.count; }).value();
    return sum;
  }

  Simulation sim{test_seed(11)};
  TempDirectory directory;
  // The store's file is SQLite's own business, so the disk beside it is the real one.
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
};

TEST_F(EngineTest, ReadsItsOwnWrite) {
  Engine engine{store, views()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  for (int round = 1; round <= 20; ++round) {
    const Commit commit = view(store, "v" + std::to_string(round), "/espresso").value();
    const auto row = top.get("/espresso", at_least(commit, 5s)).value();
    ASSERT_TRUE(row);
    EXPECT_EQ(row->views, round);
  }
}

TEST_F(EngineTest, WaitTimesOutNamingTheLag) {
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  Commit commit = view(store, "a", "/x").value();
  commit.end = commit.end.plus(10);
  const auto row = top.get("/x", at_least(commit, 5s));
  ASSERT_FALSE(row.has_value());
  EXPECT_EQ(row.error(), Errc::timed_out);
  EXPECT_NE(row.error().text().find("TopPages has applied events-"), std::string_view::npos) << row.error();
}

TEST_F(EngineTest, AnythingThrownInItsLoopStopsItAndIsShown) {
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  ASSERT_TRUE(engine.catch_up(5s).has_value());
  log->on_read([](const TopicPartition& partition) {
    if (partition.topic == "events") throw 1;
  });
  view(store, "a", "/x").value();
  sim.executor.run_for(1s);
  ASSERT_TRUE(top.status().error);
  EXPECT_EQ(*top.status().error, Errc::closed);
  EXPECT_NE(top.status().error->text().find("an exception that is no std::exception"), std::string_view::npos)
      << *top.status().error;
}

TEST_F(EngineTest, ProjectionThatIsAddedAfterTheStartIsRefused) {
  const LogLines lines{"projections"};
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  auto& late = engine.add<EventCounts>();
  const Commit commit = view(store, "a", "/x").value();

  const auto is_refused = [](const Error& error) {
    EXPECT_EQ(error, Errc::invalid_argument);
    EXPECT_NE(error.text().find("EventCounts was added after Engine::start()"), std::string_view::npos) << error;
  };
  const auto read = late.scan();
  ASSERT_FALSE(read.has_value());
  is_refused(read.error());
  const auto waited = late.get(0, at_least(commit, 5s));
  ASSERT_FALSE(waited.has_value());
  is_refused(waited.error());
  EXPECT_EQ(late.status().phase, ProjectionPhase::failed);
  EXPECT_EQ(lines.count("error", "EventCounts was added after Engine::start()"), 1);

  // The others are not touched.
  EXPECT_TRUE(engine.catch_up(5s).has_value());
  EXPECT_EQ(top.get("/x").value()->views, 1);
  EXPECT_EQ(engine.names(), std::vector<std::string>{"TopPages"});
}

TEST_F(EngineTest, CommitToAnotherTopicIsRefused) {
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  const Commit other{{"orders", PartitionId{0}}, Offset{0}, Offset{1}};
  EXPECT_EQ(top.get("/x", at_least(other, 1s)).error(), Errc::invalid_argument);
}

TEST_F(EngineTest, ReadsOrderRangesTopAndMerge) {
  Engine engine{store, views()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  for (const char* url : {"/b", "/a", "/c", "/b", "/d", "/d", "/b"}) view(store, "v", url, 10).value();
  ASSERT_TRUE(engine.catch_up(5s).has_value());

  std::string keys;
  for (const auto& row : top.scan("/a", "/c").value()) keys += row.key;
  EXPECT_EQ(keys, "/a/b");
  keys.clear();
  for (const auto& row : top.scan({.descending = true, .limit = 2}).value()) keys += row.key;
  EXPECT_EQ(keys, "/d/c");
  keys.clear();
  for (const auto& row : top.top(3, &TopPages::State::views).value()) keys += row.key + std::to_string(row.state.views);
  EXPECT_EQ(keys, "/b3/d2/a1");  // /a before /c: ties in key order
  keys.clear();
  for (const auto& row : top.top(9, &TopPages::State::views, "/c", "/z").value()) keys += row.key;
  EXPECT_EQ(keys, "/d/c");
  EXPECT_EQ(top.merged("/a", "/c").value().millis, 40);
  EXPECT_FALSE(top.get("/none").value());
}

TEST_F(EngineTest, RestartGoesOnWhereItStopped) {
  Random random{1};
  append_random(store, random, 3000);
  {
    Engine engine{store, views()};
    engine.add<EventCounts>();
    ASSERT_TRUE(engine.start().has_value());
    ASSERT_TRUE(engine.catch_up(60s).has_value());
    ASSERT_TRUE(engine.stop().has_value());
  }
  append_random(store, random, 1000);
  Engine engine{store, views()};
  auto& counts = engine.add<EventCounts>();
  ASSERT_TRUE(engine.start().has_value());
  EXPECT_EQ(engine.status().front().lag, 0);  // nothing read yet
  std::int64_t at = 0;
  for (const Position& position : counts.status().positions) at += position.offset.value();
  EXPECT_EQ(at, 3000);
  ASSERT_TRUE(engine.catch_up(60s).has_value());
  EXPECT_EQ(counted(counts), 4000);
  EXPECT_EQ(counts.status().generation, 1);
}

TEST_F(EngineTest, DestroyedWithoutStopRepeatsAndLosesNothing) {
  Random random{2};
  for (int round = 0; round < 10; ++round) {
    append_random(store, random, 500 + random.below(3000));
    Engine engine{store, views()};
    auto& counts = engine.add<EventCounts>();
    engine.add<TopPages>();
    ASSERT_TRUE(engine.start().has_value());
    sim.executor.run_for(std::chrono::milliseconds{random.below(100)});
    std::int64_t at = 0;
    for (const Position& position : counts.status().positions) at += position.offset.value();
    EXPECT_EQ(counted(counts), at);  // rows and positions of one moment
  }
  Engine engine{store, views()};
  auto& counts = engine.add<EventCounts>();
  engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  ASSERT_TRUE(engine.catch_up(60s).has_value());
  EXPECT_EQ(counted(counts), log_size());
}

TEST_F(EngineTest, SmallCacheGivesTheSameRows) {
  Random random{3};
  append_random(store, random, 20000);
  std::string fingerprints[2][2];
  for (int run = 0; run < 2; ++run) {
    Engine engine{
        store, sqlite(directory / ("run" + std::to_string(run) + ".db")), {.cache_bytes = run == 0 ? 64u << 20 : 20'000}};
    auto& top = engine.add<TopPages>();
    auto& visitors = engine.add<Visitors>();
    ASSERT_TRUE(engine.start().has_value());
    ASSERT_TRUE(engine.catch_up(600s).has_value());
    fingerprints[run][0] = top.fingerprint().value();
    fingerprints[run][1] = visitors.fingerprint().value();
    EXPECT_LE(top.status().cached_bytes, run == 0 ? 64u << 20 : 20'000u);
  }
  EXPECT_EQ(fingerprints[0][0], fingerprints[1][0]);
  EXPECT_EQ(fingerprints[0][1], fingerprints[1][1]);
}

TEST_F(EngineTest, ProjectionAddedLaterCatchesUpAloneAndJoins) {
  Random random{4};
  append_random(store, random, 9000);
  {
    Engine engine{store, views()};
    engine.add<TopPages>();
    ASSERT_TRUE(engine.start().has_value());
    ASSERT_TRUE(engine.catch_up(60s).has_value());
    ASSERT_TRUE(engine.stop().has_value());
  }
  append_random(store, random, 500);
  Engine engine{store, views()};
  engine.add<TopPages>();
  auto& counts = engine.add<EventCounts>();
  ASSERT_TRUE(engine.start().has_value());
  ASSERT_TRUE(engine.catch_up(60s).has_value());
  EXPECT_EQ(counted(counts), 9500);
  const Commit commit = view(store, "v", "/joined").value();
  ASSERT_TRUE(counts.get(commit.partition.partition.value(), at_least(commit, 1s)).has_value());
  EXPECT_EQ(counted(counts), 9501);
}

TEST_F(EngineTest, HandlerThatThrowsStopsItsProjectionOnly) {
  Engine engine{store, views()};
  auto& explodes = engine.add<Explodes>();
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  view(store, "a", "/fine").value();
  ASSERT_TRUE(engine.catch_up(5s).has_value());
  view(store, "a", "/lost?").value();
  const Commit bad = view(store, "a", "/explode").value();
  const auto row = explodes.get("/explode", at_least(bad, 5s));
  ASSERT_FALSE(row.has_value());
  EXPECT_EQ(row.error(), Errc::handler_failed);
  EXPECT_NE(row.error().text().find("no page like this"), std::string_view::npos) << row.error();
  EXPECT_EQ(explodes.status().phase, ProjectionPhase::failed);
  EXPECT_EQ(explodes.get("/fine").value()->views, 1);
  EXPECT_EQ(top.get("/explode", at_least(bad, 5s)).value()->views, 1);
  EXPECT_EQ(top.status().phase, ProjectionPhase::live);
}

TEST_F(EngineTest, UndecodableEventIsParkedAndPassedOver) {
  std::optional<Engine> engine;
  engine.emplace(store, views());
  auto& top = engine->add<TopPages>();
  auto& counts = engine->add<EventCounts>();
  ASSERT_TRUE(engine->start().has_value());
  const Commit good = view(store, "a", "/a").value();
  EncodedRecords records;
  const ShapeHash hash = shape_of<PageViewed>().hash();
  EnvelopeFields fields;
  fields.stream = "visit-a";
  fields.type = "PageViewed";
  fields.shape = hash;
  fields.time = fields.recorded = sim.clock.now();
  const Bytes garbage = to_bytes("\xff\xff\xff");
  fields.payload = garbage;
  ASSERT_TRUE(add_record(fields, records).has_value());
  ASSERT_TRUE(append_wait(*log, {good.partition, records, {}, {}, true}).has_value());
  const Commit last = view(store, "a", "/a").value();
  EXPECT_EQ(top.get("/a", at_least(last, 5s)).value()->views, 2);
  EXPECT_EQ(top.status().parked, 1);
  EXPECT_EQ(counts.status().parked, 1);
  ASSERT_TRUE(engine->stop().has_value());

  engine.emplace(store, views());
  auto& top_again = engine->add<TopPages>();
  ASSERT_TRUE(engine->start().has_value());
  EXPECT_EQ(top_again.status().parked, 1);

  const auto rebuilt = engine->rebuild({.projections = {"TopPages"}});
  ASSERT_FALSE(rebuilt.has_value());
  EXPECT_EQ(rebuilt.error(), Errc::undecodable);
  EXPECT_NE(rebuilt.error().text().find("1 event can't be decoded"), std::string_view::npos) << rebuilt.error();
  EXPECT_NE(rebuilt.error().text().find("PageViewed"), std::string_view::npos) << rebuilt.error();
  EXPECT_EQ(rebuilt.error().offset(), last.first.plus(-1));
  EXPECT_EQ(top_again.get("/a").value()->views, 2);  // the live rows stay
}

TEST_F(EngineTest, CutLogLeadsToARebuildNotToGhosts) {
  Random random{5};
  append_random(store, random, 2000);
  {
    Engine engine{store, views()};
    engine.add<EventCounts>();
    ASSERT_TRUE(engine.start().has_value());
    ASSERT_TRUE(engine.catch_up(60s).has_value());
    ASSERT_TRUE(engine.stop().has_value());
  }
  const TopicPartition first{"events", PartitionId{0}};
  log->cut(first, log->ends(first).value().committed.plus(-7));
  view(store, "v", "/new").value();
  Engine engine{store, views()};
  auto& counts = engine.add<EventCounts>();
  ASSERT_TRUE(engine.start().has_value());
  EXPECT_EQ(counts.status().phase, ProjectionPhase::rebuilding);
  EXPECT_NE(counts.status().note.find("the log does not hold"), std::string::npos) << counts.status().note;
  ASSERT_TRUE(engine.catch_up(60s).has_value());
  EXPECT_EQ(counted(counts), log_size());
  EXPECT_EQ(counts.status().phase, ProjectionPhase::live);
  EXPECT_EQ(counts.status().note, "");
  EXPECT_EQ(counts.status().generation, 2);
}

struct TopPagesWithVisitors {  // TopPages as its author changed it later
  static constexpr std::string_view projection_name = "TopPages";
  using Events = events<PageViewed>;
  using Key = std::string;
  struct State {
    std::int64_t views = 0;
    std::string last_visitor;
  };
  static std::string_view key(const Envelope&, const PageViewed& e) { return e.url; }
  static void evolve(State& s, const PageViewed& e) {
    ++s.views;
    s.last_visitor = e.visitor;
  }
};

struct TopPagesVersionTwo : TopPages {
  static constexpr std::string_view projection_name = "TopPages";
  static constexpr int version = 2;
};

struct TopPagesToldAtRunTime : TopPages {
  static constexpr std::string_view projection_name = "TopPages";
  static inline std::int64_t told = 0;
  static std::int64_t version() { return told; }
};

TEST_F(EngineTest, ChangedStateOrVersionIsRebuiltFromTheBeginningAndSaysSo) {
  for (int number = 0; number < 100; ++number) view(store, "v" + std::to_string(number % 7), "/a").value();
  const auto run = [this]<class P>(std::type_identity<P>) {
    Engine engine{store, views()};
    auto& top = engine.add<P>();
    EXPECT_TRUE(engine.start().has_value());
    const std::string note = top.status().note;
    EXPECT_TRUE(engine.catch_up(60s).has_value());
    EXPECT_EQ(top.get("/a").value()->views, 100);
    sim.executor.run_due();
    EXPECT_EQ(top.status().phase, ProjectionPhase::live);
    return note;
  };
  EXPECT_EQ(run(std::type_identity<TopPages>{}), "");
  EXPECT_EQ(run(std::type_identity<TopPages>{}), "");
  EXPECT_EQ(run(std::type_identity<TopPagesWithVisitors>{}), "its State has changed");
  EXPECT_EQ(run(std::type_identity<TopPages>{}), "its State has changed");
  EXPECT_EQ(run(std::type_identity<TopPagesVersionTwo>{}), "its version is 2 now, not 0");
  TopPagesToldAtRunTime::told = 7;
  EXPECT_EQ(run(std::type_identity<TopPagesToldAtRunTime>{}), "its version is 7 now, not 2");
  EXPECT_EQ(run(std::type_identity<TopPagesToldAtRunTime>{}), "");
  TopPagesToldAtRunTime::told = 8;
  EXPECT_EQ(run(std::type_identity<TopPagesToldAtRunTime>{}), "its version is 8 now, not 7");
}

struct ReadingOrder {  // notes from which partition each event came
  static constexpr std::string_view topic = "events";
  using Events = events<PageViewed>;
  using Key = std::int32_t;
  struct State {
    std::int64_t views = 0;
  };
  static inline std::vector<std::int32_t> partitions;
  static Key key(const Envelope& envelope, const PageViewed&) {
    partitions.push_back(envelope.partition.value());
    return envelope.partition.value();
  }
  static void evolve(State& s, const PageViewed&) { ++s.views; }
};

TEST_F(EngineTest, HistoryIsReadFromAllPartitionsInTurn) {
  for (int number = 0; number < 40'000; ++number) view(store, "v" + std::to_string(number % 64), "/a").value();
  ReadingOrder::partitions.clear();
  Engine engine{store, memory()};
  engine.add<ReadingOrder>();
  ASSERT_TRUE(engine.start().has_value());
  ASSERT_TRUE(engine.catch_up(60s).has_value());
  const std::vector<std::int32_t>& order = ReadingOrder::partitions;
  ASSERT_EQ(order.size(), 40'000U);
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    const auto first = std::find(order.begin(), order.end(), partition);
    EXPECT_LT(first - order.begin(), 20'000) << "partition " << partition << " waited for the others' ends";
  }
}

TEST_F(EngineTest, TwoProjectionsOfOneNameAreRefused) {
  Engine engine{store, memory()};
  engine.add<TopPages>();
  engine.add<TopPagesWithVisitors>();
  EXPECT_EQ(engine.start().error(), Errc::already_exists);
}

TEST_F(EngineTest, SecondEngineOnTheStoreIsRefused) {
  Engine engine{store, views()};
  engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  Engine second{store, views()};
  second.add<TopPages>();
  EXPECT_EQ(second.start().error(), Errc::locked);
}

TEST_F(EngineTest, LiveCommitsWaitForTheIntervalUnlessSomebodyAsks) {
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start().has_value());
  sim.executor.run_due();
  view(store, "a", "/a").value();
  sim.executor.run_for(40ms);
  EXPECT_FALSE(top.get("/a").value());
  sim.executor.run_for(20ms);
  EXPECT_EQ(top.get("/a").value()->views, 1);
  const Commit commit = view(store, "a", "/a").value();
  const Instant before = sim.clock.monotonic();
  EXPECT_EQ(top.get("/a", at_least(commit, 5s)).value()->views, 2);
  EXPECT_LT(sim.clock.monotonic() - before, 5ms);
}

TEST_F(EngineTest, ReadsBeforeStartAnswerClosedAndAfterStopStillWork) {
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  EXPECT_EQ(top.get("/a").error(), Errc::closed);
  ASSERT_TRUE(engine.start().has_value());
  const Commit commit = view(store, "a", "/a").value();
  ASSERT_TRUE(engine.stop().has_value());
  EXPECT_EQ(top.status().phase, ProjectionPhase::stopped);
  EXPECT_TRUE(top.get("/a").has_value());
  Commit later = commit;
  later.end = later.end.plus(1);
  EXPECT_EQ(top.get("/a", at_least(later, 5s)).error(), Errc::closed);
}

}  // namespace
}  // namespace lungo::test
