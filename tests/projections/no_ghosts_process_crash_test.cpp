// No ghosts with a process: log, process, engine and SQLite on one simulated disk, whose power fails before every step.
//
// The process follows visitors, as the web tracker's sessions do: event-time timers, events when a session starts and ends. A
// projection of its inputs and one of its outputs lie in the same store. After each cut: as without a process; and when all
// have caught up, the process's output is what one undisturbed run over the log's inputs gives, record for record.
#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/projections/crash_machine.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using process_tests::Hit;
using process_tests::SessionEnded;
using process_tests::SessionStarted;
using process_tests::StoredSessions;

constexpr std::int32_t kPartitions = 2;

/// One row per input.
struct PerHit {
  static constexpr std::string_view topic = StoredSessions::topic;
  using Events = events<Hit>;
  struct Key {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct State {
    std::string visitor;
    bool operator==(const State&) const = default;
  };
  static Key key(const Envelope& envelope, const Hit&) { return {envelope.partition.value(), envelope.offset.value()}; }
  static void evolve(State& s, const Hit& e) { s.visitor = e.visitor; }
};

/// One row per visitor, of what the process says about him.
struct PerVisitor {
  static constexpr std::string_view topic = StoredSessions::output_topic;
  using Events = events<SessionStarted, SessionEnded>;
  using Key = std::string;
  struct State {
    std::int64_t started = 0;
    std::int64_t ended = 0;
    std::int64_t pages = 0;
    std::string trail;
    bool operator==(const State&) const = default;
  };
  template <class E>
  static std::string_view key(const Envelope&, const E& e) {
    return e.visitor;
  }
  static void evolve(State& s, const SessionStarted& e) {
    ++s.started;
    s.trail += e.page;
  }
  static void evolve(State& s, const SessionEnded& e) {
    ++s.ended;
    s.pages += e.pages;
    s.trail += '.';
  }
};

struct Life : CrashMachine {
  using CrashMachine::CrashMachine;

  void start() {
    sessions.emplace(*store, ProcessOptions{.checkpoint_interval = 5ms, .pending_bytes_max = 2000});
    sessions->start().value();
    make_engine();
    hits = &engine->add<PerHit>();
    visitors = &engine->add<PerVisitor>();
    engine->start().value();
  }
  void begin() {
    open();
    // First, as where deciders have snapshots too: then a checkpoint is synced before outputs that are submitted with it.
    Snapshots{*store}.prepare().value();
    store->stream_topic(StoredSessions::topic, kPartitions).value();
    store->stream_topic(StoredSessions::output_topic, kPartitions).value();
    start();
  }
  void round(Random& random) {
    // Some inputs are committed by their own appenders, so that the process meets new ones while its outputs are on their way.
    for (std::uint64_t burst = random.below(3); burst > 0; --burst) {
      append(random, 1 + random.below(3), true);
      for (std::uint64_t steps = random.below(3); steps > 0; --steps) sim.executor.step_one();
    }
    append(random, 1 + random.below(8), false);
    sim.executor.run_for(std::chrono::microseconds{random.below(9000)});
  }
  /// Hits of one visitor, or of any.
  void append(Random& random, std::uint64_t count, bool one_visitor) {
    EventBatch batch = store->batch(StoredSessions::topic).value();
    std::string visitor;
    for (; count > 0; --count) {
      if (visitor.empty() || !one_visitor) visitor = "v" + std::to_string(random.below(12));
      const Hit hit{visitor, "/" + std::to_string(random.below(9))};
      time += std::chrono::seconds{random.below(400)};
      // In the lane of an import: no clock has a say in what the outputs are.
      batch.add(StreamId{"Visitor", visitor}, hit, {.time = process_tests::at(time), .lane = "import"}).value();
    }
    if (one_visitor) {
      store->append_wait(std::move(batch)).value();
    } else {
      store->append(std::move(batch), [](const Result<std::vector<Commit>>&) {});
    }
  }
  void finish() {
    std::size_t outputs = 0;
    for (std::int32_t partition = 0; partition < kPartitions; ++partition)
      outputs += process_tests::outputs_in<StoredSessions>(*log, partition).size();
    EXPECT_GT(outputs, 50u) << "sessions have started and ended";
  }
  static void check(std::uint64_t seed, std::unique_ptr<SimDisk> disk) {
    Life machine{seed, std::move(disk)};
    machine.open();
    // Cut before there was anything: the next program would make it.
    if (!machine.log->topic(StoredSessions::topic) || !machine.log->topic(StoredSessions::output_topic)) return;
    expect_no_ghosts<PerHit, PerVisitor>(machine);
    machine.start();
    ASSERT_TRUE(machine.sessions->catch_up(60s).has_value());
    ASSERT_TRUE(machine.engine->catch_up(60s).has_value());
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      EXPECT_EQ(process_tests::outputs_in<StoredSessions>(*machine.log, partition),
                process_tests::recomputed<StoredSessions>(*machine.log, partition))
          << "partition " << partition;
    }
    EXPECT_EQ(machine.sessions->status().unmatched, 0);
    expect_nothing_missing(machine, *machine.hits);
    expect_nothing_missing(machine, *machine.visitors);
  }

  std::chrono::milliseconds time{};
  std::optional<Process<StoredSessions>> sessions;
  Projection<PerHit>* hits = nullptr;
  Projection<PerVisitor>* visitors = nullptr;
};

class NoGhostsOfAProcess : public testing::TestWithParam<int> {};

TEST_P(NoGhostsOfAProcess, PowerCutBeforeEveryStep) {
  expect_power_cuts_harmless<Life>(GetParam(), 4, 40, {.all = 4000, .within_sqlite = 800});
}

INSTANTIATE_TEST_SUITE_P(Seeds, NoGhostsOfAProcess, testing::Range(0, 5));

}  // namespace
}  // namespace lungo::test
