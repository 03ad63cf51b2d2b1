// Goal: a reader beside a live writer keeps few files open, and what the writer removes or exchanges of those that it has
// closed it finds again: each record that is read is the one that was written there, and a refusal says that the record is
// deleted.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"
#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr std::size_t kFilesMax = 4;
const TopicPartition kPlain{"plain", PartitionId{0}};
const TopicPartition kStreams{"streams", PartitionId{0}};
const TopicPartition kLatest{"latest", PartitionId{0}};

std::string value_at(Offset offset) { return std::to_string(offset.value()) + "-" + std::string(900, 'v'); }
std::string key_at(Offset offset) { return "k" + std::to_string(offset.value() % 5); }

void make_topics(EventLog& log) {
  ASSERT_TRUE(log.create_topic({.name = "plain", .partitions = 1, .segment_bytes = 4096}));
  ASSERT_TRUE(log.create_topic({.name = "streams", .partitions = 1, .streams = true, .segment_bytes = 4096}));
  ASSERT_TRUE(
      log.create_topic({.name = "latest", .partitions = 1, .compact = true, .segment_bytes = 4096, .dirty_ratio_min = 0.01}));
}

void fill(EventLog& log, int records) {
  for (int i = 0; i < records; ++i) {
    for (const TopicPartition& to : {kPlain, kStreams, kLatest}) {
      const Offset offset = log.ends(to)->written;
      ASSERT_TRUE(append_wait(log, append_of(to, key_at(offset), value_at(offset))));
    }
  }
}

/// Reads what there is from `from` on, in small pieces. Nothing when that is deleted.
std::optional<std::map<Offset, std::string>> read_all(EventLog& log, const TopicPartition& partition, Offset from) {
  std::map<Offset, std::string> found;
  for (Offset end = log.ends(partition)->committed; from < end;) {
    const Result<Fetched> fetched = log.read(partition, from, 1);
    if (!fetched && fetched.error() == Errc::offset_out_of_range) return std::nullopt;
    if (!fetched) ADD_FAILURE() << fetched.error();
    if (!fetched || fetched->next().offset <= from) break;
    RecordCursor records = fetched->records();
    while (const RecordView* record = records.next()) {
      EXPECT_EQ(as_text(record->value), value_at(record->offset));
      found.emplace(record->offset, as_text(record->key));
    }
    from = fetched->next().offset;
  }
  return found;
}

void expect_last_of_each_key(const std::map<Offset, std::string>& found, Offset end) {
  for (Offset offset = end.plus(-5); offset < end; offset = offset.next()) {
    EXPECT_TRUE(found.contains(offset)) << offset.value();
  }
}

struct Pair {
  explicit Pair(std::uint64_t seed, std::size_t files_max = kFilesMax) : machine(seed), ports(machine.ports()) {
    LocalOptions options;
    options.ports = &ports;
    writer = open_local("/data", options).value();
    make_topics(*writer);
    fill(*writer, 40);
    options.read_only = true;
    options.open_files_max = files_max;
    reader = open_local("/data", options).value();
  }

  const SilentLog silent;
  Simulation machine;
  const Ports ports;
  std::shared_ptr<EventLog> writer;
  std::shared_ptr<EventLog> reader;
};

// Between each two steps of the two.
TEST(ReaderFiles, DeletedRecordsAreRefusedAndTheOthersRead) {
  int refused = 0;
  for (int steps = 0; steps < 60; ++steps) {
    SCOPED_TRACE(steps);
    Pair pair{static_cast<std::uint64_t>(steps)};
    ASSERT_TRUE(pair.writer->delete_records(kPlain, Offset{30}));
    for (int i = 0; i < steps; ++i) pair.machine.executor.step_one();
    const Result<Fetched> deleted = pair.reader->read(kPlain, Offset{3}, 1);
    if (deleted) {
      RecordCursor records = deleted->records();
      EXPECT_EQ(as_text(records.next()->value), value_at(Offset{3}));
    } else {
      EXPECT_EQ(deleted.error(), Errc::offset_out_of_range) << deleted.error();
      ++refused;
    }
    const auto found = read_all(*pair.reader, kPlain, Offset{30});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->size(), 10u);
  }
  EXPECT_GT(refused, 10);
}

TEST(ReaderFiles, WhatIsCompactedMeanwhileIsRead) {
  Pair pair{1};
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    const auto before = read_all(*pair.reader, kLatest, Offset{0});
    ASSERT_TRUE(before);
    fill(*pair.writer, 20);
    pair.machine.executor.run_for(std::chrono::seconds{round % 2 == 0 ? 1 : 21});
    const Offset end = pair.writer->ends(kLatest)->committed;
    ASSERT_EQ(pair.reader->ends(kLatest)->committed, end);
    const auto found = read_all(*pair.reader, kLatest, Offset{0});
    ASSERT_TRUE(found);
    expect_last_of_each_key(*found, end);
  }
  const Result<Fetched> last = pair.reader->read_back(kLatest, pair.reader->ends(kLatest)->committed, 1);
  ASSERT_TRUE(last) << last.error();
  EXPECT_FALSE(last->empty());
  EXPECT_TRUE(pair.reader->offset_at(kLatest, Timestamp{}));
}

// The digest under its name is that of the segment which took its place.
TEST(ReaderFiles, WhatWasExchangedIsNotComparedAtEachRead) {
  Pair pair{1, 1000};
  ASSERT_EQ(pair.reader->ends(kLatest)->committed, Offset{40});  // its files are open, and nothing is read of them
  fill(*pair.writer, 20);
  pair.machine.executor.run_for(std::chrono::seconds{21});
  ASSERT_TRUE(pair.reader->read(kLatest, Offset{0}, 1));
  const std::uint64_t before = pair.machine.disk.reads();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(pair.reader->read(kLatest, Offset{0}, 1));
  EXPECT_LE(pair.machine.disk.reads() - before, 2u * 50);
}

TEST(ReaderFiles, StreamsWhoseRunsAreMergedMeanwhileAreRead) {
  Pair pair{1};
  for (int round = 0; round < 8; ++round) {
    SCOPED_TRACE(round);
    fill(*pair.writer, 30);
    pair.machine.executor.run_for(std::chrono::seconds{1});
    const Offset end = pair.reader->ends(kStreams)->committed;
    ASSERT_EQ(end, pair.writer->ends(kStreams)->committed);
    for (std::int64_t key = 0; key < 5; ++key) {
      const Result<KeyRecords> found = pair.reader->read_key(kStreams, key_at(Offset{key}), Offset{0}, end, 1000);
      ASSERT_TRUE(found) << found.error();
      EXPECT_EQ(static_cast<std::int64_t>(found->records.size()), end.value() / 5);
      for (const RecordView& record : found->records) EXPECT_EQ(as_text(record.value), value_at(record.offset));
    }
  }
}

std::size_t descriptors_open() {
  const std::filesystem::directory_iterator open{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(open), end(open)));
}

TEST(ReaderFiles, ManySegmentsTakeFewDescriptors) {
  const TempDirectory directory;
  const QuietLog quiet;
  {
    const auto writer = open_local(directory / "data").value();
    make_topics(*writer);
    fill(*writer, 200);
  }
  const std::size_t before = descriptors_open();
  const auto reader = open_local(directory / "data", {.read_only = true, .open_files_max = kFilesMax}).value();
  EXPECT_LE(descriptors_open(), before + kFilesMax + 4) << "some are in use, and more belong to the activity";
  EXPECT_EQ(read_all(*reader, kPlain, Offset{0})->size(), 200u);
  EXPECT_LE(descriptors_open(), before + kFilesMax + 4);
}

TEST(ReaderFilesThreads, ManyFirstUsesAtOnceSeeAllThatWasThere) {
  const TempDirectory directory;
  const SilentLog silent;
  const auto writer = open_local(directory / "data").value();
  make_topics(*writer);
  fill(*writer, 20);
  for (int round = 0; round < 20 && !HasFailure(); ++round) {
    const auto reader = open_local(directory / "data", {.read_only = true, .open_files_max = kFilesMax}).value();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const Result<Fetched> last = reader->read(kStreams, Offset{19}, 1);
        EXPECT_TRUE(last) << last.error();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// On the real disk, with retention and compaction beside it.
TEST(ReaderFilesThreads, BesideAWriterUnderLoad) {
  const TempDirectory directory;
  const SilentLog silent;
  const auto writer = open_local(directory / "data", {.compaction_interval = std::chrono::milliseconds{5}}).value();
  make_topics(*writer);
  fill(*writer, 50);
  std::atomic<bool> stop = false;
  std::thread writing([&] {
    while (!stop) {
      fill(*writer, 10);
      ASSERT_TRUE(writer->delete_records(kPlain, std::max(Offset{0}, writer->ends(kPlain)->synced.plus(-60))));
    }
  });
  const auto reader = open_local(directory / "data", {.read_only = true, .open_files_max = kFilesMax}).value();
  int rounds = 0;
  int refused = 0;
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{2};
       (std::chrono::steady_clock::now() < until || rounds < 20) && !HasFailure(); ++rounds) {
    refused += read_all(*reader, kPlain, reader->ends(kPlain)->start) ? 0 : 1;
    const Offset end = reader->ends(kLatest)->committed;
    const auto latest = read_all(*reader, kLatest, Offset{0});
    ASSERT_TRUE(latest);
    // It, or a later one of its key, which may lie behind what was the end when the reading began.
    for (Offset offset = end.plus(-5); offset < end; offset = offset.next()) {
      const auto is_it = [&](const auto& one) { return one.first >= offset && one.second == key_at(offset); };
      bool is_found = std::ranges::any_of(*latest, is_it);
      for (int again = 0; !is_found && again < 50; ++again) {
        is_found = std::ranges::any_of(read_all(*reader, kLatest, offset).value(), is_it);
      }
      EXPECT_TRUE(is_found) << offset.value();
    }
    const Result<KeyRecords> found = reader->read_key(kStreams, "k1", Offset{0}, reader->ends(kStreams)->committed, 10'000);
    ASSERT_TRUE(found) << found.error();
    EXPECT_GE(found->records.size(), 10u);
  }
  stop = true;
  writing.join();
}

}  // namespace
}  // namespace lungo::test
