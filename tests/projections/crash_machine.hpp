// A machine whose power fails before every step that changes its disk: log, engine and SQLite on one simulated disk.
//
// For the suites "No Ghosts". A suite says what runs on the machine (a class derived from CrashMachine) and how a cut state is
// checked; here are the cuts, and rows as they lie in the store and as the log's events make them.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <unordered_set>
#include <utility>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/local_event_log.hpp>
#include <lungo/projections/engine.hpp>
#include "catalogue.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/sqlite_sim_vfs.hpp"

namespace lungo::test {

/// The rows of projection P.
template <class P>
using RowsOf = std::map<typename P::Key, typename P::State>;

/// Up to where something was read.
using EndsOfTopic = std::map<std::int32_t, Offset>;

struct CrashMachine {
  CrashMachine(std::uint64_t seed, std::unique_ptr<SimDisk> disk)
      : sim(seed, std::move(disk)), ports(sim.ports()), vfs(sim.disk) {}

  void open() {
    log = open_local("data", {.ports = &ports}).value();
    store.emplace(log);
  }
  [[nodiscard]] std::unique_ptr<StateStore> views() const {
    return sqlite("views.db", {.vfs = vfs.name(), .cache_bytes = 64 << 10, .wal_bytes = 10 * 4096});
  }
  void make_engine() {
    engine.emplace(
        *store, views(),
        EngineOptions{.commit_interval = std::chrono::milliseconds{3}, .catch_up_interval = std::chrono::milliseconds{10}});
  }
  [[nodiscard]] EndsOfTopic committed_ends(const std::string& topic) const {
    EndsOfTopic ends;
    const Result<TopicInfo> info = log->topic(topic);
    for (std::int32_t partition = 0; info && partition < info->spec.partitions; ++partition)
      ends[partition] = log->ends({topic, PartitionId{partition}}).value().committed;
    return ends;
  }

  Simulation sim;
  Ports ports;
  SqliteSimVfs vfs;
  std::shared_ptr<EventLog> log;
  std::optional<EventStore> store;
  std::optional<Engine> engine;
};

/// Folds events of P's topic below `ends` into rows.
template <class P, class... E>
void fold_log_into(RowsOf<P>& rows, CrashMachine& machine, const EndsOfTopic& ends, events<E...>) {
  using Step = void (*)(RowsOf<P>&, const Envelope&, const void*);
  constexpr std::array<Step, sizeof...(E)> kSteps{[](RowsOf<P>& all, const Envelope& envelope, const void* event) {
    const E& typed = *static_cast<const E*>(event);
    P::evolve(all[typename P::Key(P::key(envelope, typed))], typed);
  }...};
  EventDecoder decoder{machine.store->shapes()};
  (decoder.add<E>(), ...);
  const Result<TopicInfo> topic = machine.log->topic(topic_of<P>());
  for (const auto& [partition, end] : ends) {
    PartitionReader reader{*machine.log, *topic, {topic->id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (reader.position().offset < end) {
      const Envelope* envelope = reader.next().value();
      if (envelope == nullptr) break;
      const Decoded decoded = decoder.decode(*envelope).value();
      if (decoded.type >= 0) kSteps[static_cast<std::size_t>(decoded.type)](rows, *envelope, decoded.event);
    }
  }
}

/// The rows that the log's events below `ends` make.
template <class P>
RowsOf<P> fold_log(CrashMachine& machine, const EndsOfTopic& ends) {
  RowsOf<P> rows;
  fold_log_into<P>(rows, machine, ends, typename P::Events{});
  return rows;
}

/// The rows as they lie in the store, read by nobody's engine.
template <class P>
RowsOf<P> read_store(RowReader& reader) {
  RowsOf<P> rows;
  const Result<void> scanned = reader.scan(projection_name<P>(), {}, [&rows](Cells cells) {
    typename P::Key key{};
    EXPECT_TRUE(detail::read_key(cells, key));
    EXPECT_TRUE((detail::read_state<typename P::Key>(cells, rows[key])));
    return true;
  });
  EXPECT_TRUE(scanned || scanned.error() == Errc::not_found) << scanned.error();
  return rows;
}

template <class P>
RowsOf<P> read_live(Projection<P>& projection) {
  RowsOf<P> rows;
  projection.for_each([&rows](const auto& key, const auto& state) { rows[key] = state; }).value();
  return rows;
}

/// Right after recovery, before any engine: every row of the projections P... is of an event that the log has.
template <class... P>
void expect_no_ghosts(CrashMachine& machine) {
  const auto store = machine.views();
  // For writing, as an engine would: only a writer may roll back what was cut off while the file was made.
  const Result<void> opened = store->open({machine.ports, "data", false});
  ASSERT_TRUE(opened.has_value()) << opened.error();
  const auto reader = store->reader().value();
  std::map<std::string, EndsOfTopic> positions;
  for (const ProjectionEntry& entry : Catalogue::entries(*reader).value()) {
    for (const Position& position : entry.positions) {
      const auto [known, is_new] = positions[entry.topic].emplace(position.partition.value(), position.offset);
      EXPECT_EQ(known->second, position.offset) << "two projections of one transaction at different positions";
      EXPECT_TRUE(machine.log->validate(entry.topic, position).has_value());
    }
  }
  for (const auto& [topic, ends] : positions) {
    const EndsOfTopic committed = machine.committed_ends(topic);
    for (const auto& [partition, offset] : ends) EXPECT_LE(offset, committed.at(partition));
  }
  const auto expect_rows_of_the_log = [&]<class One>() {
    EXPECT_TRUE(read_store<One>(*reader) == fold_log<One>(machine, positions[std::string(topic_of<One>())]))
        << projection_name<One>();
  };
  (expect_rows_of_the_log.template operator()<P>(), ...);
}

/// After catching up: the rows are exactly the events of the log.
template <class P>
void expect_nothing_missing(CrashMachine& machine, Projection<P>& projection) {
  EXPECT_TRUE(read_live(projection) == fold_log<P>(machine, machine.committed_ends(std::string(topic_of<P>()))))
      << projection_name<P>();
}

/// Different states: of equal disks one is looked at and counted.
struct CutCounts {
  int all = 0;
  int within_sqlite = 0;
};

/// One life of a machine, cut before each of its steps; each cut is tried with up to `cuts_per_step` outcomes.
///   Life(seed, disk)  derives from CrashMachine
///   begin()           starts what runs on it; round(random)  is one more piece of its life
///   finish()          looks at the machine that was never cut
///   static check(seed, disk)  looks at a cut state
template <class Life>
CutCounts cut_everywhere(std::uint64_t seed, int cuts_per_step, int rounds) {
  struct Cut {
    std::uint64_t seed;
    std::unique_ptr<SimDisk> disk;
  };
  CutCounts counts;
  Random random{seed};
  Life machine{seed, std::make_unique<SimDisk>(seed)};
  std::vector<Cut> cuts;
  std::unordered_set<std::size_t> seen;
  machine.sim.disk.on_step([&](const DiskStep& step) {
    for (int number = 0; number < cuts_per_step; ++number) {
      const std::uint64_t cut_seed = random.next();
      std::unique_ptr<SimDisk> disk = machine.sim.disk.after_power_cut(cut_seed);
      if (!seen.insert(disk->contents_hash()).second) continue;
      cuts.push_back({cut_seed, std::move(disk)});
      ++counts.all;
      const bool is_store = step.path.find("views.db") != std::string_view::npos && !step.path.ends_with(".lock");
      if (is_store) ++counts.within_sqlite;
    }
  });
  // Checked between the machine's own steps, as SQLite is not to be entered from within its own write.
  const auto check_cuts = [&] {
    for (Cut& cut : cuts) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", cut " + std::to_string(cut.seed));
      Life::check(cut.seed, std::move(cut.disk));
      if (testing::Test::HasFailure()) return;
    }
    cuts.clear();
  };
  machine.begin();
  check_cuts();
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    machine.round(random);
    check_cuts();
  }
  machine.sim.disk.on_step({});
  machine.finish();
  return counts;
}

/// The body of a test: cuts, counts and what CI must have seen.
template <class Life>
void expect_power_cuts_harmless(int number, int cuts_per_step, int rounds, CutCounts least) {
  spdlog::set_level(spdlog::level::off);  // thousands of recoveries are not news
  const std::uint64_t seed = test_seed(1000) + static_cast<std::uint64_t>(number);
  const CutCounts counts = cut_everywhere<Life>(seed, cuts_per_step, rounds);
  testing::Test::RecordProperty("cut_states", counts.all);
  testing::Test::RecordProperty("cut_states_within_sqlite", counts.within_sqlite);
  std::printf("seed %llu: %d cut states, %d within SQLite's writes\n", static_cast<unsigned long long>(seed), counts.all,
              counts.within_sqlite);
  EXPECT_GE(counts.all, least.all);
  EXPECT_GE(counts.within_sqlite, least.within_sqlite);
}

}  // namespace lungo::test
