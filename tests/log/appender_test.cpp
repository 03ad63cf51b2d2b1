// Goal: an appender appends as the log does, waits for what each call asks for, and leaves one system call on the road.
#include <lungo/log/appender.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include <lungo/log/local_event_log.hpp>
#include "checkpoint_file.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

const TopicPartition kEvents{"events", PartitionId{0}};

TopicSpec events(AckLevel ack_level, bool streams = false) {
  TopicSpec spec;
  spec.name = kEvents.topic;
  spec.partitions = 1;
  spec.ack_level = ack_level;
  spec.streams = streams;
  return spec;
}

RecordFields record(std::string_view key, std::string_view value, std::span<const HeaderView> headers = {}) {
  return {.timestamp = {}, .key = as_bytes(key), .value = as_bytes(value), .headers = headers};
}

// ---- what each call waits for ----

class AppenderDurability : public testing::Test {
 protected:
  void open(const TopicSpec& spec) {
    log = open_local("/data", {.ports = &ports}).value();
    log->create_topic(spec).value();
    appender = log->appender(kEvents).value();
    machine.executor.run_for(std::chrono::milliseconds{10});
  }
  [[nodiscard]] Ends ends() const { return log->ends(kEvents).value(); }

  test::Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
  std::shared_ptr<Appender> appender;
};

TEST_F(AppenderDurability, WrittenReturnsBeforeTheSyncAndCommitsNothingByItself) {
  open(events(AckLevel::isr_sync));
  appender->append_wait(record("k", "a"), {.durability = Durability::written}).value();
  EXPECT_EQ(ends().written, Offset{1});
  EXPECT_EQ(ends().synced, Offset{0});
  EXPECT_EQ(ends().committed, Offset{0}) << "the topic commits at the sync";
  machine.executor.run_for(std::chrono::milliseconds{6});
  EXPECT_EQ(ends().synced, Offset{1}) << "the tail is synced after flush_interval";
  EXPECT_EQ(ends().committed, Offset{1});
}

TEST_F(AppenderDurability, AReadStopsAtTheCommittedEndHoweverMuchIsWritten) {
  open(events(AckLevel::isr_sync));
  appender->append_wait(record("k", "a")).value();
  appender->append_wait(record("k", "b"), {.durability = Durability::written}).value();
  ASSERT_EQ(ends().written, Offset{2});
  const Fetched fetched = log->read(kEvents, Offset{0}, 1 << 20).value();
  EXPECT_EQ(fetched.next().offset, Offset{1});
  EXPECT_EQ(fetched.committed_end(), Offset{1});
  EXPECT_EQ(log->read_back(kEvents, Offset{2}, 1 << 20).error(), Errc::offset_out_of_range);
}

// Its sync ends below what came meanwhile, and whoever syncs next does so for the flush interval.
TEST_F(AppenderDurability, ATailThatBeginsBesideASyncIsSyncedInItsTime) {
  open(events(AckLevel::isr_sync));
  appender->append_wait(record("k", "a")).value();
  bool beside = false;
  machine.disk.on_step([&](const test::DiskStep& step) {
    if (step.operation != "sync" || !step.path.ends_with(".log") || std::exchange(beside, true)) return;
    appender->append_wait(record("k", "c"), {.durability = Durability::written}).value();
  });
  appender->append_wait(record("k", "b")).value();
  machine.disk.on_step(nullptr);
  machine.executor.run_for(std::chrono::milliseconds{20});
  EXPECT_EQ(ends().written, Offset{3});
  EXPECT_EQ(ends().synced, Offset{3});
  EXPECT_EQ(ends().committed, Offset{3});
}

TEST_F(AppenderDurability, WhatWasQueuedBeforeAnAlterIsToldWhatItWasPromised) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  bool told = false;
  appender->append(record("k", "a"), [&](const Result<Appended>& appended) {
    EXPECT_TRUE(appended);
    EXPECT_EQ(ends().committed, Offset{1});
    told = true;
  });
  ASSERT_TRUE(log->alter_topic(kEvents.topic, {.ack_level = AckLevel::isr_sync}));
  machine.executor.run_for(std::chrono::milliseconds{1});
  EXPECT_TRUE(told);
}

TEST_F(AppenderDurability, SyncedWaitsForTheDiskWhereTheTopicDoesNot) {
  open(events(AckLevel::isr));
  appender->append_wait(record("k", "a")).value();
  EXPECT_EQ(ends().committed, Offset{1});
  EXPECT_EQ(ends().synced, Offset{0});
  appender->append_wait(record("k", "b"), {.durability = Durability::synced}).value();
  EXPECT_EQ(ends().synced, Offset{2});

  std::vector<std::string> told;
  appender->append(record("k", "c"), [&](const Result<Appended>&) { told.emplace_back("synced"); },
                   {.durability = Durability::synced});
  appender->append(record("k", "d"), [&](const Result<Appended>&) { told.emplace_back("written"); },
                   {.durability = Durability::written});
  machine.executor.run_for(std::chrono::milliseconds{1});
  EXPECT_EQ(told.size(), 2u);
  EXPECT_GE(ends().synced, Offset{3});
}

TEST_F(AppenderDurability, ATailIsNeverFlushedWhereNobodyAsksForIt) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  appender->append_wait(record("k", "a")).value();
  machine.executor.run_for(std::chrono::hours{1});
  EXPECT_EQ(ends().synced, Offset{0});
  log.reset();
  log = open_local("/data", {.ports = &ports}).value();
  EXPECT_EQ(ends().synced, Offset{1}) << "a clean stop syncs";
  EXPECT_EQ(log->topic(kEvents.topic)->spec, spec);
}

// What another process sees of records that are committed without a sync is published by the flusher, soon.
TEST_F(AppenderDurability, ReadersInOtherProcessesSeeWhatIsCommittedWithinAMillisecond) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  for (std::int64_t count = 1; count < 20; ++count) {
    appender->append_wait(record("k", "v")).value();
    machine.executor.run_for(std::chrono::milliseconds{1});
    const std::shared_ptr<EventLog> fresh = open_local("/data", {.ports = &ports, .read_only = true}).value();
    EXPECT_EQ(fresh->ends(kEvents)->committed, Offset{count});
  }
}

// Nor of what is just being synced: a power cut could take back what another process has acted on.
TEST_F(AppenderDurability, ReadersInOtherProcessesSeeNothingThatIsNotCommitted) {
  open(events(AckLevel::isr_sync));
  appender->append_wait(record("k", "a")).value();
  std::vector<std::int64_t> seen;
  machine.disk.on_step([&](const test::DiskStep& step) {
    if (step.operation != "sync" || !step.path.ends_with(".log")) return;
    const std::shared_ptr<EventLog> fresh = open_local("/data", {.ports = &ports, .read_only = true}).value();
    seen.push_back(fresh->ends(kEvents)->committed.value());
  });
  appender->append_wait(record("k", "b")).value();
  machine.disk.on_step(nullptr);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1}));
}

TEST_F(AppenderDurability, TheRecoveryPointNamesOnlyWhatIsSynced) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  const auto recovery_point = [&] {
    machine.executor.run_for(std::chrono::seconds{11});
    const std::string path = "/data/recovery-point-offset-checkpoint";
    return parse_checkpoint(path, read_file(machine.disk, path, 1 << 20).value()).value().at(kEvents);
  };
  appender->append_wait(record("k", "a"), {.durability = Durability::synced}).value();
  appender->append_wait(record("k", "b")).value();
  EXPECT_EQ(recovery_point(), Offset{1});
  appender->append_wait(record("k", "c"), {.durability = Durability::synced}).value();
  EXPECT_EQ(recovery_point(), Offset{3});
}

/// The calls that changed something on the disk, as "write 00000000000000000000.log".
class DiskCalls {
 public:
  explicit DiskCalls(test::SimDisk& disk) : disk_(disk) {
    disk.on_step([this](const test::DiskStep& step) {
      calls.push_back(std::string(step.operation) + " " + std::string(step.path.substr(step.path.rfind('/') + 1)));
    });
  }
  ~DiskCalls() { disk_.on_step(nullptr); }
  DiskCalls(const DiskCalls&) = delete;
  DiskCalls& operator=(const DiskCalls&) = delete;

  std::vector<std::string> calls;

 private:
  test::SimDisk& disk_;
};

const std::string kLogFile = "00000000000000000000.log";

TEST_F(AppenderDurability, AWrittenAppendIsOneWrite) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  appender->append_wait(record("k", "room")).value();  // which reserves blocks
  DiskCalls disk(machine.disk);
  for (int i = 0; i < 10; ++i) appender->append_wait(record("k", "v")).value();
  EXPECT_EQ(disk.calls, std::vector<std::string>(10, "write " + kLogFile));
}

TEST_F(AppenderDurability, ASyncedAppendIsOneWriteOneSyncAndTheMarks) {
  open(events(AckLevel::isr_sync));
  appender->append_wait(record("k", "names")).value();  // whose sync makes the names of new files durable too
  DiskCalls disk(machine.disk);
  appender->append_wait(record("k", "v")).value();
  // The tail page is open under the name that it was made with.
  EXPECT_EQ(disk.calls,
            (std::vector<std::string>{"write " + kLogFile, "sync " + kLogFile, "write synced-end", "write tail.tmp"}));
}

TEST_F(AppenderDurability, NeighboursShareABatchThatIsWrittenWhenItIsFull) {
  TopicSpec spec = events(AckLevel::isr);
  spec.flush_interval = kFlushNever;
  open(spec);
  std::int64_t completed = 0;
  DiskCalls disk(machine.disk);
  const std::string value(100, 'v');
  for (int i = 0; i < 2'000; ++i) {
    appender->append(record("k", value), [&](const Result<Appended>& appended) {
      ASSERT_TRUE(appended) << appended.error();
      EXPECT_EQ(appended->first, Offset{completed});
      EXPECT_EQ(log->ends(kEvents)->committed > appended->first, true) << "committed before it is told";
      ++completed;
    });
  }
  const auto writes = std::ranges::count(disk.calls, "write " + kLogFile);
  EXPECT_EQ(writes, 3) << "210 KB, by 64 KiB";
  EXPECT_GT(completed, 1'500) << "who fills a batch writes and completes it";
  machine.executor.run_for(std::chrono::milliseconds{1});
  EXPECT_EQ(completed, 2'000);
  EXPECT_EQ(test::values_of(*log, kEvents).size(), 2'000u);
}

TEST_F(AppenderDurability, AfterTheLogHasGoneItAnswersClosed) {
  open(events(AckLevel::isr_sync));
  log.reset();
  EXPECT_EQ(appender->append_wait(record("k", "v")).error(), Errc::closed);
  std::optional<Error> refused;
  appender->append(record("k", "v"), [&](const Result<Appended>& appended) { refused = appended.error(); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(*refused, Errc::closed);
}

// ---- real threads ----

TEST(AppenderThreads, EveryDurabilityAtOnceLosesNothingAndKeepsEachThreadsOrder) {
  constexpr int kThreads = 12;
  constexpr int kAppends = 300;
  const test::TempDirectory directory;
  const std::shared_ptr<EventLog> log = open_local(directory.path()).value();
  log->create_topic(events(AckLevel::isr_sync)).value();
  const std::shared_ptr<Appender> appender = log->appender(kEvents).value();
  std::atomic<int> completed{0};
  std::vector<std::jthread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      EncodedRecords records;
      const std::string key = std::to_string(number);
      for (int i = 0; i < kAppends; ++i) {
        const std::string value = key + "/" + std::to_string(i);
        const AppenderOptions options{.durability = static_cast<Durability>((number + i / 10) % 3)};
        if (i % 3 == 0) {
          EXPECT_TRUE(appender->append_wait(record(key, value), options));
          ++completed;
        } else if (i % 3 == 1) {
          records.clear();
          ASSERT_TRUE(records.add(record(key, value)));
          EXPECT_TRUE(appender->append_wait(records, options));
          ++completed;
        } else {
          appender->append(
              record(key, value),
              [&](const Result<Appended>& appended) {
                EXPECT_TRUE(appended);
                ++completed;
                log->ports().executor.notify();
              },
              options);
        }
      }
    });
  }
  threads.clear();
  const auto all_told = [&] { return completed == kThreads * kAppends; };
  EXPECT_TRUE(log->ports().executor.wait_until(all_told, log->ports().clock.monotonic() + std::chrono::seconds{30}));
  const auto all_committed = [&] { return log->ends(kEvents)->committed == Offset{kThreads * kAppends}; };
  EXPECT_TRUE(log->ports().executor.wait_until(all_committed, log->ports().clock.monotonic() + std::chrono::seconds{30}));

  std::vector<int> next(kThreads, 0);
  for (const std::string& value : test::values_of(*log, kEvents)) {
    const auto slash = value.find('/');
    int& expected = next[static_cast<std::size_t>(std::stoi(value.substr(0, slash)))];
    EXPECT_EQ(std::stoi(value.substr(slash + 1)), expected++);
  }
  EXPECT_EQ(next, std::vector<int>(kThreads, kAppends));
}

// A caller may be given the lead and then be told, by who writes its append meanwhile and finds a conflict, before it wakes up.
TEST(AppenderThreads, TheLeadOfACallerThatIsToldBeforeItWakesIsPassedOn) {
  const test::TempDirectory directory;
  const std::shared_ptr<EventLog> log = open_local(directory.path()).value();
  log->create_topic(events(AckLevel::isr_sync, true)).value();
  const std::shared_ptr<Appender> appender = log->appender(kEvents).value();
  appender->append_wait(record("k", "first")).value();
  const Condition not_so{"k", Offset{0}};
  std::atomic<bool> stop{false};
  std::atomic<int> ended{0};
  std::vector<std::jthread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, conflicts = number % 2 == 0] {
      while (!stop) {
        if (conflicts) {
          EXPECT_EQ(appender->append_wait(record("k", "v"), {.condition = &not_so}).error(), Errc::conflict);
        } else {
          EXPECT_TRUE(appender->append_wait(record("k", "v"), {.durability = Durability::written}));
          std::this_thread::yield();
        }
      }
    });
  }
  for (int number = 0; number < 2; ++number) {
    threads.emplace_back([&] {
      for (int i = 0; i < 150; ++i) EXPECT_TRUE(appender->append_wait(record("k", "v")));
      ++ended;
      log->ports().executor.notify();
    });
  }
  const auto all_ended = [&] { return ended == 2; };
  const bool in_time = log->ports().executor.wait_until(all_ended, log->ports().clock.monotonic() + std::chrono::seconds{60});
  stop = true;
  ASSERT_TRUE(in_time) << "somebody waits for a lead that nobody has";
}

}  // namespace
}  // namespace lungo
