// Goal: a reader follows the writers of a directory one after another.
#include <gtest/gtest.h>

#include <algorithm>

#include <lungo/log/local_event_log.hpp>

#include "base/property_file.hpp"
#include "tail_page.hpp"
#include "tests/support/forwarding_storage.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

using test::append_of;
using test::values_of;

TEST(TailingEventLog, ANewWritersLogIsNotComparedWithTheOldCleanStop) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  options.ports = &ports;
  const TopicPartition partition{"events", PartitionId{0}};
  auto log = open_local("/data", options).value();
  TopicSpec spec;
  spec.name = partition.topic;
  spec.partitions = 1;
  log->create_topic(spec).value();
  append_wait(*log, append_of(partition, "k", "a")).value();
  log.reset();
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  const test::LogLines lines;
  options.read_only = false;
  log = open_local("/data", options).value();  // and appends before the reader looks again
  append_wait(*log, append_of(partition, "k", "b")).value();
  machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, partition), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(lines.count("warning", "clean-stop"), 0) << "the log is as its writer left it";
}

// Whichever read of a look fails: a later look goes on from what is open.
TEST(TailingEventLog, AReadThatFailedOnceHidesNoNewTopicAndNoNewWriter) {
  for (std::uint64_t read = 1; read <= 40; ++read) {
    SCOPED_TRACE(read);
    test::Simulation machine{1};
    const Ports ports = machine.ports();
    LocalOptions options;
    options.ports = &ports;
    const TopicPartition old_topic{"events", PartitionId{0}};
    const TopicPartition new_topic{"more", PartitionId{0}};
    auto log = open_local("/data", options).value();
    log->create_topic({.name = old_topic.topic, .partitions = 1}).value();
    append_wait(*log, append_of(old_topic, "k", "a")).value();
    options.read_only = true;
    const auto reader = open_local("/data", options).value();
    options.read_only = false;
    log.reset();
    log = open_local("/data", options).value();
    log->create_topic({.name = new_topic.topic, .partitions = 1}).value();
    append_wait(*log, append_of(old_topic, "k", "b")).value();
    append_wait(*log, append_of(new_topic, "k", "c")).value();
    machine.disk.fail_read(machine.disk.reads() + read, test::ReadFault::error);
    machine.executor.run_for(std::chrono::milliseconds{200});
    machine.disk.clear_faults();
    EXPECT_EQ(values_of(*reader, old_topic), (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(reader->topic(new_topic.topic));
    EXPECT_EQ(values_of(*reader, new_topic), (std::vector<std::string>{"c"}));
  }
}

// A topic may be made and not be opened: whichever step of it fails, neither the topics that come in between nor the topic
// itself, which comes later, are hidden from readers.
TEST(TailingEventLog, ATopicThatIsOpenedLateHidesNoOther) {
  const TopicPartition late{"late", PartitionId{0}};
  const TopicPartition between{"between", PartitionId{0}};
  int opened_late = 0;
  for (std::uint64_t step = 1; step <= 60; ++step) {
    SCOPED_TRACE(step);
    test::Simulation machine{1};
    const Ports ports = machine.ports();
    LocalOptions options;
    options.ports = &ports;
    const auto log = open_local("/data", options).value();
    machine.disk.fail_step(machine.disk.steps() + step, Errc::io);
    const bool made_at_once = log->create_topic({.name = late.topic, .partitions = 1}).has_value();
    machine.disk.clear_faults();
    log->create_topic({.name = between.topic, .partitions = 1}).value();
    if (!made_at_once && !log->create_topic({.name = late.topic, .partitions = 1})) continue;
    opened_late += made_at_once ? 0 : 1;
    append_wait(*log, append_of(between, "k", "b")).value();
    append_wait(*log, append_of(late, "k", "a")).value();
    options.read_only = true;
    const auto reader = open_local("/data", options).value();
    EXPECT_EQ(values_of(*reader, between), std::vector<std::string>{"b"});
    EXPECT_EQ(values_of(*reader, late), std::vector<std::string>{"a"});
  }
  EXPECT_GT(opened_late, 3);
}

// What is left of a directory when its first topic goes: the others keep their places, in the file and in the page.
TEST(TailingEventLog, ATopicThatIsGoneMovesNoOthersEnd) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  options.ports = &ports;
  const TopicPartition kept{"kept", PartitionId{1}};
  const TopicPartition fresh{"fresh", PartitionId{0}};
  {
    const auto log = open_local("/data", options).value();
    log->create_topic({.name = "gone", .partitions = 3}).value();
    log->create_topic({.name = kept.topic, .partitions = 2}).value();
  }
  Properties topics =
      parse_property_file("topics", 1, "", read_file(machine.disk, "/data/lungo.topics", 1 << 20).value()).value();
  topics.erase(topics.begin(), std::ranges::find(topics, Property{"topic", kept.topic}));
  write_file_atomically(machine.disk, "/data/lungo.topics", as_bytes(format_property_file("topics", 1, topics))).value();

  const auto log = open_local("/data", options).value();
  options.read_only = true;
  const auto reader = open_local("/data", options).value();
  log->create_topic({.name = fresh.topic, .partitions = 1}).value();
  append_wait(*log, append_of(kept, "k", "a")).value();
  append_wait(*log, append_of(fresh, "k", "b")).value();
  machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, kept), std::vector<std::string>{"a"});
  ASSERT_TRUE(reader->topic(fresh.topic));
  EXPECT_EQ(values_of(*reader, fresh), std::vector<std::string>{"b"});
  const TailState tail = read_tail(machine.disk, "/data/tail").value();
  ASSERT_EQ(tail.places.size(), 6u);
  EXPECT_EQ(tail.places[0], TailPlace{});
  EXPECT_EQ(tail.places[4], (TailPlace{.start = Offset{0}, .end = Offset{1}}));
  EXPECT_EQ(tail.places[5], (TailPlace{.start = Offset{0}, .end = Offset{1}}));
}

// ---- what a first use meets ----

struct Pair {
  explicit Pair(std::vector<std::string> names) {
    options.ports = &ports;
    writer = open_local("/data", options).value();
    for (const std::string& name : names) writer->create_topic({.name = name, .partitions = 1, .segment_bytes = 4096}).value();
    reading = options;
    reading.read_only = true;
  }
  void append(const std::string& topic, int records) const {
    for (int i = 0; i < records; ++i) {
      const TopicPartition to{topic, PartitionId{0}};
      append_wait(*writer, append_of(to, "k", std::to_string(i) + std::string(900, 'v'))).value();
    }
  }

  test::Simulation machine{1};
  const Ports ports = machine.ports();
  LocalOptions options;
  LocalOptions reading;
  std::shared_ptr<EventLog> writer;
};

TEST(TailingEventLog, AFirstUseReadsNoMoreWhereTheReaderIsOld) {
  const TopicPartition events{"events", PartitionId{0}};
  Pair pair{{events.topic}};
  const auto reader = open_local("/data", pair.reading).value();
  std::vector<std::uint64_t> reads;
  for (int round = 0; round < 2; ++round) {
    pair.append(events.topic, 200);
    pair.machine.executor.run_for(std::chrono::seconds{90});  // recovery points are written
    const auto another = open_local("/data", pair.reading).value();
    const std::uint64_t before = pair.machine.disk.reads();
    EXPECT_TRUE((round == 0 ? another : reader)->ends(events));
    reads.push_back(pair.machine.disk.reads() - before);
  }
  EXPECT_EQ(reader->ends(events)->committed, Offset{400});
  EXPECT_LE(reads[1], 3 * reads[0]) << "those of a fresh reader are " << reads[0];
}

TEST(TailingEventLog, WhatThePagePromisesInVainIsNotReadAgainAndAgain) {
  const TopicPartition cut{"cut", PartitionId{0}};
  const TopicPartition whole{"whole", PartitionId{0}};
  Pair pair{{cut.topic, whole.topic}};
  pair.append(cut.topic, 20);
  const std::string page = "/data/tail";
  const auto file = pair.machine.disk.open(page, OpenMode::read_write).value();
  Bytes end(16);
  const std::size_t place = pair.writer->topics()->front().spec.name == cut.topic ? 0 : 1;
  for (std::size_t i = 0; i < 8; ++i) end[i] = i == 0 ? std::byte{50} : std::byte{0};
  for (std::size_t i = 0; i < 8; ++i) end[8 + i] = ~end[i];
  file->write_at(64 + place * 32 + 16, end).value();
  const auto reader = open_local("/data", pair.reading).value();
  EXPECT_EQ(values_of(*reader, cut).size(), 20u);
  EXPECT_TRUE(reader->ends(whole));
  const std::uint64_t before = pair.machine.disk.reads();
  pair.machine.executor.run_for(std::chrono::seconds{1});
  EXPECT_LT(pair.machine.disk.reads() - before, 50u * 12) << "a look each 20 ms";
  pair.append(whole.topic, 3);
  pair.machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, whole).size(), 3u) << "and hides no other";
}

TEST(TailingEventLog, ADeletedTopicIsGoneAndNotEmpty) {
  const TopicPartition events{"events", PartitionId{0}};
  for (const bool is_made_again : {false, true}) {
    Pair pair{{events.topic}};
    pair.append(events.topic, 20);
    const auto reader = open_local("/data", pair.reading).value();  // and has used nothing of it
    pair.writer->delete_topic(events.topic).value();
    if (is_made_again) pair.writer->create_topic({.name = events.topic, .partitions = 1}).value();
    if (is_made_again) pair.append(events.topic, 1);
    const Result<Ends> ends = reader->ends(events);  // before its activity has looked
    ASSERT_FALSE(ends) << ends->committed.value();
    EXPECT_EQ(ends.error(), Errc::not_found) << ends.error();
    EXPECT_TRUE(reader->damage(events).empty());
    pair.machine.executor.run_for(std::chrono::milliseconds{100});
    EXPECT_EQ(reader->ends(events).has_value(), is_made_again);
  }
}

/// Files whose path holds this text can't be read.
class UnreadableFiles : public test::ForwardingStorage {
 public:
  using ForwardingStorage::ForwardingStorage;
  std::string unreadable;  // nothing

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (!unreadable.empty() && path.find(unreadable) != std::string::npos) return Error{Errc::io, path + ": it can't be read"};
    return ForwardingStorage::open(path, mode);
  }
};

TEST(TailingEventLog, APartitionThatCanNotBeReadHidesNoOtherFromANewWriter) {
  const TopicPartition bad{"bad", PartitionId{0}};
  const TopicPartition good{"good", PartitionId{0}};
  Pair pair{{bad.topic, good.topic}};
  pair.append(bad.topic, 2);
  pair.append(good.topic, 2);
  UnreadableFiles files{pair.machine.disk};
  const Ports ports{files, pair.ports.clock, pair.ports.executor, pair.ports.random};
  pair.reading.ports = &ports;
  const auto reader = open_local("/data", pair.reading).value();
  EXPECT_EQ(values_of(*reader, bad).size(), 2u);
  EXPECT_EQ(values_of(*reader, good).size(), 2u);
  const test::LogLines lines;
  files.unreadable = "bad-0/0000";
  pair.writer.reset();
  pair.writer = open_local("/data", pair.options).value();
  pair.append(good.topic, 3);
  pair.machine.executor.run_for(std::chrono::milliseconds{100});
  EXPECT_EQ(values_of(*reader, good).size(), 5u);
  EXPECT_EQ(reader->ends(bad).error(), Errc::io);
  files.unreadable.clear();
  EXPECT_EQ(values_of(*reader, bad).size(), 2u);
}

}  // namespace
}  // namespace lungo
