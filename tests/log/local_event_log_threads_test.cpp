// Many threads on one embedded log, on the real ports. Meant for the thread sanitizer as much as for its own checks.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include <lungo/log/local_event_log.hpp>
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr int kWriters = 8;
constexpr int kAppendsEach = 300;

TEST(LocalEventLogThreads, EveryAppendOfEightThreadsIsThereOnceAndInItsThreadsOrder) {
  const TempDirectory directory;
  const std::shared_ptr<EventLog> log = open_local(directory.path()).value();
  TopicSpec spec;
  spec.name = "events";
  spec.partitions = 2;
  spec.segment_bytes = 20'000;
  log->create_topic(spec).value();
  Ports ports = log->ports();

  std::atomic<int> completed{0};
  std::atomic<bool> writing{true};
  std::atomic<int> notified{0};
  const auto write = [&](int writer) {
    const TopicPartition to{"events", PartitionId{writer % 2}};
    for (int i = 0; i < kAppendsEach; ++i) {
      AppendRequest request = append_of(to, std::to_string(writer), std::to_string(i));
      request.caller_waits = (writer / 2 + i) % 3 == 0;  // some wait, some do not, each does both
      std::atomic<bool> mine{false};
      const bool waits = request.caller_waits;
      log->append(std::move(request), [&, waits](Result<Appended> result) {
        EXPECT_TRUE(result.has_value()) << result.error();
        completed.fetch_add(1);
        if (waits) mine = true;
        ports.executor.notify();
      });
      EXPECT_TRUE(!waits || mine.load()) << "append returned before its completion";
    }
  };
  const auto read = [&](PartitionId partition) {
    const TopicPartition from{"events", partition};
    Offset at{0};
    while (writing || at < log->ends(from).value().committed) {
      const Fetched fetched = log->read(from, at, 10'000).value();
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) {
        EXPECT_EQ(record->offset, at);
        at = at.next();
      }
      const auto token = log->notify_above(from, at, [&] { notified.fetch_add(1); });
      std::this_thread::yield();
    }
  };
  const auto look = [&] {
    while (writing) {
      const Ends ends = log->ends({"events", PartitionId{0}}).value();
      EXPECT_LE(ends.committed, ends.written);
      log->create_topic(spec).value();
      std::this_thread::yield();
    }
  };

  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) writers.emplace_back(write, i);
  std::vector<std::thread> others;
  others.emplace_back(read, PartitionId{0});
  others.emplace_back(read, PartitionId{1});
  others.emplace_back(look);
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(ports.executor.wait_until([&] { return completed == kWriters * kAppendsEach; },
                                        ports.clock.monotonic() + std::chrono::seconds{60}));
  writing = false;
  for (std::thread& other : others) other.join();

  std::map<std::string, int> next_of;
  for (const std::int32_t partition : {0, 1}) {
    const TopicPartition from{"events", PartitionId{partition}};
    Offset at{0};
    while (true) {
      const Fetched fetched = log->read(from, at, 1 << 20).value();
      if (fetched.empty()) break;
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) {
        EXPECT_EQ(std::to_string(next_of[std::string(as_text(record->key))]++), as_text(record->value));
      }
      at = fetched.next().offset;
    }
  }
  EXPECT_EQ(next_of.size(), static_cast<std::size_t>(kWriters));
  for (const auto& [writer, count] : next_of) EXPECT_EQ(count, kAppendsEach) << "writer " << writer;
}

}  // namespace
}  // namespace lungo::test
