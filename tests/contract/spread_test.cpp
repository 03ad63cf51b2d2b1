// What a SpreadEngine promises in every home: rows that are kept by partition, over restarts.
#include "tests/contract/contract.hpp"

#include <lungo/framework/snapshots.hpp>
#include <lungo/projections/spread_engine.hpp>

#include <atomic>
#include <filesystem>
#include <map>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

struct Scored {
  std::int64_t game = 0;
  std::int64_t points = 0;
};

struct Scores {
  using Events = lungo::events<Scored>;
  using Key = std::int64_t;
  struct State {
    std::int64_t points = 0;
  };
  static inline std::atomic<int> applied{0};
  static Key key(const Envelope&, const Scored& e) { return e.game; }
  static void evolve(State& s, const Scored& e) {
    ++applied;
    s.points += e.points;
  }
  static State merge(State a, const State& b) { return {a.points + b.points}; }
};

class SpreadRows : public Contract {
 protected:
  /// Of a game's points some lie in each partition.
  void score(int count) {
    EventStore store{log};
    store.stream_topic("events", 4).value();
    EventBatch batch = store.batch("events").value();
    for (int event = 0; event < count; ++event, ++scored) {
      batch.add(StreamId("Player", std::to_string(scored % 17)), Scored{scored % 5, scored}).value();
      wanted[scored % 5] += scored;
    }
    store.append_wait(std::move(batch)).value();
  }
  /// Where the home has a directory of the disk, in files, that outlive a restart.
  [[nodiscard]] bool keeps_rows() const { return log->directory() && std::filesystem::is_directory(*log->directory()); }
  [[nodiscard]] SpreadStores stores() const { return keeps_rows() ? sqlite_by_partition("views.db") : memory_by_partition(); }
  void expect_wanted(SpreadProjection<Scores>& scores) const {
    const auto rows = scores.scan({}, {.timeout = 20s, .at_least = {}});
    ASSERT_TRUE(rows) << rows.error();
    std::map<std::int64_t, std::int64_t> found;
    for (const auto& row : *rows) found.emplace(row.key, row.state.points);
    EXPECT_EQ(found, wanted);
  }
  /// Scores until each partition has a snapshot, and then some, on stores that nothing outlives. Where each of them is.
  std::map<TopicPartition, Offset> score_until_snapshots() {
    EventStore store{log};
    SpreadEngine engine{store, memory_by_partition(), snapshots_of_each(10)};
    engine.add<Scores>();
    score(100);
    engine.start().value();
    std::map<TopicPartition, Offset> saved;
    const auto all_are_saved = [&] {
      for (std::int32_t id = 0; id < 4; ++id) {
        const auto found = Snapshots{store}.load("spread/rows/Scores/events/" + std::to_string(id)).value();
        if (found) saved[{"events", PartitionId{id}}] = found->position.offset;
      }
      return saved.size() == 4;
    };
    Ports ports = log->ports();
    const Instant deadline = ports.clock.monotonic() + 20s;
    while (!all_are_saved() && ports.clock.monotonic() < deadline)  // none tells when it is there
      ports.executor.wait_until([] { return false; }, ports.clock.monotonic() + 10ms);
    EXPECT_EQ(saved.size(), 4u);
    engine.stop().value();
    score(20);
    return saved;
  }
  static SpreadOptions snapshots_of_each(std::int64_t records) {
    SpreadOptions options;
    options.snapshot_every = records;
    return options;
  }
  /// The rows of an engine without any; how many events it has applied to have them.
  int applied_anew() {
    EventStore store{log};
    SpreadEngine engine{store, memory_by_partition(), snapshots_of_each(10)};
    auto& scores = engine.add<Scores>();
    Scores::applied = 0;
    engine.start().value();
    expect_wanted(scores);
    engine.stop().value();
    return Scores::applied;
  }
  std::int64_t scored = 0;
  std::map<std::int64_t, std::int64_t> wanted;  // points by game
};

TEST_P(SpreadRows, AreThoseOfAllPartitionsAlsoAfterARestart) {
  for (int round = 0; round < 3; ++round) {
    score(100);
    Scores::applied = 0;
    {
      EventStore store{log};
      SpreadEngine engine{store, stores()};
      auto& scores = engine.add<Scores>();
      ASSERT_TRUE(engine.start());
      expect_wanted(scores);
      if (keeps_rows()) {
        EXPECT_EQ(Scores::applied, 100) << "those before are in the files";
      }
      score(10);
      ASSERT_TRUE(engine.catch_up(20s));
      expect_wanted(scores);
      ASSERT_TRUE(engine.stop());
    }
    home->restart(log);
  }
}

TEST_P(SpreadRows, GoOnFromASnapshotInTheLog) {
  const std::map<TopicPartition, Offset> saved = score_until_snapshots();
  int behind = 0;
  for (const auto& [partition, end] : saved) behind += static_cast<int>(values_of(partition, end).size());
  home->restart(log);
  EXPECT_LE(behind, 110);
  EXPECT_EQ(applied_anew(), behind);
}

TEST_P(SpreadRows, KeepWhatTheLogHasTrimmed) {
  for (const auto& [partition, end] : score_until_snapshots()) {
    const Result<Offset> start = log->delete_records(partition, end);
    if (refused(start)) return;
    EXPECT_EQ(start.value(), end);
  }
  home->restart(log);
  applied_anew();
}

INSTANTIATE_TEST_SUITE_P(Homes, SpreadRows, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
