// No ghosts: log, engine and SQLite on one simulated disk, whose power fails before every step that changes it.
//
// After each cut: the rows are exactly the events below their positions, and those events are in the log; after catching up the
// rows are exactly the events of the log. The cut states within SQLite's own writes are counted apart.
#include "tests/projections/crash_machine.hpp"

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

struct Life : CrashMachine {
  using CrashMachine::CrashMachine;

  void start() {
    make_engine();
    pages = &engine->add<PerPage>();
    each = &engine->add<PerEvent>();
    engine->start().value();
  }
  void begin() {
    open();
    store->stream_topic("events", kPartitions).value();
    start();
  }
  void round(Random& random) {
    EventBatch batch = store->batch("events").value();
    for (std::uint64_t left = 1 + random.below(12); left > 0; --left) {
      const std::string page = "/page/" + std::to_string(random.below(40));
      batch.add(StreamId{"visit", std::to_string(random.below(50))}, Hit{++number, page}).value();
    }
    store->append(std::move(batch), [](const Result<std::vector<Commit>>&) {});
    sim.executor.run_for(std::chrono::microseconds{random.below(9000)});
  }
  void finish() { EXPECT_GT(number, 100) << "events were appended"; }
  static void check(std::uint64_t seed, std::unique_ptr<SimDisk> disk) {
    Life machine{seed, std::move(disk)};
    machine.open();
    if (!machine.log->topic("events")) return;  // cut before there was anything
    expect_no_ghosts<PerPage, PerEvent>(machine);
    machine.start();
    EXPECT_NE(machine.pages->status().phase, ProjectionPhase::rebuilding);
    ASSERT_TRUE(machine.engine->catch_up(60s).has_value());
    expect_nothing_missing(machine, *machine.pages);
    expect_nothing_missing(machine, *machine.each);
  }

  std::int64_t number = 0;
  Projection<PerPage>* pages = nullptr;
  Projection<PerEvent>* each = nullptr;
};

class NoGhosts : public testing::TestWithParam<int> {};

TEST_P(NoGhosts, PowerCutBeforeEveryStep) {
  expect_power_cuts_harmless<Life>(GetParam(), 8, 60, {.all = 4000, .within_sqlite = 1000});
}

// Five lives: more than 20,000 different cut states together, more than 5,000 of them within SQLite's writes.
INSTANTIATE_TEST_SUITE_P(Seeds, NoGhosts, testing::Range(0, 5));

}  // namespace
}  // namespace lungo::test
