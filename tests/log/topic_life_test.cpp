// Goal: what becomes of an open log, of appends under way, and of readers here and in other processes, when topics change, grow
// and go and their oldest records are deleted.
#include <gtest/gtest.h>

#include <algorithm>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/log_lines.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::append_of;
using test::Simulation;
using test::values_of;

using Values = std::vector<std::string>;

const TopicPartition kEvents{"events", PartitionId{0}};

TopicSpec events() {
  TopicSpec spec;
  spec.name = kEvents.topic;
  spec.partitions = 1;
  spec.segment_bytes = 512;
  return spec;
}

class TopicLife : public testing::Test {
 protected:
  TopicLife() { reopen(); }
  ~TopicLife() override { log.reset(); }

  void reopen() {
    log.reset();
    log = open(false);
  }
  std::shared_ptr<EventLog> open(bool read_only) {
    LocalOptions options;
    options.ports = &ports;
    options.read_only = read_only;
    return open_local("/data", options).value();
  }
  /// Of about a sixth of a segment, with the clock's time.
  Appended append(const std::string& value, const TopicPartition& to = kEvents) {
    AppendRequest request{.to = to, .records = {}, .condition = {}, .since = {}};
    const std::string body = value + std::string(80 - value.size(), '.');
    request.records.add({.timestamp = machine.clock.now(), .key = as_bytes("k"), .value = as_bytes(body)}).value();
    return append_wait(*log, std::move(request)).value();
  }
  void append_many(int count, const TopicPartition& to = kEvents) {
    for (int i = 0; i < count; ++i) append(std::to_string(i), to);
  }
  std::int64_t start(EventLog& of, const TopicPartition& partition = kEvents) { return of.ends(partition)->start.value(); }
  std::int64_t end(EventLog& of, const TopicPartition& partition = kEvents) { return of.ends(partition)->committed.value(); }
  std::size_t files(const std::string& suffix, const std::string& directory = "/data/events-0") {
    std::size_t count = 0;
    for (const DirEntry& entry : machine.disk.list(directory).value()) count += entry.name.ends_with(suffix) ? 1 : 0;
    return count;
  }
  void run_for(Duration span) { machine.executor.run_for(span); }

  Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
};

/// A log of its own with the topic, on a disk of its own.
struct World {
  explicit World(std::uint64_t seed) : machine(seed) {
    open();
    log->create_topic(events()).value();
  }
  void open() {
    log.reset();
    log = open_local("/data", {.ports = &ports}).value();
  }
  void append(const std::string& value, const TopicPartition& to = kEvents) {
    append_wait(*log, append_of(to, "k", value)).value();
  }
  void fail_after(std::uint64_t steps, Errc code) { machine.disk.fail_step(machine.disk.steps() + steps, code); }

  Simulation machine;
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
};

// ---- records that go ----

TEST_F(TopicLife, WhatIsDeletedInsideASegmentStaysDeleted) {
  log->create_topic(events()).value();
  append_many(20);
  for (const std::int64_t below : {4, 5, 13}) {  // three records a segment: some of these lie inside of one
    ASSERT_TRUE(log->delete_records(kEvents, Offset{below}));
    reopen();
    EXPECT_EQ(start(*log), below);
  }
}

TEST_F(TopicLife, AMissingFirstFileIsTold) {
  log->create_topic(events()).value();
  append_many(20);
  const test::LogLines lines;
  const auto told = [&] { return lines.count("warning", "nothing says that they were deleted"); };
  ASSERT_TRUE(log->delete_records(kEvents, Offset{9}));
  run_for(milliseconds{100});
  reopen();
  EXPECT_EQ(told(), 0);
  log.reset();
  std::string first;
  for (const DirEntry& entry : machine.disk.list("/data/events-0").value()) {
    if (first.empty() && entry.name.ends_with(".log")) first = entry.name;
  }
  ASSERT_TRUE(machine.disk.remove("/data/events-0/" + first));
  reopen();
  EXPECT_GT(start(*log), 9);
  EXPECT_EQ(told(), 1);
}

TEST_F(TopicLife, ALogWithoutRecordsLeftIsAsItWasStopped) {
  log->create_topic(events()).value();
  append_many(20);
  ASSERT_TRUE(log->delete_records(kEvents, Offset{20}));
  run_for(milliseconds{100});
  const test::LogLines lines;
  for (int opening = 0; opening < 3; ++opening) {
    reopen();
    EXPECT_EQ(lines.count("warning", ""), 0) << opening;
    EXPECT_EQ(start(*log), 20);
    EXPECT_EQ(end(*log), 20);
  }
  EXPECT_EQ(append("x").first, Offset{20});
}

TEST_F(TopicLife, DeletedRecordsAreGoneForReadersAndAfterARestart) {
  log->create_topic(events()).value();
  append_many(20);
  const auto reader = open(true);
  EXPECT_EQ(log->delete_records(kEvents, Offset{9}).value(), Offset{9});
  EXPECT_EQ(log->delete_records(kEvents, Offset{3}).value(), Offset{9}) << "never back";
  EXPECT_EQ(log->delete_records(kEvents, Offset{21}).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->delete_records({"other", PartitionId{0}}, Offset{1}).error(), Errc::not_found);
  EXPECT_EQ(reader->delete_records(kEvents, Offset{10}).error(), Errc::unsupported);
  const std::size_t before = files(".log");
  run_for(milliseconds{100});
  EXPECT_LT(files(".log"), before);
  EXPECT_EQ(files(".deleted"), 0u);
  for (EventLog* const one : {log.get(), reader.get()}) {
    EXPECT_EQ(start(*one), 9);
    EXPECT_EQ(one->read(kEvents, Offset{8}, 100).error(), Errc::offset_out_of_range);
    EXPECT_EQ(values_of(*one, kEvents, Offset{9}).size(), 11u);
    const Position old{one->topic("events")->id, PartitionId{0}, Offset{8}, LeaderEpoch{1}};
    EXPECT_EQ(one->validate("events", old).error(), Errc::history_trimmed);
    const Position next{one->topic("events")->id, PartitionId{0}, Offset{9}, LeaderEpoch{1}};
    EXPECT_TRUE(one->validate("events", next));
  }
  reopen();
  EXPECT_EQ(start(*log), 9);
  EXPECT_EQ(values_of(*log, kEvents, Offset{9}).size(), 11u);
  EXPECT_EQ(start(*open(true)), 9);
}

TEST_F(TopicLife, AllRecordsMayBeDeletedAndTheOffsetsGoOn) {
  TopicSpec spec = events();
  spec.ack_level = AckLevel::isr;
  log->create_topic(spec).value();
  append_many(8);
  EXPECT_EQ(log->delete_records(kEvents, Offset{8}).value(), Offset{8}) << "synced before they are deleted";
  EXPECT_EQ(append("next").first, Offset{8});
  reopen();
  EXPECT_EQ(start(*log), 8);
  EXPECT_EQ(end(*log), 9);
}

// The reader has seen nothing of the segments in between when they go.
TEST_F(TopicLife, AReaderThatWasFarBehindGoesOnWhereTheLogBegins) {
  log->create_topic(events()).value();
  append_many(2);
  const auto reader = open(true);
  for (int round = 0; round < 4; ++round) {
    append_many(40);
    log->delete_records(kEvents, Offset{end(*log) - 1}).value();
    machine.clock.advance(milliseconds{1});
    while (files(".log") > 1) machine.executor.step_one();
    run_for(milliseconds{100});
    EXPECT_EQ(start(*reader), end(*log) - 1);
    EXPECT_EQ(end(*reader), end(*log));
    EXPECT_EQ(values_of(*reader, kEvents, Offset{start(*reader)}).size(), 1u);
  }
}

TEST_F(TopicLife, AReaderIsToldAndNotHarmedWhicheverReadMeetsTheRemoval) {
  for (std::uint64_t delay = 0; delay < 30; ++delay) {
    World other{delay};
    for (int i = 0; i < 30; ++i) other.append(std::string(80, 'v'));
    const LocalOptions read_only{.ports = &other.ports, .read_only = true};
    const auto reader = open_local("/data", read_only).value();
    other.log->delete_records(kEvents, Offset{20}).value();
    for (std::uint64_t step = 0; step < delay; ++step) other.machine.executor.step_one();
    const Result<Fetched> read = reader->read(kEvents, Offset{3}, 100);
    EXPECT_TRUE(read || read.error() == Errc::offset_out_of_range) << read.error();
    const auto late = open_local("/data", read_only);
    ASSERT_TRUE(late) << late.error();
    EXPECT_EQ(start(**late), 20);
  }
}

TEST_F(TopicLife, OldSegmentsGoByTheirNewestRecordAndTheWriterGoesOn) {
  TopicSpec spec = events();
  spec.retention_age = seconds{60};
  log->create_topic(spec).value();
  append_many(12);
  machine.clock.advance(seconds{50});
  append("young");
  run_for(seconds{5});
  EXPECT_EQ(start(*log), 0);
  run_for(seconds{20});
  EXPECT_GT(start(*log), 0);
  EXPECT_LE(start(*log), 12) << "the young one's segment stays";
  run_for(seconds{120});
  EXPECT_EQ(start(*log), 13) << "what was being written has begun another segment, and went too";
  EXPECT_EQ(files(".log"), 1u);
  EXPECT_EQ(append("next").first, Offset{13});
}

TEST_F(TopicLife, TheOldestSegmentsGoWhileEnoughIsLeft) {
  TopicSpec spec = events();
  spec.retention_bytes = 1024;
  log->create_topic(spec).value();
  append_many(60);
  run_for(seconds{11});
  EXPECT_GT(start(*log), 30);
  EXPECT_LE(start(*log), 60 - 1024 / 171);
  EXPECT_EQ(files(".log"), 3u);
  log->alter_topic("events", {.retention_bytes = kNoSizeLimit}).value();
  const std::int64_t before = start(*log);
  append_many(60);
  run_for(seconds{60});
  EXPECT_EQ(start(*log), before);
}

TEST_F(TopicLife, TheOldestSegmentsGoAlsoWhereNobodySyncs) {
  TopicSpec spec = events();
  spec.retention_bytes = 1024;
  spec.ack_level = AckLevel::isr;
  spec.flush_interval = kFlushNever;
  log->create_topic(spec).value();
  append_many(60);
  run_for(seconds{11});
  EXPECT_GT(start(*log), 30);
}

TEST_F(TopicLife, ASegmentEndsByItsAge) {
  TopicSpec spec = events();
  spec.segment_bytes = 1 << 20;
  spec.segment_age = seconds{30};
  log->create_topic(spec).value();
  run_for(seconds{100});
  EXPECT_EQ(files(".log"), 1u) << "an empty one has no age";
  append("a");
  run_for(seconds{25});
  append("b");
  EXPECT_EQ(files(".log"), 1u);
  run_for(seconds{16});
  EXPECT_EQ(files(".log"), 2u);
  append("c");
  EXPECT_EQ(values_of(*log, kEvents).size(), 3u);
  reopen();
  run_for(seconds{50});
  EXPECT_EQ(files(".log"), 3u) << "its age is that of its records, not of the open file";
  EXPECT_EQ(start(*log), 0) << "nothing goes";
}

TEST_F(TopicLife, StreamTopicsKeepEverythingUnlessALimitIsSet) {
  TopicSpec spec = events();
  spec.streams = true;
  log->create_topic(spec).value();
  append_many(30);
  run_for(std::chrono::hours{24 * 400});
  EXPECT_EQ(start(*log), 0);
  log->alter_topic("events", {.retention_age = seconds{1}}).value();
  run_for(seconds{11});
  EXPECT_EQ(start(*log), 30);
  EXPECT_EQ(log->read_key(kEvents, "k", Offset{0}, Offset{30}, 10).error(), Errc::history_trimmed);
}

TEST_F(TopicLife, TheHousekeeperWritesAndMergesTheStreamIndex) {
  TopicSpec spec = events();
  spec.streams = true;
  spec.segment_bytes = 64 << 20;
  log->create_topic(spec).value();
  constexpr int kBatch = 4096;
  constexpr int kBatches = 4 * 131'072 / kBatch;
  int written = 0;
  for (int i = 0; i < kBatches; ++i) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = {}};
    for (int j = 0; j < kBatch; ++j) {
      request.records.add({.timestamp = machine.clock.now(), .key = as_bytes(std::to_string(written++ % 50'000)), .value = {}})
          .value();
    }
    append_wait(*log, std::move(request)).value();
    machine.executor.run_for(milliseconds{10});
  }
  run_for(seconds{1});
  EXPECT_EQ(files(".streams"), 1u) << "four tables are one run by now";
  const Result<KeyRecords> found = log->read_key(kEvents, "777", Offset{0}, Offset{written}, 100);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->records.size(), 11u);
  EXPECT_EQ(open(true)->read_key(kEvents, "777", Offset{0}, Offset{written}, 100)->records.size(), 11u);
}

TEST_F(TopicLife, WhatCanNotBeNotedIsNotRemoved) {
  for (std::uint64_t step = 1; step < 40; ++step) {
    SCOPED_TRACE(step);
    World other{step};
    for (int i = 0; i < 20; ++i) other.append(std::string(80, 'v'));
    other.fail_after(step, Errc::no_space);
    const Result<Offset> deleted = other.log->delete_records(kEvents, Offset{12});
    other.machine.executor.run_for(seconds{1});
    other.machine.disk.clear_faults();
    const std::int64_t first = start(*other.log);
    EXPECT_EQ(first, deleted ? 12 : 0);
    EXPECT_EQ(values_of(*other.log, kEvents, Offset{first}).size(), static_cast<std::size_t>(20 - first));
    EXPECT_EQ(other.log->delete_records(kEvents, Offset{12}).value(), Offset{12});
    other.open();
    EXPECT_EQ(start(*other.log), 12);
  }
}

// ---- topics that change and grow ----

TEST_F(TopicLife, AlteredSettingsCountAtOnceAndForReaders) {
  log->create_topic(events()).value();
  const auto reader = open(true);
  EXPECT_TRUE(log->damage(kEvents).empty());  // opens it with what was there before
  const TopicInfo altered =
      log->alter_topic("events", {.ack_level = AckLevel::isr, .flush_interval = seconds{2}, .segment_bytes = 1 << 20}).value();
  EXPECT_EQ(altered.spec.ack_level, AckLevel::isr);
  EXPECT_EQ(log->topic("events")->spec, altered.spec);
  const std::size_t before = files(".log");
  append_many(20);
  EXPECT_EQ(files(".log"), before) << "larger segments";
  EXPECT_EQ(log->ends(kEvents)->committed, Offset{20});
  EXPECT_LT(log->ends(kEvents)->synced, Offset{20}) << "committed before it is synced";
  run_for(seconds{3});
  EXPECT_EQ(log->ends(kEvents)->synced, Offset{20});
  EXPECT_EQ(reader->topic("events")->spec, altered.spec);
  EXPECT_EQ(values_of(*reader, kEvents).size(), 20u) << "the reader's partitions are the same";
  log->alter_topic("events", {.ack_level = AckLevel::isr_sync}).value();
  EXPECT_EQ(log->ends(kEvents)->synced, append("x").end);
  EXPECT_EQ(log->create_topic(events()).error(), Errc::already_exists) << "it has other settings by now";
  EXPECT_EQ(reader->alter_topic("events", {}).error(), Errc::unsupported);
}

TEST_F(TopicLife, PartitionsThatAreAddedTakeAppendsAndReadersSeeThem) {
  log->create_topic(events()).value();
  append("a");
  const auto reader = open(true);
  const TopicPartition added{"events", PartitionId{2}};
  EXPECT_EQ(log->add_partitions("events", 3)->spec.partitions, 3);
  EXPECT_EQ(log->add_partitions("events", 3)->spec.partitions, 3);
  EXPECT_EQ(log->add_partitions("events", 2).error(), Errc::invalid_argument);
  EXPECT_EQ(log->add_partitions("other", 2).error(), Errc::not_found);
  append_many(3, added);
  append("b");
  run_for(milliseconds{100});
  for (EventLog* const one : {log.get(), reader.get()}) {
    EXPECT_EQ(end(*one, added), 3);
    EXPECT_EQ(end(*one), 2);
    EXPECT_EQ(one->topic("events")->spec.partitions, 3);
  }
  reopen();
  EXPECT_EQ(end(*log, added), 3);
}

TEST_F(TopicLife, StreamTopicsTakeNoPartitions) {
  TopicSpec spec = events();
  spec.streams = true;
  log->create_topic(spec).value();
  EXPECT_EQ(log->add_partitions("events", 2).error(), Errc::unsupported);
}

// A full disk, say: what is there is served, and the next call goes on.
TEST_F(TopicLife, PartitionsThatCouldNotBeOpenedAreOpenedByTheNextCall) {
  for (std::uint64_t step = 1; step < 60; ++step) {
    SCOPED_TRACE(step);
    World other{step};
    other.fail_after(step, Errc::no_space);
    static_cast<void>(other.log->add_partitions("events", 3).has_value());
    other.machine.disk.clear_faults();
    other.append("a");
    ASSERT_TRUE(other.log->alter_topic("events", {.retention_bytes = 1 << 20}));
    EXPECT_EQ(other.log->add_partitions("events", 3)->spec.partitions, 3);
    other.append("b", {"events", PartitionId{2}});
    EXPECT_EQ(values_of(*other.log, kEvents), Values{"a"});
  }
}

// ---- topics that go ----

TEST_F(TopicLife, ADeletedTopicIsGoneForEverybodyAndSoAreItsFiles) {
  log->create_topic(events()).value();
  log->create_topic({.name = "kept", .partitions = 1}).value();
  const TopicPartition kept{"kept", PartitionId{0}};
  append_many(10);
  append("x", kept);
  const auto reader = open(true);
  int told = 0;
  const auto here = log->notify_above(kEvents, Offset{10}, [&] { ++told; });
  const auto there = reader->notify_above(kEvents, Offset{10}, [&] { ++told; });
  log->delete_topic("events").value();
  EXPECT_EQ(told, 1);
  run_for(milliseconds{200});
  EXPECT_EQ(told, 2);
  for (EventLog* const one : {log.get(), reader.get()}) {
    EXPECT_EQ(one->topic("events").error(), Errc::not_found);
    EXPECT_EQ(one->topics()->size(), 1u);
    EXPECT_EQ(one->read(kEvents, Offset{0}, 100).error(), Errc::not_found);
    EXPECT_EQ(end(*one, kept), 1);
  }
  EXPECT_EQ(append_wait(*log, append_of(kEvents, "k", "v")).error(), Errc::not_found);
  EXPECT_EQ(log->delete_topic("events").error(), Errc::not_found);
  EXPECT_EQ(log->alter_topic("events", {}).error(), Errc::not_found);
  EXPECT_EQ(reader->delete_topic("kept").error(), Errc::unsupported);
  EXPECT_EQ(files("", "/data"), files("lock", "/data") + files("lungo.meta", "/data") + files("lungo.topics", "/data") +
                                    files("tail", "/data") + files("kept-0", "/data") +
                                    files("recovery-point-offset-checkpoint", "/data"));
  append("y", kept);
  run_for(milliseconds{100});
  EXPECT_EQ(end(*reader, kept), 2);
}

TEST_F(TopicLife, ATopicOfTheSameNameBeginsAnewForReadersToo) {
  log->create_topic(events()).value();
  append_many(10);
  run_for(seconds{11});  // recovery points
  const TopicId old = log->topic("events")->id;
  const auto reader = open(true);
  log->delete_topic("events").value();
  TopicSpec spec = events();
  spec.partitions = 2;
  log->create_topic(spec).value();
  append("new");
  run_for(milliseconds{100});
  for (EventLog* const one : {log.get(), reader.get()}) {
    EXPECT_NE(one->topic("events")->id, old);
    EXPECT_EQ(end(*one), 1);
    EXPECT_EQ(values_of(*one, kEvents)[0].substr(0, 4), "new.");
    EXPECT_EQ(one->validate("events", {old, PartitionId{0}, Offset{1}, LeaderEpoch{1}}).error(), Errc::position_diverged);
  }
  reopen();
  EXPECT_EQ(end(*log), 1);
}

TEST_F(TopicLife, AppendsUnderWayAreToldThatTheTopicIsGone) {
  log->create_topic(events()).value();
  Values outcomes;
  for (int i = 0; i < 3; ++i) {
    log->append(append_of(kEvents, "k", "v"), [&](Result<Appended> result) { outcomes.push_back(to_string(result.error())); });
  }
  log->delete_topic("events").value();
  EXPECT_EQ(outcomes, Values(3, "not_found: topic events was deleted"));
}

TEST_F(TopicLife, ADeletionThatFailsIsWholeOrHasNotBeen) {
  for (std::uint64_t step = 1; step < 40; ++step) {
    SCOPED_TRACE(step);
    World other{step};
    other.append("a");
    other.fail_after(step, Errc::io);
    const Result<void> deleted = other.log->delete_topic("events");
    other.machine.disk.clear_faults();
    EXPECT_TRUE(!deleted || !other.log->topic("events"));
    if (other.log->topic("events")) {
      EXPECT_EQ(values_of(*other.log, kEvents), Values{"a"});
      other.append("b");
      continue;
    }
    other.log->create_topic(events()).value();
    other.append("c");
    other.open();
    EXPECT_EQ(values_of(*other.log, kEvents), Values{"c"});
  }
}

}  // namespace
}  // namespace lungo
