// Goal: producers on threads of their own, whose batches queue behind each other's syncs and come twice, each find their
// records in the log once and in order.
#include <gtest/gtest.h>

#include <thread>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "producer_batches.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

TEST(AppendBatchThreads, EachBatchIsThereOnceAndInOrder) {
  constexpr int kProducers = 6;
  constexpr int kBatches = 60;
  const TempDirectory directory;
  const TopicPartition orders{"orders", PartitionId{0}};
  const std::shared_ptr<EventLog> log = open_local(directory / "data").value();
  TopicSpec spec;
  spec.name = orders.topic;
  spec.partitions = 1;
  spec.streams = true;
  spec.segment_bytes = 16u << 10;
  log->create_topic(spec).value();

  std::vector<std::thread> threads;
  for (int producer = 0; producer < kProducers; ++producer) {
    threads.emplace_back([&, producer] {
      const std::shared_ptr<Appender> appender = log->appender(orders).value();
      for (int i = 0; i < kBatches; ++i) {
        const Bytes batch = encode(produced_by(producer, i * 2, 2));
        const Result<Appended> first = appender->append_batch(batch);
        ASSERT_TRUE(first) << first.error();
        ASSERT_FALSE(first->repeated);
        if (i % 3 == 0) {
          ASSERT_TRUE(appender->append_wait({.timestamp = {}, .key = {}, .value = as_bytes("plain")}));
        }
        const Result<Appended> again = appender->append_batch(batch);
        ASSERT_TRUE(again) << again.error();
        ASSERT_TRUE(again->repeated);
        ASSERT_EQ(again->first, first->first);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::vector<int> next(kProducers);
  int plain = 0;
  for (const std::string& value : values_of(*log, orders)) {
    if (value == "plain") ++plain;
    if (value == "plain") continue;
    const auto producer = static_cast<std::size_t>(std::stoi(value.substr(0, value.find('/'))));
    EXPECT_EQ(value, std::to_string(producer) + "/0/" + std::to_string(next[producer]++));
  }
  EXPECT_EQ(next, std::vector<int>(kProducers, kBatches * 2));
  EXPECT_EQ(plain, kProducers * kBatches / 3);
}

}  // namespace
}  // namespace lungo::test
