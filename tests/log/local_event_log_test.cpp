// What the embedded log does beyond the contract of every home (tests/contract), on the real ports and on the simulated ones.
#include <lungo/log/local_event_log.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include <lungo/log/check.hpp>

#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using test::append_of;
using test::Simulation;
using test::values_of;

const TopicPartition kPartition{"events", PartitionId{0}};

TopicSpec one_partition(const std::string& name = "events") {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = 1;
  return spec;
}

/// Where a log can live.
class Home {
 public:
  virtual ~Home() = default;
  virtual Result<std::shared_ptr<EventLog>> open(bool read_only = false) = 0;
};

class PosixHome : public Home {
 public:
  Result<std::shared_ptr<EventLog>> open(bool read_only) override {
    LocalOptions options;
    options.read_only = read_only;
    return open_local(directory_ / "data/", options);
  }

 private:
  test::TempDirectory directory_;
};

class SimHome : public Home {
 public:
  Result<std::shared_ptr<EventLog>> open(bool read_only) override {
    LocalOptions options;
    options.ports = &ports_;
    options.read_only = read_only;
    return open_local("/var/data", options);
  }

 private:
  Simulation machine_{1};
  const Ports ports_ = machine_.ports();
};

class LocalEventLogHomes : public testing::TestWithParam<const char*> {
 protected:
  LocalEventLogHomes() {
    if (GetParam() == std::string("posix")) {
      home = std::make_unique<PosixHome>();
    } else {
      home = std::make_unique<SimHome>();
    }
    log = home->open().value();
    log->create_topic(one_partition()).value();
  }
  /// Waits until `done()`; fails the test after 20 seconds.
  void wait_for(const std::function<bool()>& done) {
    Ports ports = log->ports();
    ASSERT_TRUE(ports.executor.wait_until(done, ports.clock.monotonic() + std::chrono::seconds{20}));
  }
  Appended append(std::string_view value) { return append_wait(*log, append_of(kPartition, "k", value)).value(); }

  std::unique_ptr<Home> home;
  std::shared_ptr<EventLog> log;
};

TEST_P(LocalEventLogHomes, TopicOfTheLargestSegmentsOpensAgain) {
  TopicSpec large = one_partition("large");
  large.segment_bytes = (1ull << 31) - 1;
  log->create_topic(large).value();
  log.reset();
  log = home->open().value();
  EXPECT_EQ(log->topic("large").value().spec, large);
}

TEST_P(LocalEventLogHomes, EachOpeningWritesUnderAHigherEpoch) {
  EXPECT_EQ(append("a").epoch, LeaderEpoch{1});
  log.reset();
  log = home->open().value();
  EXPECT_EQ(append("b").epoch, LeaderEpoch{2});
}

TEST_P(LocalEventLogHomes, PositionsOfAnEpochThatNeverWasHaveDiverged) {
  append("a");
  Position position = log->read(kPartition, Offset{0}, 1000).value().next();
  EXPECT_EQ(position.epoch, LeaderEpoch{1});
  EXPECT_TRUE(log->validate("events", position).has_value());
  position.epoch = LeaderEpoch{99};
  EXPECT_EQ(log->validate("events", position).error(), Errc::position_diverged);
}

TEST_P(LocalEventLogHomes, ReadOnlyFormServesAStoppedDirectoryAndRefusesWrites) {
  append("a");
  log.reset();
  log = home->open(true).value();
  EXPECT_TRUE(log->read_only());
  EXPECT_EQ(values_of(*log, kPartition), std::vector<std::string>{"a"});
  EXPECT_EQ(append_wait(*log, append_of(kPartition, "k", "v")).error(), Errc::unsupported);
  EXPECT_EQ(log->create_topic(one_partition("new")).error(), Errc::unsupported);
}

TEST_P(LocalEventLogHomes, ReadOnlyFormFollowsALiveWriterItsNewTopicsAndItsRestart) {
  std::shared_ptr<EventLog> writer = std::move(log);
  log = home->open(true).value();
  EXPECT_EQ(values_of(*log, kPartition), std::vector<std::string>{});
  append_wait(*writer, append_of(kPartition, "k", "a")).value();
  wait_for([&] { return log->ends(kPartition).value().committed == Offset{1}; });

  std::atomic<bool> notified{false};
  const auto token = log->notify_above(kPartition, Offset{1}, [&] {
    notified = true;
    log->ports().executor.notify();
  });
  append_wait(*writer, append_of(kPartition, "k", "b")).value();
  wait_for([&] { return notified.load(); });
  EXPECT_EQ(values_of(*log, kPartition), (std::vector<std::string>{"a", "b"}));

  writer->create_topic(one_partition("second")).value();
  append_wait(*writer, append_of({"second", PartitionId{0}}, "k", "x")).value();
  wait_for([&] {
    const Result<Ends> ends = log->ends({"second", PartitionId{0}});
    return ends && ends->committed == Offset{1};
  });

  writer.reset();
  writer = home->open().value();
  append_wait(*writer, append_of(kPartition, "k", "c")).value();
  wait_for([&] { return log->ends(kPartition).value().committed == Offset{3}; });
  EXPECT_EQ(values_of(*log, kPartition), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(values_of(*log, {"second", PartitionId{0}}), std::vector<std::string>{"x"});
}

TEST_P(LocalEventLogHomes, SecondWriterIsRefusedNamingTheHolder) {
  const Error refused = home->open().error();
  EXPECT_EQ(refused.code(), Errc::locked);
  EXPECT_NE(refused.text().find("pid "), std::string_view::npos) << refused;
}

INSTANTIATE_TEST_SUITE_P(Homes, LocalEventLogHomes, testing::Values("posix", "sim"),
                         [](const auto& home) { return std::string(home.param); });

// ---- on the simulated ports only: faults, and who does the work ----

class LocalEventLogFaults : public testing::Test {
 protected:
  void open(std::size_t queued_bytes_max = 16 << 20) {
    LocalOptions options;
    options.ports = &ports;
    options.queued_bytes_max = queued_bytes_max;
    log = open_local("/data", options).value();
    log->create_topic(one_partition()).value();
    machine.executor.run_due();
  }
  /// Submits without waiting; the outcome appears in `outcomes`.
  void submit(const std::string& value) {
    log->append(append_of(kPartition, "k", value), [this](Result<Appended> result) {
      outcomes.push_back(result ? "ok" : std::string(to_string(result.error().code())));
    });
  }

  void run_until_idle() { machine.executor.run_for(std::chrono::milliseconds{1}); }  // flushers look again 200 us later

  Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
  std::vector<std::string> outcomes;
};

TEST_F(LocalEventLogFaults, UncontendedWaitingCallerDoesAllTheWorkItself) {
  open();
  const std::uint64_t history = machine.executor.history();
  append_wait(*log, append_of(kPartition, "k", "v")).value();
  EXPECT_EQ(machine.executor.history(), history) << "no activity was stepped";
  machine.executor.run_due();
  EXPECT_EQ(machine.executor.history(), history) << "nor was one woken";
}

TEST_F(LocalEventLogFaults, WhatQueuedTogetherIsOneBatchAndOneSync) {
  open();
  append_wait(*log, append_of(kPartition, "k", "first")).value();  // whose sync makes the names of new files durable too
  for (int i = 0; i < 10; ++i) submit("v");
  const std::uint64_t steps = machine.disk.steps();
  machine.executor.run_due();
  EXPECT_EQ(outcomes, std::vector<std::string>(10, "ok"));
  EXPECT_LE(machine.disk.steps() - steps, 6u) << "batch, sync, the marks of the synced and the committed end";
  const Fetched fetched = log->read(kPartition, Offset{1}, 100'000).value();
  EXPECT_EQ(parse_batch_header(fetched.batches()).value().records_count, 10);
}

TEST_F(LocalEventLogFaults, FullQueueAnswersBusyAndRecovers) {
  open(1000);
  submit(std::string(800, 'x'));
  submit(std::string(800, 'y'));
  EXPECT_EQ(outcomes, std::vector<std::string>{"busy"});
  run_until_idle();
  submit(std::string(800, 'y'));
  run_until_idle();
  EXPECT_EQ(outcomes, (std::vector<std::string>{"busy", "ok", "ok"}));
}

TEST_F(LocalEventLogFaults, WhatIsWrittenAndNotSyncedCountsAsQueued) {
  // An appender writes by itself from 64 KiB on, so the queue alone never fills up. Nothing syncs here until run_until_idle().
  open(1'000'000);
  for (int i = 0; i < 20; ++i) submit(std::string(100'000, 'x'));
  EXPECT_GT(log->ends(kPartition).value().written, Offset{0});
  EXPECT_EQ(outcomes, std::vector<std::string>(11, "busy"));
  run_until_idle();
  EXPECT_EQ(std::ranges::count(outcomes, "ok"), 9);
  outcomes.clear();
  submit(std::string(900'000, 'y'));
  submit(std::string(2'000'000, 'y'));
  run_until_idle();
  submit(std::string(2'000'000, 'y'));
  run_until_idle();
  EXPECT_EQ(outcomes, (std::vector<std::string>{"busy", "ok", "ok"})) << "one append alone is never too much";
}

TEST_F(LocalEventLogFaults, CloseCompletesWhatIsNotWrittenWithClosed) {
  open();
  submit("a");
  submit("b");
  log.reset();
  EXPECT_EQ(outcomes, (std::vector<std::string>{"closed", "closed"}));
}

TEST_F(LocalEventLogFaults, ABrokenInvariantIsToldAtOnce) {
  open();
  machine.disk.on_step([](const test::DiskStep& step) {
    if (step.operation == "write" && step.path.ends_with(".log")) throw invariant_broken("on purpose");
  });
  submit(std::string(100'000, 'x'));  // written by the appender
  machine.disk.on_step(nullptr);
  EXPECT_EQ(outcomes, std::vector<std::string>{"io"});
  log.reset();
  EXPECT_EQ(outcomes.size(), 1u);
}

TEST_F(LocalEventLogFaults, FailedSyncRefusesEverythingUntilReopened) {
  open();
  append_wait(*log, append_of(kPartition, "k", "kept")).value();
  machine.disk.on_step([&](const test::DiskStep& step) {
    if (step.operation == "sync" && step.path.ends_with(".log")) machine.disk.fail_step(step.number, Errc::io);
  });
  submit("lost?");
  submit("lost?");
  machine.executor.run_due();
  EXPECT_EQ(outcomes, (std::vector<std::string>{"partition_failed", "partition_failed"}));
  machine.disk.on_step(nullptr);
  EXPECT_EQ(append_wait(*log, append_of(kPartition, "k", "no")).error(), Errc::partition_failed);
  EXPECT_EQ(values_of(*log, kPartition), std::vector<std::string>{"kept"}) << "reads go on, unsynced bytes stay hidden";
  log.reset();
  open();
  EXPECT_EQ(values_of(*log, kPartition)[0], "kept");
  EXPECT_TRUE(append_wait(*log, append_of(kPartition, "k", "again")).has_value());
}

TEST_F(LocalEventLogFaults, ACompletionOrNotificationThatThrowsAnythingHarmsNobody) {
  open();
  const auto token = log->notify_above(kPartition, Offset{0}, [] { throw 1; });
  log->append(append_of(kPartition, "k", "a"), [](const Result<Appended>&) { throw 2; });
  submit("b");
  machine.executor.run_due();
  EXPECT_EQ(outcomes, std::vector<std::string>{"ok"});
  EXPECT_EQ(values_of(*log, kPartition), (std::vector<std::string>{"a", "b"}));
}

TEST_F(LocalEventLogFaults, FullDiskFailsAppendsAndRecoversByItself) {
  open();
  append_wait(*log, append_of(kPartition, "k", "kept")).value();
  machine.disk.set_capacity(machine.disk.used_bytes() + 100);
  EXPECT_EQ(append_wait(*log, append_of(kPartition, "k", std::string(500, 'x'))).error(), Errc::no_space);
  EXPECT_EQ(values_of(*log, kPartition), std::vector<std::string>{"kept"});
  machine.disk.set_capacity(std::nullopt);
  EXPECT_EQ(append_wait(*log, append_of(kPartition, "k", "more")).value().first, Offset{1});
  log.reset();
  open();
  EXPECT_EQ(values_of(*log, kPartition), (std::vector<std::string>{"kept", "more"}));
}

TEST_F(LocalEventLogFaults, EveryFailingStepOnceIsSurvived) {
  // Method: fail the n-th changing call of a fixed session with EIO for n = 1, 2, ... until none fires; then look at what is
  // left.
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("failing step " + std::to_string(n));
    Simulation other(n);
    const Ports other_ports = other.ports();
    LocalOptions options;
    options.ports = &other_ports;
    other.disk.fail_step(n, Errc::io);
    std::vector<std::string> acknowledged;
    if (Result<std::shared_ptr<EventLog>> opened = open_local("/data", options)) {
      const bool created = (*opened)->create_topic(one_partition()).has_value();
      for (int i = 0; created && i < 5; ++i) {
        const std::string value = std::to_string(i);
        if (append_wait(**opened, append_of(kPartition, "k", value))) acknowledged.push_back(value);
      }
    }
    const bool fired = other.disk.steps() >= n;
    other.disk.clear_faults();
    const std::shared_ptr<EventLog> reopened = open_local("/data", options).value();
    reopened->create_topic(one_partition()).value();
    std::vector<std::string> values = values_of(*reopened, kPartition);
    std::erase_if(values, [&](const std::string& value) {
      return std::ranges::find(acknowledged, value) == acknowledged.end();  // written, not acknowledged: allowed
    });
    EXPECT_EQ(values, acknowledged);
    if (!fired) break;
  }
}

TEST_F(LocalEventLogFaults, TailNobodyWaitsForIsSyncedWithinTheFlushInterval) {
  open();
  TopicSpec spec = one_partition("fast");
  spec.ack_level = AckLevel::isr;
  spec.flush_interval = std::chrono::milliseconds{5};
  log->create_topic(spec).value();
  const TopicPartition fast{"fast", PartitionId{0}};
  append_wait(*log, append_of(fast, "k", "v")).value();
  machine.executor.run_for(std::chrono::milliseconds{3});
  append_wait(*log, append_of(fast, "k", "v")).value();
  EXPECT_EQ(log->ends(fast).value().synced, Offset{0});
  machine.executor.run_for(std::chrono::milliseconds{3});
  EXPECT_EQ(log->ends(fast).value().synced, Offset{2});
}

TEST_F(LocalEventLogFaults, SameSeedGivesTheSameHistory) {
  const auto history = [](std::uint64_t seed) {
    Simulation other(seed);
    const Ports other_ports = other.ports();
    LocalOptions options;
    options.ports = &other_ports;
    const auto one = open_local("/data", options).value();
    one->create_topic(one_partition()).value();
    for (int i = 0; i < 50; ++i) one->append(append_of(kPartition, "k", "v"), [](Result<Appended>) {});
    other.executor.run_for(std::chrono::seconds{30});
    return std::pair{other.executor.history(), other.disk.steps()};
  };
  EXPECT_EQ(history(3), history(3));
}

}  // namespace
}  // namespace lungo
