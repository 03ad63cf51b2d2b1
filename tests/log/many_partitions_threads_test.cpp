// Goal: partitions at rest that many threads use for the first time at once are opened once, whatever becomes of their topic
// meanwhile. For the thread sanitizer, too.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr std::int32_t kPartitions = 8;
constexpr int kThreads = 6;

TopicPartition partition(std::int32_t number) { return {"many", PartitionId{number}}; }

TopicSpec spec() {
  TopicSpec spec;
  spec.name = "many";
  spec.partitions = kPartitions;
  spec.ack_level = AckLevel::isr;
  return spec;
}

/// A log whose partitions have a record each, and are at rest.
std::shared_ptr<EventLog> at_rest(const std::string& directory, LocalOptions options = {}) {
  {
    const auto log = open_local(directory).value();
    log->create_topic(spec()).value();
    for (std::int32_t i = 0; i < kPartitions; ++i) append_wait(*log, append_of(partition(i), "k", "first")).value();
  }
  return open_local(directory, options).value();
}

void on_threads(const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
}

TEST(ManyPartitionsThreads, AFirstUseByManyIsOne) {
  const QuietLog quiet;
  const TempDirectory directory;
  const std::shared_ptr<EventLog> log = at_rest(directory / "data");
  on_threads([&](int thread) {
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      const bool is_altered = thread != 0 || log->alter_topic("many", {.segment_bytes = 1'000'000u + static_cast<unsigned>(i)});
      EXPECT_TRUE(is_altered);
      const bool reads = thread % 2 == 0;
      EXPECT_EQ(reads ? values_of(*log, partition(i)).front() : "first", "first");
      EXPECT_TRUE(append_wait(*log, append_of(partition(i), "k", "more")));
    }
  });
  for (std::int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(values_of(*log, partition(i)).size(), 1u + kThreads);
}

// The scrub opens and closes what the others are about to use.
TEST(ManyPartitionsThreads, WhatIsPutToRestIsOpenedAgainForWhoComes) {
  const QuietLog quiet;
  const TempDirectory directory;
  for (int round = 0; round < 5; ++round) {
    const std::shared_ptr<EventLog> log = at_rest(directory / std::to_string(round), {.scrub_bytes_per_second = 20'000});
    on_threads([&](int thread) {
      for (std::int32_t i = kPartitions; i-- > 0;) {
        const std::int32_t number = (i + thread) % kPartitions;
        EXPECT_EQ(values_of(*log, partition(number)).front(), "first");
        const Result<Appended> appended = append_wait(*log, append_of(partition(number), "k", "more"));
        EXPECT_TRUE(appended) << appended.error();
      }
    });
    for (std::int32_t i = 0; i < kPartitions; ++i) EXPECT_EQ(values_of(*log, partition(i)).size(), 1u + kThreads);
  }
}

// The flusher's thread comes by the partitions that are being closed.
TEST(ManyPartitionsThreads, ACompletionMayUseWhatIsBeingPutToRest) {
  const QuietLog quiet;
  const TempDirectory directory;
  for (int round = 0; round < 5; ++round) {
    const std::shared_ptr<EventLog> log = at_rest(directory / std::to_string(round), {.scrub_bytes_per_second = 20'000});
    std::atomic<int> done{0};
    std::function<void(std::int32_t)> append_from = [&](std::int32_t number) {
      if (number == kPartitions) return static_cast<void>(++done);
      log->append(append_of(partition(number), "k", "more"), [&, number](const Result<Appended>& appended) {
        EXPECT_TRUE(appended) << appended.error();
        append_from(number + 1);
      });
    };
    for (int chain = 0; chain < kThreads; ++chain) append_from(0);
    const Ports ports = log->ports();
    EXPECT_TRUE(
        ports.executor.wait_until([&] { return done == kThreads; }, ports.clock.monotonic() + std::chrono::seconds{20}));
  }
}

TEST(ManyPartitionsThreads, ATopicMayGoWhileItsPartitionsAreOpened) {
  const QuietLog quiet;
  const TempDirectory directory;
  for (int round = 0; round < 3; ++round) {
    const std::shared_ptr<EventLog> log = at_rest(directory / std::to_string(round));
    on_threads([&](int thread) {
      if (thread == 0) {
        EXPECT_TRUE(log->delete_topic("many"));
        EXPECT_TRUE(log->create_topic(spec()));
        return;
      }
      for (std::int32_t i = kPartitions; i-- > 0;) {
        const Result<Fetched> read = log->read(partition(i), Offset{0}, 1000);
        EXPECT_TRUE(read || read.error() == Errc::not_found) << read.error();
        const Result<Appended> appended = append_wait(*log, append_of(partition(i), "k", "more"));
        EXPECT_TRUE(appended || appended.error() == Errc::not_found) << appended.error();
      }
    });
    for (std::int32_t i = 0; i < kPartitions; ++i) {
      for (const std::string& value : values_of(*log, partition(i)))
        EXPECT_EQ(value, "more") << "of the topic that was deleted";
    }
  }
}

}  // namespace
}  // namespace lungo::test
