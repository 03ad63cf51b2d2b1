// Goal: topics change, grow and go, and records are deleted, while threads append and read: every append is completed once,
// with its offsets or with what became of the topic, and nobody waits for ever or reads what is not there.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo {
namespace {

using test::append_of;

TopicSpec small_segments(const std::string& name) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = 1;
  spec.segment_bytes = 64 << 10;
  spec.ack_level = AckLevel::isr;
  return spec;
}

class TopicLifeThreads : public testing::Test {
 protected:
  TopicLifeThreads() { log->create_topic(small_segments("events")).value(); }
  ~TopicLifeThreads() override { stop(); }

  /// Appends to partition 0 and counts what became of it, until stop().
  void start_appender(bool waits) {
    threads.emplace_back([this, waits] {
      while (!stopping) {
        if (waits) {
          count(append_wait(*log, append_of(kPartition, "k", std::string(200, 'v'))));
          continue;
        }
        if (submitted - completed >= 16) {  // a few under way, and not more segments than files may be open
          std::this_thread::yield();
          continue;
        }
        ++submitted;
        log->append(append_of(kPartition, "k", std::string(200, 'v')), [this](const Result<Appended>& result) {
          count(result);
          ++completed;
        });
      }
    });
  }
  /// Reads from the start on, over and over.
  void start_reader() {
    threads.emplace_back([this] {
      while (!stopping) {
        const Result<Ends> ends = log->ends(kPartition);
        const Result<Fetched> read = ends ? log->read(kPartition, ends->start, 4096) : Result<Fetched>{ends.error()};
        const bool is_fine = read || read.error() == Errc::not_found || read.error() == Errc::offset_out_of_range;
        if (!is_fine) ADD_FAILURE() << read.error();
        std::this_thread::yield();
      }
    });
  }
  void count(const Result<Appended>& result) {
    const bool is_fine = result || result.error() == Errc::not_found || result.error() == Errc::closed;
    if (!is_fine) ADD_FAILURE() << result.error();
    if (result) ++appended;
  }
  void wait_for_more(std::int64_t count) {
    const std::int64_t wanted = appended + count;
    Ports ports = log->ports();
    ASSERT_TRUE(
        ports.executor.wait_until([&] { return appended >= wanted; }, ports.clock.monotonic() + std::chrono::seconds{20}));
  }
  void stop() {
    stopping = true;
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  const TopicPartition kPartition{"events", PartitionId{0}};
  const test::TempDirectory directory;
  const test::QuietLog quiet;
  std::atomic<bool> stopping{false};
  std::atomic<std::int64_t> appended{0};
  std::atomic<std::int64_t> submitted{0};
  std::atomic<std::int64_t> completed{0};
  std::shared_ptr<EventLog> log = open_local(directory / "data").value();
  std::vector<std::thread> threads;
};

TEST_F(TopicLifeThreads, TopicsGoAndComeBackUnderTheirAppenders) {
  start_appender(true);
  start_appender(false);
  start_reader();
  for (int round = 0; round < 8; ++round) {
    wait_for_more(50);
    log->delete_topic("events").value();
    log->create_topic(small_segments("events")).value();
  }
  wait_for_more(50);
  stop();
  log.reset();
  EXPECT_EQ(submitted, completed);
  log = open_local(directory / "data").value();
  EXPECT_GE(log->ends(kPartition)->committed.value(), 50);
}

TEST_F(TopicLifeThreads, RecordsGoAndSettingsChangeUnderAppendersAndReaders) {
  start_appender(true);
  start_appender(false);
  start_reader();
  LocalOptions options;
  options.read_only = true;
  const auto tail = open_local(directory / "data", options).value();
  for (int round = 0; round < 8; ++round) {
    wait_for_more(100);
    const Offset below{log->ends(kPartition)->committed.value() - round % 3};
    EXPECT_EQ(log->delete_records(kPartition, below).value(), below);
    TopicChange change;
    change.ack_level = round % 2 == 0 ? AckLevel::isr_sync : AckLevel::isr;
    change.segment_bytes = 16384u << (round % 3);
    log->alter_topic("events", change).value();
    log->add_partitions("events", round + 2).value();
    const Result<Ends> ends = tail->ends(kPartition);
    const Result<Fetched> read = tail->read(kPartition, ends->start, 4096);
    EXPECT_TRUE(read || read.error() == Errc::offset_out_of_range) << read.error();
  }
  stop();
  const std::int64_t start = log->ends(kPartition)->start.value();
  log.reset();
  EXPECT_EQ(submitted, completed);
  log = open_local(directory / "data").value();
  EXPECT_EQ(log->ends(kPartition)->start.value(), start);
  EXPECT_EQ(log->topic("events")->spec.partitions, 9);
}

// Who is told may be changing topics while another thread waits for him, as it deletes one.
TEST(TopicChangesThreads, CompletionsMakeTopicsWhileOthersGo) {
  const test::SilentLog silent;
  const test::TempDirectory directory;
  const auto log = open_local(directory / "data").value();
  std::atomic<int> under_way = 0;
  std::atomic<int> made = 0;
  for (int round = 0; round < 150; ++round) {
    const TopicPartition going{"going", PartitionId{0}};
    ASSERT_TRUE(log->create_topic(small_segments(going.topic)));
    for (int i = 0; i < 8; ++i) {
      ++under_way;
      log->append(append_of(going, "k", "v"), [&, round](const Result<Appended>&) {
        made += log->create_topic(small_segments("made-" + std::to_string(round % 20))) ? 1 : 0;
        --under_way;
      });
    }
    ASSERT_TRUE(log->delete_topic(going.topic));
  }
  while (under_way > 0) std::this_thread::yield();
  EXPECT_EQ(made, 150 * 8);
}

}  // namespace
}  // namespace lungo
