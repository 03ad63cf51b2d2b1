// Rows that two processes keep together: each those of its partitions, which come and go.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "tests/projections/spread_pages.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using Fate = Wire::Fate;

constexpr SpreadRead kShort{.timeout = 2s, .at_least = {}};

/// A visitor whose events lie in that partition.
std::string visitor_in(std::int32_t partition) {
  for (int number = 0;; ++number) {
    std::string name = "v" + std::to_string(number);
    if (partition_of_visitor(name) == spread_partition(partition)) return name;
  }
}

void give_halves(SpreadCluster& cluster) {
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id) cluster.homes.give(spread_partition(id), id % 2);
}

TEST(SpreadEngine, EachProcessReadsTheRowsOfBoth) {
  SpreadCluster cluster{test_seed(1)};
  append_random(cluster.unowned, cluster.random, 3000);
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  for (const auto* site : {here.get(), there.get()}) {
    expect_same<TopPages>(site->top->scan(), cluster.all_rows<TopPages>());
    expect_same<VisitorPages>(site->visitors->scan(), cluster.all_rows<VisitorPages>());
    EXPECT_EQ(site->engine->status().size(), 2u);
  }
  ASSERT_TRUE(here->engine->catch_up(5s));
  EXPECT_EQ(here->engine->status()[1].partition, spread_partition(2));
  EXPECT_EQ(cluster.homes.refused(), 0) << "nothing is written";
}

TEST(SpreadEngine, ALookUpOfAStreamAsksItsOwnerAlone) {
  SpreadCluster cluster{1};
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id) {
    const std::string visitor = visitor_in(id);
    const Commit commit = view(cluster.unowned, visitor, "/x").value();
    cluster.wire.sent = 0;
    const auto row = here->visitors->get(visitor, {.timeout = 5s, .at_least = commit});
    ASSERT_TRUE(row) << row.error();
    ASSERT_TRUE(*row) << id;
    EXPECT_EQ((*row)->pages, 1);
    EXPECT_EQ(cluster.wire.sent > 0, id % 2 == 1) << "partition " << id;
  }
}

TEST(SpreadEngine, WithoutAForwarderTheOwnerIsNamed) {
  SpreadCluster cluster{1};
  give_halves(cluster);
  EventStore store{cluster.homes.log(0)};
  SpreadEngine engine{store, memory_by_partition()};
  auto& visitors = engine.add<VisitorPages>();
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  EXPECT_TRUE(visitors.get(visitor_in(0)));
  const auto row = visitors.get(visitor_in(1));
  ASSERT_FALSE(row);
  EXPECT_EQ(to_string(row.error()), "not_owner: events-1 is owned by home-1:80");
  EXPECT_EQ(top.get("/x").error(), Errc::not_owner);
}

TEST(SpreadEngine, WaitsForWhatIsNobodysAndNamesIt) {
  SpreadCluster cluster{1};
  give_halves(cluster);
  cluster.homes.put_away(spread_partition(2));
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  const auto rows = here->top->scan({}, kShort);
  ASSERT_FALSE(rows);
  EXPECT_EQ(to_string(rows.error()),
            "timed_out: rows of TopPages in events-2 are waited for: not_owner: events-2 is nobody's at present");
  cluster.wire.before_delivery = [&] { cluster.homes.give(spread_partition(2), 1); };
  EXPECT_TRUE(here->top->scan({}, kShort)) << "it came while the read waited";
}

TEST(SpreadEngine, ATakeOverGoesOnFromTheStoreOfAnEarlierTime) {
  SpreadCluster cluster{1};
  const std::string visitor = visitor_in(1);
  const auto view_times = [&](int times) {
    Commit last;
    for (int time = 0; time < times; ++time) last = view(cluster.unowned, visitor, "/x").value();
    return last;
  };
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id) cluster.homes.give(spread_partition(id), 0);
  const auto here = cluster.start(0, cluster.files(0));
  const auto there = cluster.start(1, cluster.files(1));
  AppliedCalls::made = 0;
  const auto expect_count = [&](std::int64_t count, int applied) {
    const auto row = here->calls->get(0);
    ASSERT_TRUE(row) << row.error();
    ASSERT_TRUE(*row);
    EXPECT_EQ((*row)->count, count);
    EXPECT_EQ(std::exchange(AppliedCalls::made, 0), applied);
  };
  const Commit first = view_times(100);
  ASSERT_TRUE(here->calls->get(0, {.timeout = 5s, .at_least = first}));
  expect_count(100, 100);
  cluster.homes.give(spread_partition(1), 1);
  expect_count(100, 100);  // it has no store of it, and begins with the log
  const Commit second = view_times(30);
  ASSERT_TRUE(here->calls->get(0, {.timeout = 5s, .at_least = second}));
  expect_count(130, 30);
  cluster.homes.give(spread_partition(1), 0);
  expect_count(130, 30);  // what came while it was the other's
  EXPECT_EQ(here->engine->status().size(), 4u);
  EXPECT_TRUE(there->engine->status().empty());
}

TEST(SpreadEngine, NoReadGoesBackBehindWhatAnOwnerHasShown) {
  SpreadCluster cluster{1};
  const std::string visitor = visitor_in(0);
  EventBatch batch = cluster.unowned.batch("events").value();
  for (int event = 0; event < 20'000; ++event) batch.add(StreamId{"visit", visitor}, PageViewed{"/x", visitor, 1}).value();
  cluster.unowned.append_wait(std::move(batch)).value();
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  const auto expect_all = [&](const SpreadSite& site) {
    const auto row = site.visitors->get(visitor);
    ASSERT_TRUE(row) << row.error();
    EXPECT_EQ((*row)->pages, 20'000);
  };
  expect_all(*there);
  for (const int home : {1, 0, 1}) {  // each time the rows are made anew, in more than one step
    cluster.homes.give(spread_partition(0), home);
    expect_all(home == 0 ? *there : *here);
  }
  // What is taken and given back at once may have had another owner meanwhile.
  cluster.homes.put_away(spread_partition(0));
  view(cluster.unowned, visitor, "/y").value();
  cluster.homes.give(spread_partition(0), 1);
  EXPECT_EQ(there->visitors->get(visitor).value()->pages, 20'001);
}

TEST(SpreadEngine, AnOwnerThatHasLostAPartitionUnawaresShowsThePastUntilItIsTold) {
  SpreadCluster cluster{1};
  const std::string visitor = visitor_in(0);
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  ASSERT_TRUE(here->visitors->get(visitor));
  cluster.homes.take(spread_partition(0), 1);
  const Commit commit = view(cluster.unowned, visitor, "/x").value();
  const SpreadRead after{.timeout = 5s, .at_least = commit};
  EXPECT_EQ(there->visitors->get(visitor, after).value()->pages, 1);
  EXPECT_EQ(here->visitors->get(visitor, after).value()->pages, 1) << "its log has the commit, too";
  cluster.homes.tell_lost();
  cluster.wire.sent = 0;
  EXPECT_EQ(here->visitors->get(visitor).value()->pages, 1);
  EXPECT_EQ(cluster.wire.sent, 1) << "now it asks the owner";
  EXPECT_EQ(here->engine->status().size(), 1u);
}

TEST(SpreadEngine, WhatIsLostOnTheWayIsAskedForAgain) {
  SpreadCluster cluster{1};
  append_random(cluster.unowned, cluster.random, 200);
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  const auto wanted = cluster.all_rows<TopPages>();
  expect_same<TopPages>(here->top->scan(), wanted);
  for (const Fate fate : {Fate::is_refused, Fate::request_is_lost, Fate::answer_is_lost}) {
    cluster.wire.fates = {fate, fate};
    expect_same<TopPages>(here->top->scan(), wanted);
  }
  cluster.wire.fates = {Fate::answer_is_garbage};
  EXPECT_EQ(here->top->scan().error(), Errc::invalid_argument);
  cluster.simulation.executor.run_for(1s);
  cluster.wire.fates = {Fate::is_swallowed};
  const auto late = here->top->scan({}, kShort);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errc::timed_out);
  EXPECT_NE(late.error().text().find("home-1:80 has not answered"), std::string_view::npos) << late.error();
}

TEST(SpreadEngine, RowsOfManyPagesFollowEachOtherBothWays) {
  SpreadCluster cluster{1};
  const std::string visitor = visitor_in(1);
  EventBatch batch = cluster.unowned.batch("events").value();
  for (int page = 0; page < 3000; ++page) {
    const std::string url = "/" + std::to_string(10'000 + page) + std::string(300, 'x');  // about 1 MB of rows
    batch.add(StreamId{"visit", visitor}, PageViewed{url, visitor, page}).value();
  }
  cluster.unowned.append_wait(std::move(batch)).value();
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  std::vector<RowOf<TopPages>> wanted = cluster.all_rows<TopPages>();
  cluster.wire.sent = 0;
  expect_same<TopPages>(here->top->scan(), wanted);
  EXPECT_GE(cluster.wire.sent, 5) << "one for the partition without rows";
  const std::vector<RowOf<TopPages>> first(wanted.begin(), wanted.begin() + 2000);
  expect_same<TopPages>(here->top->scan({false, 2000}), first);
  std::reverse(wanted.begin(), wanted.end());
  expect_same<TopPages>(here->top->scan({true}), wanted);
  const std::vector<RowOf<TopPages>> last(wanted.begin(), wanted.begin() + 2000);
  expect_same<TopPages>(here->top->scan({true, 2000}), last);
}

TEST(SpreadEngine, ARowThatFitsInNoMessageIsTold) {
  SpreadCluster cluster{1};
  const std::string visitor = visitor_in(1);
  view(cluster.unowned, visitor, std::string(kForwardedBytesMax, 'x')).value();
  give_halves(cluster);
  const auto here = cluster.start(0);
  const auto there = cluster.start(1);
  EXPECT_EQ(there->visitors->get(visitor).value()->pages, 1);
  EXPECT_EQ(here->visitors->get(visitor).error(), Errc::too_large);
}

struct NewerPages : VisitorPages {
  static constexpr std::string_view projection_name = "VisitorPages";
  static constexpr std::int64_t version = 2;
};
struct UnknownPages : VisitorPages {
  static constexpr std::string_view projection_name = "UnknownPages";
};

TEST(SpreadEngine, ProgramsThatDifferAreToldApart) {
  SpreadCluster cluster{1};
  give_halves(cluster);
  const auto there = cluster.start(1);
  EventStore store{cluster.homes.log(0)};
  store.forward_with(std::make_shared<WireForwarder>(cluster.wire));
  SpreadEngine engine{store, memory_by_partition()};
  auto& newer = engine.add<NewerPages>();
  auto& unknown = engine.add<UnknownPages>();
  ASSERT_TRUE(engine.start());
  const auto row = newer.get(visitor_in(1));
  ASSERT_FALSE(row);
  EXPECT_EQ(to_string(row.error()),
            "unsupported: home-1:80: VisitorPages has another State, Key or version there: the programs differ");
  EXPECT_EQ(unknown.get(visitor_in(1)).error(), Errc::not_found);
}

TEST(SpreadEngine, AStoreThatCantBeOpenedIsTriedAgain) {
  SpreadCluster cluster{1};
  give_halves(cluster);
  int refused = 0;
  bool is_broken = true;
  const SpreadStores stores = [&](const TopicPartition& partition) -> std::unique_ptr<StateStore> {
    if (is_broken && partition == spread_partition(2) && ++refused > 0) throw std::runtime_error("the disk is away");
    return memory();
  };
  const auto here = cluster.start(0, stores);
  const auto there = cluster.start(1);
  EXPECT_TRUE(here->visitors->get(visitor_in(0), kShort)) << "another partition goes on";
  const auto row = here->visitors->get(visitor_in(2), {.timeout = 4s, .at_least = {}});
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error(), Errc::timed_out);
  EXPECT_NE(row.error().text().find("the disk is away"), std::string_view::npos) << row.error();
  EXPECT_GE(refused, 3);
  EXPECT_LE(refused, 6);
  EXPECT_TRUE(here->engine->status()[1].error);
  EXPECT_EQ(here->engine->catch_up(1s).error(), Errc::timed_out);
  is_broken = false;
  EXPECT_TRUE(here->visitors->get(visitor_in(2), kShort));
  EXPECT_FALSE(here->engine->status()[1].error);
}

TEST(SpreadEngine, AnswersWhateverTheBytesAre) {
  SpreadCluster cluster{1};
  append_random(cluster.unowned, cluster.random, 100);
  give_halves(cluster);
  const auto here = cluster.start(0);
  Bytes asked;
  struct Listening final : Forwarder {
    explicit Listening(Bytes& its_bytes) : bytes(its_bytes) {}
    void forward(const std::string&, Bytes request, Done done) override {
      bytes = std::move(request);
      done(Error{Errc::too_large, "enough"});
    }
    Bytes& bytes;
  };
  EventStore store{cluster.homes.log(1)};
  store.forward_with(std::make_shared<Listening>(asked));
  SpreadEngine engine{store, memory_by_partition()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(here->engine->catch_up(5s));
  for (int round = 0; round < 6000; ++round) {
    const auto read = round % 2 == 0 ? top.get("/page/3").error() : top.scan("/page/1", "/page/4", {round % 4 == 1}).error();
    ASSERT_EQ(read, Errc::too_large);
    for (std::uint64_t edits = cluster.random.below(4); edits > 0; --edits)
      asked[cluster.random.below(asked.size())] = static_cast<std::byte>(cluster.random.below(256));
    int answers = 0;
    here->server->serve(asked, [&](const Bytes&) { ++answers; });
    ASSERT_EQ(answers, 1);
  }
}

/// Whoever owns what, and however it comes and goes: rows are those of all events, and no read goes back.
class SpreadEngineRuns : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SpreadEngineRuns, RowsAreThoseOfOneEngineWhoeverOwnsWhat) {
  SpreadCluster cluster{GetParam()};
  Random& random = cluster.random;
  cluster.wire.any_fate = [&] {
    return random.below(10) < 8 ? Fate::arrives : random.one_in(2) ? Fate::request_is_lost : Fate::answer_is_lost;
  };
  const bool keeps_stores = random.one_in(2);
  SpreadOptions options;
  if (random.one_in(2)) options.snapshot_every = 1 + static_cast<std::int64_t>(random.below(200));
  options.snapshot_interval = std::chrono::milliseconds{random.below(2) * 20};
  if (random.one_in(2)) cluster.homes.answer_late(GetParam());
  const auto start = [&](int home) {
    return cluster.start(home, keeps_stores ? cluster.files(home) : memory_by_partition(), options);
  };
  std::array<std::unique_ptr<SpreadSite>, 2> sites{start(0), start(1)};
  std::map<std::string, std::int64_t> seen;
  Commit last;
  for (int turn = 0; turn < 40; ++turn) {
    const TopicPartition partition = spread_partition(static_cast<std::int32_t>(random.below(kSpreadPartitions)));
    const int home = static_cast<int>(random.below(2));
    switch (random.below(7)) {
      case 0:
        cluster.homes.give(partition, home);
        break;
      case 1:
        cluster.homes.put_away(partition);
        break;
      case 2:
        cluster.homes.take(partition, home);
        if (random.one_in(2)) cluster.simulation.executor.run_for(10ms);
        cluster.homes.tell_lost();
        break;
      case 3:
        append_random(cluster.unowned, random, 1 + random.below(300));
        last = view(cluster.unowned, "v" + std::to_string(random.below(300)), "/last").value();
        break;
      case 4:
        sites[static_cast<std::size_t>(home)].reset();
        sites[static_cast<std::size_t>(home)] = start(home);
        break;
      default: {
        const SpreadRead how{.timeout = 300ms, .at_least = random.one_in(2) ? std::optional{last} : std::nullopt};
        const auto rows = sites[static_cast<std::size_t>(home)]->top->scan({}, how);
        if (!rows) {
          EXPECT_TRUE(rows.error() == Errc::timed_out || rows.error() == Errc::invalid_argument) << rows.error();
          break;
        }
        for (const auto& row : *rows) {
          EXPECT_GE(row.state.views, seen[row.key]) << row.key << " in turn " << turn;
          seen[row.key] = row.state.views;
        }
      }
    }
  }
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id)
    cluster.homes.give(spread_partition(id), static_cast<int>(random.below(2)));
  cluster.wire.any_fate = {};
  for (const auto& site : sites) ASSERT_TRUE(site->engine->catch_up(30s));
  for (const auto& site : sites) {
    expect_same<TopPages>(site->top->scan(), cluster.all_rows<TopPages>());
    expect_same<VisitorPages>(site->visitors->scan(), cluster.all_rows<VisitorPages>());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpreadEngineRuns, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace lungo::test
