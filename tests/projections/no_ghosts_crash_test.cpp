// No ghosts: log, engine and SQLite on one simulated disk, whose power fails before every step that changes it.
//
// After each cut: the rows are exactly the events below their positions, and those events are in the log; after catching up the
// rows are exactly the events of the log. The cut states within SQLite's own writes are counted apart.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/engine.hpp>
#include "catalogue.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/sqlite_sim_vfs.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int32_t kPartitions = 2;

struct Hit {
  std::int64_t number = 0;
  std::string page;
};

/// One row per page, fed by all partitions, growing so that tables get many pages.
struct PerPage {
  using Events = events<Hit>;
  using Key = std::string;
  struct State {
    std::int64_t count = 0;
    std::int64_t sum = 0;
    std::string trail;
    bool operator==(const State&) const = default;
  };
  static std::string_view key(const Envelope&, const Hit& e) { return e.page; }
  static void evolve(State& s, const Hit& e) {
    ++s.count;
    s.sum += e.number;
    // Whatever the order of the partitions: the same length.
    if (s.trail.size() < 700) s.trail.append(25, '.');
  }
};

/// One row per partition and event: nothing hides in a sum.
struct PerEvent {
  using Events = events<Hit>;
  struct Key {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct State {
    std::int64_t number = 0;
    bool operator==(const State&) const = default;
  };
  static Key key(const Envelope& envelope, const Hit&) { return {envelope.partition.value(), envelope.offset.value()}; }
  static void evolve(State& s, const Hit& e) { s.number = e.number; }
};

struct Rows {
  std::map<std::string, PerPage::State> pages;
  std::map<PerEvent::Key, PerEvent::State> events;
  bool operator==(const Rows&) const = default;
};

/// A machine with its disk: the log, and the store's file under SQLite.
struct Machine {
  Machine(std::uint64_t seed, std::unique_ptr<SimDisk> disk) : sim(seed, std::move(disk)), ports(sim.ports()), vfs(sim.disk) {}

  void open() {
    log = open_local("data", {.ports = &ports}).value();
    store.emplace(log);
  }
  std::unique_ptr<StateStore> views() const {
    return sqlite("views.db", {.vfs = vfs.name(), .cache_bytes = 64 << 10, .wal_bytes = 10 * 4096});
  }
  void start() {
    engine.emplace(*store, views(), EngineOptions{.commit_interval = 3ms, .catch_up_interval = 10ms});
    pages = &engine->add<PerPage>();
    each = &engine->add<PerEvent>();
    engine->start().value();
  }

  Simulation sim;
  Ports ports;
  SqliteSimVfs vfs;
  std::shared_ptr<EventLog> log;
  std::optional<EventStore> store;
  std::optional<Engine> engine;
  Projection<PerPage>* pages = nullptr;
  Projection<PerEvent>* each = nullptr;
};

/// The rows that the log's events below `ends` make.
Rows fold_log(Machine& machine, const std::map<std::int32_t, Offset>& ends) {
  Rows rows;
  EventDecoder decoder{machine.store->shapes()};
  decoder.add<Hit>();
  const TopicInfo topic = machine.store->topic("events").value();
  for (const auto& [partition, end] : ends) {
    PartitionReader reader{*machine.log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (reader.position().offset < end) {
      const Envelope* envelope = reader.next().value();
      if (envelope == nullptr) break;
      const auto& hit = *static_cast<const Hit*>(decoder.decode(*envelope).value().event);
      PerPage::evolve(rows.pages[hit.page], hit);
      PerEvent::evolve(rows.events[PerEvent::key(*envelope, hit)], hit);
    }
  }
  return rows;
}

/// The rows as they lie in the store, read by nobody's engine.
Rows read_store(RowReader& reader) {
  Rows rows;
  const auto read = [&reader]<class Key, class State>(const char* table, std::map<Key, State>& into) {
    Result<void> scanned = reader.scan(table, {}, [&into](Cells cells) {
      Key key{};
      EXPECT_TRUE(detail::read_key(cells, key));
      EXPECT_TRUE((detail::read_state<Key>(cells, into[key])));
      return true;
    });
    EXPECT_TRUE(scanned || scanned.error() == Errc::not_found) << scanned.error();
  };
  read("PerPage", rows.pages);
  read("PerEvent", rows.events);
  return rows;
}

Rows read_live(Machine& machine) {
  Rows rows;
  machine.pages->for_each([&rows](const std::string& key, const PerPage::State& state) { rows.pages[key] = state; }).value();
  machine.each->for_each([&rows](const PerEvent::Key& key, const PerEvent::State& state) { rows.events[key] = state; }).value();
  return rows;
}

std::map<std::int32_t, Offset> committed_ends(EventLog& log) {
  std::map<std::int32_t, Offset> ends;
  for (std::int32_t partition = 0; partition < kPartitions; ++partition)
    ends[partition] = log.ends({"events", PartitionId{partition}}).value().committed;
  return ends;
}

/// Right after recovery, before any engine: every row is of an event that the log has.
void expect_no_ghosts(Machine& machine) {
  const auto store = machine.views();
  // For writing, as an engine would: only a writer may roll back what was cut off while the file was made.
  const Result<void> opened = store->open({machine.ports, "data", false});
  ASSERT_TRUE(opened.has_value()) << opened.error();
  const auto reader = store->reader().value();
  std::map<std::int32_t, Offset> positions;
  for (const ProjectionEntry& entry : Catalogue::entries(*reader).value()) {
    for (const Position& position : entry.positions) {
      const auto [known, is_new] = positions.emplace(position.partition.value(), position.offset);
      EXPECT_EQ(known->second, position.offset) << "two projections of one transaction at different positions";
      EXPECT_TRUE(machine.log->validate("events", position).has_value());
    }
  }
  const std::map<std::int32_t, Offset> ends = positions.empty() ? positions : committed_ends(*machine.log);
  for (const auto& [partition, offset] : positions) EXPECT_LE(offset, ends.at(partition));
  EXPECT_TRUE(read_store(*reader) == fold_log(machine, positions));
}

void check_cut_state(std::uint64_t seed, std::unique_ptr<SimDisk> disk) {
  Machine machine{seed, std::move(disk)};
  machine.open();
  if (!machine.log->topic("events")) return;  // cut before there was anything
  expect_no_ghosts(machine);
  machine.start();
  EXPECT_NE(machine.pages->status().phase, ProjectionPhase::rebuilding);
  ASSERT_TRUE(machine.engine->catch_up(60s).has_value());
  EXPECT_TRUE(read_live(machine) == fold_log(machine, committed_ends(*machine.log)));
}

struct CutCounts {
  int all = 0;
  int within_sqlite = 0;
};

/// One life of the machine, cut before each of its steps; each cut is tried with `cuts_per_step` outcomes.
CutCounts cut_everywhere(std::uint64_t seed, int cuts_per_step, int rounds) {
  CutCounts counts;
  Random random{seed};
  Machine machine{seed, std::make_unique<SimDisk>(seed)};
  struct Cut {
    std::uint64_t seed;
    std::unique_ptr<SimDisk> disk;
  };
  std::vector<Cut> cuts;
  machine.sim.disk.on_step([&](const DiskStep& step) {
    for (int number = 0; number < cuts_per_step; ++number) {
      const std::uint64_t cut_seed = random.next();
      cuts.push_back({cut_seed, machine.sim.disk.after_power_cut(cut_seed)});
      ++counts.all;
      if (step.path.find("views.db") != std::string_view::npos) ++counts.within_sqlite;
    }
  });
  // Checked between the machine's own steps, as SQLite is not to be entered from within its own write.
  const auto check_cuts = [&] {
    for (Cut& cut : cuts) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cut " + std::to_string(cut.seed));
      check_cut_state(cut.seed, std::move(cut.disk));
      if (testing::Test::HasFailure()) return;
    }
    cuts.clear();
  };
  machine.open();
  machine.store->stream_topic("events", kPartitions).value();
  machine.start();
  check_cuts();
  std::int64_t number = 0;
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    EventBatch batch = machine.store->batch("events").value();
    for (std::uint64_t left = 1 + random.below(12); left > 0; --left) {
      const std::string page = "/page/" + std::to_string(random.below(40));
      batch.add(StreamId{"visit", std::to_string(random.below(50))}, Hit{++number, page}).value();
    }
    machine.store->append(std::move(batch), [](const Result<std::vector<Commit>>&) {});
    machine.sim.executor.run_for(std::chrono::microseconds{random.below(9000)});
    check_cuts();
  }
  machine.sim.disk.on_step({});
  return counts;
}

class NoGhosts : public testing::TestWithParam<int> {};

TEST_P(NoGhosts, PowerCutBeforeEveryStep) {
  spdlog::set_level(spdlog::level::off);  // thousands of recoveries are not news
  const std::uint64_t seed = test_seed(1000) + static_cast<std::uint64_t>(GetParam());
  const CutCounts counts = cut_everywhere(seed, 4, 60);
  RecordProperty("cut_states", counts.all);
  RecordProperty("cut_states_within_sqlite", counts.within_sqlite);
  std::printf("seed %llu: %d cut states, %d within SQLite's writes\n", static_cast<unsigned long long>(seed), counts.all,
              counts.within_sqlite);
  EXPECT_GE(counts.all, 4000);
  EXPECT_GE(counts.within_sqlite, 1000);
}

// Five lives: 20,000 cut states together, 5,000 of them within SQLite's writes.
INSTANTIATE_TEST_SUITE_P(Seeds, NoGhosts, testing::Range(0, 5));

}  // namespace
}  // namespace lungo::test
