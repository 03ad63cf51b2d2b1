// Snapshots of spread rows: whoever takes over a partition without its rows begins with the newest, reads what is behind it,
// and has rows whose history the topic has trimmed. What can't be used is left.
#include <gtest/gtest.h>

#include <lungo/framework/snapshots.hpp>
#include "projections/rows_snapshot.hpp"
#include "tests/projections/spread_pages.hpp"
#include "tests/support/log_lines.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kEvery = 100;
const TopicPartition kOne = spread_partition(1);

SpreadOptions snapshots_every(std::int64_t every) {
  SpreadOptions options;
  options.snapshot_every = every;
  options.snapshot_interval = 0s;
  return options;
}

struct NewerCalls : AppliedCalls {
  static constexpr std::string_view projection_name = "AppliedCalls";
  static constexpr std::int64_t version = 2;
};

/// Two processes, and visitors of one partition.
class SpreadSnapshotsTest : public testing::Test {
 protected:
  SpreadSnapshotsTest() {
    for (int number = 0; visitors.size() < 40; ++number) {
      const std::string name = "v" + std::to_string(number);
      if (partition_of_visitor(name) == kOne) visitors.push_back(name);
    }
    for (std::int32_t id = 0; id < kSpreadPartitions; ++id) cluster.homes.give(spread_partition(id), 0);
  }
  void view_times(int times, const std::string& url_end = "") {
    EventBatch batch = cluster.unowned.batch("events").value();
    for (int time = 0; time < times; ++time, ++viewed) {
      const std::string& visitor = visitors[viewed % visitors.size()];
      batch.add(StreamId{"visit", visitor}, PageViewed{"/" + std::to_string(viewed % 2000) + url_end, visitor, 1}).value();
    }
    cluster.unowned.append_wait(std::move(batch)).value();
  }
  /// Until nothing is left to do, saves included.
  void settle() { cluster.simulation.executor.run_for(5s); }
  static std::string key(const std::string& projection) { return "spread/rows/" + projection + "/events/1"; }
  std::optional<Snapshot> snapshot(const std::string& projection = "AppliedCalls") {
    return Snapshots{cluster.unowned}.load(key(projection)).value();
  }
  /// Where the newest of the projection ends.
  Offset saved(const std::string& projection = "AppliedCalls") {
    const std::optional<Snapshot> found = snapshot(projection);
    return found ? found->position.offset : Offset{0};
  }
  /// The rows of all projections are those of all events, of which `site` has applied so many just now.
  void expect_rows(SpreadSite& site, std::int64_t applied) {
    AppliedCalls::made = 0;
    ASSERT_TRUE(site.engine->catch_up(30s));
    EXPECT_EQ(AppliedCalls::made, applied);
    EXPECT_EQ(site.calls->get(0).value()->count, static_cast<std::int64_t>(viewed));
    expect_same<TopPages>(site.top->scan(), top);
    expect_same<VisitorPages>(site.visitors->scan(), pages);
  }
  /// To be compared with what is shown when their history is gone.
  void note_rows() {
    top = cluster.all_rows<TopPages>();
    pages = cluster.all_rows<VisitorPages>();
  }

  SpreadCluster cluster{1};
  std::vector<std::string> visitors;
  std::size_t viewed = 0;
  std::vector<RowOf<TopPages>> top;
  std::vector<RowOf<VisitorPages>> pages;
};

TEST_F(SpreadSnapshotsTest, ATakeOverReadsWhatIsBehindTheNewestOne) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  const auto there = cluster.start(1, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  EXPECT_EQ(saved(), Offset{250});
  EXPECT_EQ(saved("TopPages"), Offset{250});
  EXPECT_EQ(saved("VisitorPages"), Offset{250});
  view_times(30);
  settle();
  EXPECT_EQ(saved(), Offset{250}) << "too little has come";
  note_rows();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 30);
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST_F(SpreadSnapshotsTest, OffIsTheDefaultAndNoneIsLookedFor) {
  auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  const auto there = cluster.start(1);
  view_times(250);
  settle();
  note_rows();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 250);
  view_times(300);
  settle();
  EXPECT_EQ(saved(), Offset{250}) << "and none is written";
}

TEST_F(SpreadSnapshotsTest, RowsAreKeptWhoseHistoryTheTopicHasTrimmed) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  const auto there = cluster.start(1, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  view_times(30);
  note_rows();
  cluster.homes.shared().trim(kOne, Offset{250});
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 30);
  for (int turn = 0; turn < 4; ++turn) {  // of rows from a snapshot one is written, and so on
    const auto& owner = turn % 2 == 0 ? there : here;
    const auto& next = turn % 2 == 0 ? here : there;
    view_times(120);
    settle();
    top = owner->top->scan().value();
    pages = owner->visitors->scan().value();
    cluster.homes.shared().trim(kOne, saved());
    cluster.homes.give(kOne, turn % 2);
    expect_rows(*next, 0);
  }
}

TEST_F(SpreadSnapshotsTest, ARestartWithoutFilesGoesOnFromItsOwn) {
  auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  view_times(10);
  note_rows();
  here.reset();
  here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  expect_rows(*here, 10);
}

TEST_F(SpreadSnapshotsTest, AStoreOfAnEarlierTimeGoesOnUnlessTheSnapshotIsFarAhead) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  const auto there = cluster.start(1, cluster.files(1), snapshots_every(kEvery));
  cluster.homes.give(kOne, 1);
  view_times(250);
  settle();
  cluster.homes.give(kOne, 0);
  settle();
  view_times(90);
  note_rows();
  settle();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 90);
  cluster.homes.give(kOne, 0);
  settle();
  view_times(110);
  settle();
  EXPECT_EQ(saved(), Offset{450});
  view_times(5);
  note_rows();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 5);
  // Less far, but the history between is gone.
  cluster.homes.give(kOne, 0);
  settle();
  view_times(95);
  settle();
  EXPECT_EQ(saved(), Offset{550});
  note_rows();
  cluster.homes.shared().trim(kOne, Offset{500});
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 0);
}

TEST_F(SpreadSnapshotsTest, ChunksAreReadWhereTheyAreWorthItOnly) {
  const std::string url_end(2000, 'x');
  const auto here = cluster.start(0, cluster.files(0), snapshots_every(kEvery));
  view_times(1000, url_end);
  settle();
  int reads = 0;
  cluster.homes.shared().on_read([&](const TopicPartition& partition) { reads += partition.topic == kSnapshotsTopic ? 1 : 0; });
  cluster.homes.put_away(kOne);
  settle();
  cluster.homes.give(kOne, 0);
  settle();
  EXPECT_EQ(std::exchange(reads, 0), 0) << "its own are as new";
  const auto there = cluster.start(1, memory_by_partition(), snapshots_every(kEvery));
  cluster.homes.give(kOne, 1);
  settle();
  EXPECT_GE(reads, 3);
  cluster.homes.shared().on_read({});
}

TEST_F(SpreadSnapshotsTest, AnotherVersionFindsNone) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  AppliedCalls::made = 0;
  EventStore store{cluster.homes.log(1)};
  SpreadEngine engine{store, memory_by_partition(), snapshots_every(kEvery)};
  auto& newer = engine.add<NewerCalls>();
  ASSERT_TRUE(engine.start());
  const LogLines lines{"projections"};
  for (std::int32_t id = 0; id < kSpreadPartitions; ++id) cluster.homes.give(spread_partition(id), 1);
  ASSERT_TRUE(engine.catch_up(30s));
  EXPECT_EQ(newer.get(0).value()->count, 250);
  EXPECT_EQ(AppliedCalls::made, 250);
  EXPECT_EQ(lines.count("warning", "snapshot spread/rows/AppliedCalls/events/1 is not used: it is of another State"), 1);
  settle();
  EXPECT_EQ(saved(), Offset{250}) << "its own, now";
  view_times(10);
  cluster.homes.put_away(kOne);
  settle();
  AppliedCalls::made = 0;
  cluster.homes.give(kOne, 1);
  ASSERT_TRUE(engine.catch_up(30s));
  EXPECT_EQ(AppliedCalls::made, 10);
}

TEST_F(SpreadSnapshotsTest, OneThatIsNotSoundIsLeft) {
  auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  note_rows();
  here.reset();
  const Snapshot good = *snapshot();
  const auto expect_left = [&](const Snapshot& bad) {
    const LogLines lines{"projections"};
    ASSERT_TRUE(Snapshots{cluster.unowned}.save_wait(key("AppliedCalls"), kOne, bad));
    here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
    expect_rows(*here, 250);
    EXPECT_EQ(lines.count("warning", "snapshot spread/rows/AppliedCalls/events/1 is not used: "), 1);
    here.reset();
  };
  Snapshot bad = good;
  bad.state.pop_back();
  expect_left(bad);
  bad = good;
  bad.state.clear();
  expect_left(bad);
  bad = good;
  bad.position.offset = Offset{251};  // above the end
  expect_left(bad);
  bad = good;
  bad.position.topic.bytes[3] ^= 1;
  expect_left(bad);
  bad = good;
  bad.position.epoch = kNoEpoch;
  expect_left(bad);
  bad = good;
  bad.position.partition = PartitionId{2};
  expect_left(bad);
  ASSERT_TRUE(Snapshots{cluster.unowned}.save_wait(key("AppliedCalls"), kOne, good));
  here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  expect_rows(*here, 0);
}

TEST_F(SpreadSnapshotsTest, OneOfEventsThatTheLogLostIsLeft) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  const auto there = cluster.start(1, cluster.files(1), snapshots_every(kEvery));
  cluster.homes.give(kOne, 1);
  view_times(200);
  settle();
  cluster.homes.give(kOne, 0);
  view_times(50);
  view_times(150);
  settle();
  EXPECT_EQ(saved(), Offset{400});
  cluster.homes.put_away(kOne);
  settle();
  cluster.homes.shared().cut(kOne, Offset{250});
  viewed = 250;
  view_times(100);  // others have taken their place
  note_rows();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 150);  // the rows of an earlier time are as good as they were
}

TEST_F(SpreadSnapshotsTest, WhoHasLostThePartitionUnawaresReplacesNone) {
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  view_times(250);
  settle();
  const LogLines lines{"projections"};
  cluster.homes.take(kOne, 1);
  view_times(250);
  settle();
  EXPECT_GE(cluster.homes.refused(), 3) << "one for each projection";
  EXPECT_LE(cluster.homes.refused(), 18) << "once a second, for 5 s";
  EXPECT_EQ(saved(), Offset{250});
  EXPECT_TRUE(lines.of("warning").empty()) << "no error";
  EXPECT_EQ(here->engine->status().size(), 4u);
  cluster.homes.tell_lost();
  cluster.homes.give(kOne, 0);
  settle();
  EXPECT_EQ(saved(), Offset{500});
}

TEST_F(SpreadSnapshotsTest, ACrashBetweenChunksLeavesTheOneBefore) {
  const std::string url_end(2000, 'x');
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  view_times(1000, url_end);
  settle();
  ASSERT_GT(snapshot("TopPages")->state.size(), 2'000'000u);
  view_times(500, url_end);
  cluster.homes.shared().fail_appends(100, Error{Errc::io, "no disk"}, 1);
  settle();
  cluster.homes.shared().fail_appends(0, Error{Errc::io, ""});
  EXPECT_EQ(saved("TopPages"), Offset{1000});
  note_rows();
  const auto there = cluster.start(1, memory_by_partition(), snapshots_every(kEvery));
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 500);
  settle();
  EXPECT_EQ(saved("TopPages"), Offset{1500}) << "the next does it again";
  note_rows();
  cluster.homes.give(kOne, 0);
  expect_rows(*here, 0);
}

TEST_F(SpreadSnapshotsTest, RowsThatAreTooLargeAreSaidOnceAndLeft) {
  const LogLines lines{"projections"};
  SpreadOptions options = snapshots_every(kEvery);
  options.snapshot_bytes_max = 800;
  const auto here = cluster.start(0, memory_by_partition(), options);
  for (int time = 0; time < 5; ++time) {
    view_times(150);
    settle();
  }
  EXPECT_FALSE(snapshot("TopPages"));
  EXPECT_EQ(saved("VisitorPages"), Offset{750});
  EXPECT_EQ(lines.count("warning", "snapshot spread/rows/TopPages/events/1 is not written: too_large: its rows take more"), 1);
  note_rows();
  const auto there = cluster.start(1, memory_by_partition(), options);
  cluster.homes.give(kOne, 1);
  expect_rows(*there, 0);
}

TEST_F(SpreadSnapshotsTest, ABusyPartitionIsWrittenOnceInAnInterval) {
  SpreadOptions options = snapshots_every(kEvery);
  options.snapshot_interval = 1min;
  const auto here = cluster.start(0, memory_by_partition(), options);
  for (int second = 1; second <= 150; ++second) {
    view_times(200);
    cluster.simulation.executor.run_for(1s);
    const std::int64_t last = second < 60 ? 1 : second < 121 ? 61 : 121;
    if (second % 60 > 2) {
      ASSERT_LE(saved(), Offset{200 * (last + 2)});
      ASSERT_GE(saved(), Offset{200 * (last - 2)});
    }
  }
}

TEST_F(SpreadSnapshotsTest, OneAtATimeIsWritten) {
  Snapshots{cluster.unowned}.prepare().value();
  append_random(cluster.unowned, cluster.random, 3000);
  const auto here = cluster.start(0, memory_by_partition(), snapshots_every(kEvery));
  cluster.homes.shared().hold_commits();
  const std::size_t appends = cluster.homes.shared().append_calls();
  settle();
  EXPECT_EQ(cluster.homes.shared().append_calls() - appends, 1u);
  cluster.homes.shared().commit_held(true);
  settle();
  EXPECT_EQ(cluster.homes.shared().append_calls() - appends, 2u);
  cluster.homes.shared().commit_held();
  settle();
  EXPECT_EQ(cluster.homes.shared().append_calls() - appends, 12u) << "of each projection and partition";
}

// Each event is a view, so a snapshot's views are as many as the events below its position, whatever came while it was
// collected.
TEST_F(SpreadSnapshotsTest, RowsAndPositionAreOfOneMomentWhileReadsAndViewsGoOn) {
  const auto views_in = [](const Snapshot& snapshot) {
    const auto store = memory();
    ProjectionEntry entry;
    entry.projection = entry.table = "TopPages";
    entry.positions = {snapshot.position};
    RowsInstaller installer{*store, entry, detail::table_spec<TopPages::Key, TopPages::State>("TopPages"), snapshot.state};
    while (!installer.write_page().value()) continue;
    std::int64_t views = 0;
    const auto add = [&](Cells row) {
      views += std::get<std::int64_t>(row[1]);
      return true;
    };
    store->reader().value()->scan("TopPages", {}, add).value();
    return views;
  };
  const std::string url_end(2000, 'x');
  view_times(2000, url_end);  // 4 MB, several steps
  SpreadOptions options = snapshots_every(kEvery);
  options.engine.commit_interval = 0s;
  const auto here = cluster.start(0, memory_by_partition(), options);
  int looked_at = 0;
  Offset last{0};
  for (int round = 0; round < 600; ++round) {
    const Commit commit = view(cluster.unowned, visitors[0], round % 2 == 0 ? "/0" + url_end : "/999" + url_end).value();
    ++viewed;
    cluster.simulation.executor.step_one();  // a page, where rows are collected
    if (round % 50 == 49) {
      const auto row = here->calls->get(0, {.timeout = 5s, .at_least = commit});
      ASSERT_TRUE(row) << row.error();
      EXPECT_EQ((*row)->count, static_cast<std::int64_t>(viewed));
    }
    if (round % 10 != 0 || saved("TopPages") == last) continue;
    last = saved("TopPages");
    EXPECT_EQ(views_in(*snapshot("TopPages")), last.value());
    ++looked_at;
    cluster.simulation.executor.run_for(5s);  // until the next may be written
  }
  EXPECT_GE(looked_at, 2);
  note_rows();
  const auto there = cluster.start(1, memory_by_partition(), options);
  settle();
  cluster.homes.give(kOne, 1);
  expect_rows(*there, static_cast<std::int64_t>(viewed) - saved().value());
}

}  // namespace
}  // namespace lungo::test
