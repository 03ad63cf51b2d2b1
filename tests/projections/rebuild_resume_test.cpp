// Rebuilds that are killed, stopped, hurried or disturbed: the next one goes on where it may, and the rows are the log's.
#include <filesystem>

#include "tests/projections/rebuild_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class RebuildResumeTest : public RebuildTest {
 protected:
  /// Stops a rebuild at the engine's step `at`; the engine is open again afterwards.
  void cut_rebuild(int at, const RebuildOptions& options = {}) {
    Between cut{[&](int step) {
      if (step >= at) engine->stop().value();
      return step < at;
    }};
    const auto running = sim.executor.start(cut);
    EXPECT_EQ(engine->rebuild(options).error(), Errc::canceled);
    open();
  }
  void append_undecodable() {
    EncodedRecords records;
    EnvelopeFields fields;
    fields.stream = "visit-a";
    fields.type = "PageViewed";
    fields.shape = shape_of<PageViewed>().hash();
    const Bytes garbage = to_bytes("\xff\xff\xff");
    fields.payload = garbage;
    add_record(fields, records).value();
    append_wait(*log, {{"events", PartitionId{0}}, records, {}, {}, true}).value();
  }
};

// A copy of the store's files between two steps is what a kill there leaves.
TEST_F(RebuildResumeTest, KilledAtAnyStepItIsResumedToTheSameRows) {
  append_random(store, random, 30000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  int kills = 0;
  Between kill{[&](int step) {
    const std::string place = directory / ("kill-" + std::to_string(step));
    std::filesystem::create_directory(place);
    for (const char* end : {"", "-wal"})
      std::filesystem::copy_file(directory / ("views.db" + std::string(end)), place + "/views.db" + end);
    kills = step;
    sim.clock.advance(6ms);  // so that each step of the engine commits
    return true;
  }};
  {
    const auto running = sim.executor.start(kill);
    ASSERT_TRUE(engine->rebuild().has_value());
  }
  EXPECT_GE(kills, 8);
  int resumed = 0;
  for (int step = 1; step <= kills; ++step) {
    open("kill-" + std::to_string(step) + "/views.db");
    EXPECT_EQ(fingerprints(), live) << "live rows, killed at step " << step;
    const RebuildReport report = engine->rebuild().value();
    EXPECT_EQ(fingerprints(), live) << "killed at step " << step;
    EXPECT_TRUE(report.resumed || report.events == 30000) << step;
    resumed += report.resumed && report.events < 30000 ? 1 : 0;
  }
  EXPECT_GE(resumed, 4);
}

TEST_F(RebuildResumeTest, OnlyARebuildFromTheSamePlaceIsResumed) {
  append_random(store, random, 30000);
  sim.clock.advance(1h);
  const Timestamp later = sim.clock.now();
  append_random(store, random, 30000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  ASSERT_TRUE(engine->rebuild({.from = ReplayFrom::time(later)}).has_value());
  const std::vector<std::string> since = fingerprints();
  ASSERT_TRUE(engine->rebuild().has_value());
  const std::vector<std::string> all = fingerprints();
  ASSERT_NE(since, all);

  cut_rebuild(3, {.from = ReplayFrom::time(later)});
  EXPECT_EQ(fingerprints(), all);
  const RebuildReport other = engine->rebuild().value();
  EXPECT_FALSE(other.resumed);
  EXPECT_EQ(fingerprints(), all);

  cut_rebuild(3, {.from = ReplayFrom::time(later)});
  const RebuildReport same = engine->rebuild({.from = ReplayFrom::time(later)}).value();
  EXPECT_TRUE(same.resumed);
  EXPECT_LT(same.events, 30000u);
  EXPECT_EQ(fingerprints(), since);
}

TEST_F(RebuildResumeTest, WhoeverChangedTheCodeCanLeaveTheOldRowsBehind) {
  append_random(store, random, 30000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  cut_rebuild(4);
  const RebuildReport report = engine->rebuild({.resume = false}).value();
  EXPECT_FALSE(report.resumed);
  EXPECT_EQ(report.events, 30000u);
  EXPECT_EQ(fingerprints(), live);
}

TEST_F(RebuildResumeTest, RestWhoseHistoryWasTrimmedDoesNotStandInTheWay) {
  append_random(store, random, 30000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  cut_rebuild(3, {.from = ReplayFrom::offset(Offset{10})});
  const TopicPartition last{"events", PartitionId{3}};  // which it had not come to yet
  log->trim(last, log->ends(last).value().committed);
  const RebuildReport report = engine->rebuild({.from = ReplayFrom::offset(Offset{10})}).value();
  EXPECT_FALSE(report.resumed);
  EXPECT_FALSE(counts->get(3).value());
  EXPECT_TRUE(counts->get(0).value());
}

TEST_F(RebuildResumeTest, AnEventThatCannotBeDecodedIsMetAgainByTheNextOne) {
  append_random(store, random, 6000);
  append_undecodable();
  append_random(store, random, 30000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  for (const int at : {3, 4}) {
    cut_rebuild(at);
    const auto rebuilt = engine->rebuild();
    ASSERT_FALSE(rebuilt.has_value()) << at;
    EXPECT_EQ(rebuilt.error(), Errc::undecodable);
    EXPECT_NE(rebuilt.error().text().find("1 event can't be decoded"), std::string_view::npos) << rebuilt.error();
    EXPECT_EQ(fingerprints(), live);
  }
}

TEST_F(RebuildResumeTest, EventsAppendedMeanwhileAreInTheNewRows) {
  append_random(store, random, 20000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  for (const std::vector<std::string>& projections : {std::vector<std::string>{}, {"Visitors"}, {"EventCounts", "TopPages"}}) {
    Between append{[&](int step) {
      append_random(store, random, 300);
      return step < 20;
    }};
    const auto running = sim.executor.start(append);
    const RebuildReport report = engine->rebuild({.projections = projections}).value();
    EXPECT_GT(report.events, 20000u);
    sim.executor.run_for(100ms);
    ASSERT_TRUE(engine->catch_up(60s).has_value());
    EXPECT_EQ(fingerprints(), rows_from_nothing());
  }
}

TEST_F(RebuildResumeTest, OneOfSeveralLeavesTheOthersAlone) {
  append_random(store, random, 5000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  ASSERT_TRUE(engine->rebuild({.projections = {"Visitors"}, .from = ReplayFrom::offset(Offset{100})}).has_value());
  EXPECT_EQ(top->status().generation, 1);
  EXPECT_EQ(visitors->status().generation, 2);
  EXPECT_EQ(visitors->status().origin, "offset 100");
  EXPECT_EQ(fingerprints()[0], live[0]);
  EXPECT_NE(fingerprints()[1], live[1]);
  EXPECT_EQ(fingerprints()[2], live[2]);
  open();  // and after a restart
  EXPECT_EQ(visitors->status().origin, "offset 100");
  ASSERT_TRUE(engine->rebuild({.projections = {"Visitors"}}).has_value());
  EXPECT_EQ(fingerprints(), live);
}

TEST_F(RebuildResumeTest, SecondOneAtOnceIsBusyAndDisturbsNothing) {
  append_random(store, random, 20000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  int busy = 0;
  Between second{[&](int step) {
    if (step < 2 || step > 4) return step < 2;
    const auto refused = engine->rebuild({.projections = {"TopPages"}, .from = ReplayFrom::offset(Offset{5})});
    busy += !refused && refused.error() == Errc::busy ? 1 : 0;
    return true;
  }};
  const auto running = sim.executor.start(second);
  ASSERT_TRUE(engine->rebuild().has_value());
  EXPECT_EQ(busy, 3);
  EXPECT_EQ(fingerprints(), live);
  EXPECT_EQ(top->status().generation, 2);
}

TEST_F(RebuildResumeTest, StoppedByItsProgressItIsResumed) {
  append_random(store, random, 60000);
  open();
  ASSERT_TRUE(engine->catch_up(60s).has_value());
  const std::vector<std::string> live = fingerprints();
  Between hurry{[&](int) { return sim.clock.advance(50ms), true; }};
  RebuildProgress seen;
  {
    const auto running = sim.executor.start(hurry);
    const auto stopped = engine->rebuild({.progress = [&](const RebuildProgress& progress) {
      seen = progress;
      return false;
    }});
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error(), Errc::canceled);
  }
  EXPECT_GT(seen.events, 0u);
  EXPECT_EQ(seen.total, 60000u);
  EXPECT_EQ(fingerprints(), live);
  EXPECT_EQ(top->status().generation, 1);
  const Commit commit = view(store, "v", "/after").value();  // live rows went on
  EXPECT_EQ(top->get("/after", at_least(commit, 1s)).value()->views, 1);
  const RebuildReport report = engine->rebuild().value();
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(fingerprints(), rows_from_nothing());
}

}  // namespace
}  // namespace lungo::test
