// Crashes of a process at any moment: between the append of its outputs and its checkpoint, inside either, while it recovers.
//
// Method: inputs of an import lane are deterministic, so the outputs after any number of crashes must equal those of a run
// without one: same ids, same bytes, same order. With the live lane the clock decides too; then the outputs must equal what a
// fresh core computes from the inputs and the advances that the log recorded.
#include <gtest/gtest.h>

#include <set>

#include <lungo/log/local_event_log.hpp>
#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

constexpr std::int32_t kPartitions = 2;

/// Inputs, the same for the same seed.
void append_inputs(EventStore& store, test::Random& random, int count, Timestamp from, std::string_view lane) {
  EventBatch batch = store.batch("hits").value();
  for (int hit = 0; hit < count; ++hit) {
    const std::string visitor = "v" + std::to_string(random.below(60));
    const Timestamp time = from + std::chrono::seconds{hit * 40 + static_cast<int>(random.below(60))};
    ASSERT_TRUE(batch.add(StreamId("Visitor", visitor), Hit{visitor, "/"}, {.time = time, .lane = lane}));
  }
  ASSERT_TRUE(store.append_wait(std::move(batch)));
}

class ProcessCrash : public testing::TestWithParam<std::uint64_t> {
 protected:
  ProcessCrash() : random(GetParam()), log(std::make_shared<test::MemoryEventLog>(simulation.ports())) {
    EventStore store{log};
    EXPECT_TRUE(store.stream_topic("hits", kPartitions));
    EXPECT_TRUE(store.stream_topic("sessions", kPartitions));
  }
  ProcessOptions options() { return {.checkpoint_interval = 20ms, .pending_bytes_max = 1000 + random.below(20'000)}; }

  /// Runs the process until a random moment, then cuts the power. Appends commit late, some not at all.
  void run_and_crash() {
    EventStore store{log};
    Process<StoredSessions> process{store, options()};
    ASSERT_TRUE(process.start());
    log->hold_commits();
    const std::uint64_t steps = random.below(60);
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (!simulation.executor.step_one()) simulation.clock.advance(5ms);
      if (random.below(3) == 0) log->commit_held(true);
    }
    log->crash();
    log->commit_held();  // nothing is held any more: back to committing at once
  }
  void finish() {
    EventStore store{log};
    Process<StoredSessions> process{store};
    ASSERT_TRUE(process.start());
    ASSERT_TRUE(process.catch_up(60s));
    ASSERT_TRUE(process.stop());
  }
  void expect_no_id_twice() {
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      std::set<std::string> ids;
      for (const Output& output : outputs_in<StoredSessions>(*log, partition))
        EXPECT_TRUE(ids.insert(output.id).second) << output.id;
    }
  }

  test::Simulation simulation{GetParam()};
  test::Random random;
  std::shared_ptr<test::MemoryEventLog> log;
};

TEST_P(ProcessCrash, AnImportsOutputsAreThoseOfAnUndisturbedRun) {
  EventStore store{log};
  append_inputs(store, random, 1500, at(0min), "import");
  for (int crash = 0; crash < 12; ++crash) run_and_crash();
  finish();
  std::size_t outputs = 0;
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::vector<Output> got = outputs_in<StoredSessions>(*log, partition);
    EXPECT_EQ(got, recomputed<StoredSessions>(*log, partition)) << "partition " << partition << ", seed " << GetParam();
    outputs += got.size();
  }
  EXPECT_GT(outputs, 100u);
  expect_no_id_twice();
}

TEST_P(ProcessCrash, WithTheLiveClockRecordedAdvancesWin) {
  EventStore store{log};
  simulation.clock.set_wall(at(0min));
  for (int crash = 0; crash < 12; ++crash) {
    append_inputs(store, random, 40, simulation.clock.now(), {});
    simulation.clock.advance(std::chrono::minutes{random.below(60)});
    run_and_crash();
  }
  finish();
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    EXPECT_EQ(outputs_in<StoredSessions>(*log, partition), recomputed<StoredSessions>(*log, partition))
        << "partition " << partition << ", seed " << GetParam();
  }
  expect_no_id_twice();
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProcessCrash, testing::Range<std::uint64_t>(1, 101));

/// The same on the embedded log, over a disk whose power fails inside any of its steps.
class ProcessPowerCut : public testing::TestWithParam<std::uint64_t> {
 protected:
  ProcessPowerCut() : random(GetParam()) {}

  std::shared_ptr<EventLog> open() {
    const LocalOptions options{.ports = &ports};
    Result<std::shared_ptr<EventLog>> log = open_local("/data", options);
    return log ? *log : nullptr;
  }
  void run_until_the_power_fails() {
    machine.disk.power_off_before(machine.disk.steps() + 1 + random.below(120));
    if (const std::shared_ptr<EventLog> log = open()) {
      EventStore store{log};
      Process<StoredSessions> process{store, {.checkpoint_interval = 20ms, .pending_bytes_max = 500 + random.below(5'000)}};
      if (process.start())
        machine.executor.wait_until([this] { return machine.disk.is_off(); }, machine.clock.monotonic() + 2s);
    }
    machine.disk.power_cut(random.below(1u << 30));
  }

  test::Simulation machine{GetParam()};
  const Ports ports = machine.ports();
  test::Random random;
};

TEST_P(ProcessPowerCut, OutputsAreThoseOfAnUndisturbedRun) {
  {
    const std::shared_ptr<EventLog> log = open();
    ASSERT_NE(log, nullptr);
    EventStore store{log};
    ASSERT_TRUE(store.stream_topic("hits", kPartitions));
    ASSERT_TRUE(store.stream_topic("sessions", kPartitions));
    append_inputs(store, random, 400, at(0min), "import");
  }
  for (int cut = 0; cut < 8; ++cut) run_until_the_power_fails();

  const std::shared_ptr<EventLog> log = open();
  ASSERT_NE(log, nullptr);
  EventStore store{log};
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  const Result<void> caught_up = process.catch_up(60s);
  ASSERT_TRUE(caught_up) << caught_up.error();
  ASSERT_TRUE(process.stop());
  std::set<std::string> ids;
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::vector<Output> got = outputs_in<StoredSessions>(*log, partition);
    EXPECT_EQ(got, recomputed<StoredSessions>(*log, partition)) << "partition " << partition << ", seed " << GetParam();
    for (const Output& output : got) EXPECT_TRUE(ids.insert(output.id).second) << output.id;
  }
  EXPECT_GT(ids.size(), 20u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProcessPowerCut, testing::Range<std::uint64_t>(1, 61));

}  // namespace process_tests
