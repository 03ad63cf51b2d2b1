// Reading a cluster's topics through the mirror, over real brokers.
#include <lungo/cluster/kafka.hpp>

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/kafka/brokers.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr PartitionId kFirst{0};

class KafkaReads : public testing::Test {
 protected:
  std::shared_ptr<EventLog> connect() {
    return connect_kafka(kafka_address(), "reads", {.directory = scratch.path() + "/local", .read_only = true}).value();
  }
  static std::vector<std::string> values(EventLog& log, const TopicPartition& partition) {
    std::vector<std::string> all;
    const Ends ends = log.ends(partition).value();
    for (Offset at = ends.start; at < ends.committed;) {
      const Fetched fetched = log.read(partition, at, 1 << 20).value();
      if (fetched.empty()) break;
      RecordCursor cursor = fetched.records();
      while (const RecordView* record = cursor.next()) all.emplace_back(as_text(record->value));
      at = fetched.next().offset;
    }
    return all;
  }

  /// Waits for these: a commit returns before its markers are written, and only then Kafka shows what it has committed.
  static std::vector<std::string> values(EventLog& log, const TopicPartition& partition, std::size_t count) {
    Ports ports = log.ports();
    static_cast<void>(ports.executor.wait_until([&] { return values(log, partition).size() >= count; },
                                                ports.clock.monotonic() + Brokers::kTimeout));
    return values(log, partition);
  }

  QuietLog quiet;
  TempDirectory scratch;
  Brokers brokers;
};

TEST_F(KafkaReads, WhatIsCommittedAndNothingElse) {
  const TopicPartition events{brokers.topic("committed"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, events).add("k", "a").add("k", "b").commit();
  Transaction(*producer, events).add("k", "dropped").abort();
  Transaction(*producer, events).add("k", "c").commit();
  const std::shared_ptr<EventLog> log = connect();
  EXPECT_EQ(values(*log, events, 3), (std::vector<std::string>{"a", "b", "c"}));
  Ports ports = log->ports();
  EXPECT_TRUE(ports.executor.wait_until([&] { return log->ends(events)->committed == Offset{7}; },
                                        ports.clock.monotonic() + Brokers::kTimeout))
      << "four records and three markers end at " << log->ends(events)->committed.value();
  EXPECT_EQ(log->ends(events)->start, Offset{0});
}

TEST_F(KafkaReads, EachAsItIsThere) {
  const TopicPartition events{brokers.topic("as-it-is"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  const std::string text = "x";
  const std::vector<HeaderView> headers{
      {.name = "a", .value = as_bytes(text)}, {.name = "a", .value = {}}, {.name = "b", .value = {}, .has_value = false}};
  const Timestamp time{std::chrono::milliseconds{1'234}};
  Transaction(*producer, events)
      .add({.timestamp = time, .key = as_bytes(text), .value = std::nullopt, .headers = headers})
      .add({.timestamp = time, .key = std::nullopt, .value = BytesView{}, .headers = {}})
      .add({.timestamp = time, .key = BytesView{}, .value = as_bytes(text), .headers = {}})
      .commit();
  const std::shared_ptr<EventLog> log = connect();
  ASSERT_EQ(values(*log, events, 3).size(), 3U);
  const Fetched fetched = log->read(events, Offset{0}, 1 << 20).value();
  RecordCursor cursor = fetched.records();
  const RecordView first = *cursor.next();
  EXPECT_EQ(first.timestamp, time);
  EXPECT_FALSE(first.has_value);
  EXPECT_EQ(first.header_count, 3);
  HeaderCursor walk{first};
  EXPECT_EQ(as_text(walk.next()->value), "x");
  EXPECT_TRUE(walk.next()->has_value);
  EXPECT_FALSE(walk.next()->has_value);
  const RecordView second = *cursor.next();
  EXPECT_FALSE(second.has_key);
  EXPECT_TRUE(second.has_value);
  const RecordView third = *cursor.next();
  EXPECT_TRUE(third.has_key);
  EXPECT_TRUE(third.key.empty());
}

TEST_F(KafkaReads, WhatComesIsTold) {
  const TopicPartition events{brokers.topic("comes"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, events).add("k", "a").commit();
  const std::shared_ptr<EventLog> log = connect();
  ASSERT_EQ(values(*log, events, 1).size(), 1U);
  const Offset end = log->ends(events)->committed;
  std::atomic<bool> told{false};
  const EventLog::NotifyToken token = log->notify_above(events, end, [&] { told = true; });
  EXPECT_FALSE(told);
  Transaction(*producer, events).add("k", "b").commit();
  Ports ports = log->ports();
  EXPECT_TRUE(ports.executor.wait_until([&] { return told.load() && values(*log, events).size() == 2; },
                                        ports.clock.monotonic() + std::chrono::seconds{20}));
}

TEST_F(KafkaReads, GoOnFromTheMirrorOrWithoutIt) {
  const TopicPartition events{brokers.topic("again"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, events).add("k", "a").commit();
  EXPECT_EQ(values(*connect(), events, 1), std::vector<std::string>{"a"});
  Transaction(*producer, events).add("k", "b").commit();
  EXPECT_EQ(values(*connect(), events, 2), (std::vector<std::string>{"a", "b"}));
  std::filesystem::remove_all(scratch.path() + "/local");
  EXPECT_EQ(values(*connect(), events, 2), (std::vector<std::string>{"a", "b"}));
}

TEST_F(KafkaReads, BeginWhereTheTopicDoes) {
  const TopicPartition events{brokers.topic("trimmed"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, events).add("k", "a").add("k", "b").add("k", "c").commit();
  ASSERT_EQ(values(*connect(), events, 3).size(), 3U);
  const Position position{connect()->topic(events.topic)->id, kFirst, Offset{1}, kNoEpoch};
  EXPECT_EQ(brokers.admin->delete_records(events, Offset{2}, Brokers::kTimeout).value(), Offset{2});
  const std::shared_ptr<EventLog> log = connect();
  EXPECT_EQ(values(*log, events, 1), std::vector<std::string>{"c"});
  EXPECT_EQ(log->ends(events)->start, Offset{2});
  EXPECT_EQ(log->read(events, Offset{1}, 100).error(), Errc::offset_out_of_range);
  EXPECT_EQ(log->validate(events.topic, position).error(), Errc::history_trimmed);
}

TEST_F(KafkaReads, AStoredPositionKnowsATopicThatWasMadeAnew) {
  const TopicPartition events{brokers.topic("anew"), kFirst};
  std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, events).add("k", "a").add("k", "b").commit();
  std::shared_ptr<EventLog> log = connect();
  ASSERT_EQ(values(*log, events, 2).size(), 2U);
  const Position read = log->read(events, Offset{0}, 1 << 20)->next();
  const Position stored = log->to_store(events.topic, {read.topic, kFirst, Offset{2}, read.epoch}).value();
  EXPECT_TRUE(log->validate(events.topic, stored));
  log.reset();

  brokers.admin->delete_topic(events.topic, Brokers::kTimeout).value();
  const auto made_again = [&] { return brokers.admin->create_topic({.name = events.topic}, Brokers::kTimeout).has_value(); };
  Ports ports = brokers.ports.ports();
  ASSERT_TRUE(ports.executor.wait_until(made_again, ports.clock.monotonic() + Brokers::kTimeout));
  producer = brokers.producer();
  Transaction(*producer, events).add("k", "other").add("k", "history").commit();
  log = connect();
  EXPECT_EQ(values(*log, events, 2), (std::vector<std::string>{"other", "history"}));
  EXPECT_EQ(log->validate(events.topic, stored).error(), Errc::position_diverged);
}

// The copy of before is thrown away then, and filled again: nobody reads the half of it.
TEST_F(KafkaReads, ATopicThatIsMadeAnewBelowThemIsReadWhole) {
  const TopicPartition events{brokers.topic("anew"), kFirst};
  std::unique_ptr<RdkProducer> producer = brokers.producer();
  constexpr std::size_t kBefore = 30;
  constexpr std::size_t kBehind = 20;
  Transaction first{*producer, events};
  for (std::size_t i = 0; i < kBefore; ++i) first.add("k", "before");
  first.commit();
  const std::shared_ptr<EventLog> log = connect();
  ASSERT_EQ(values(*log, events, kBefore).size(), kBefore);
  brokers.admin->delete_topic(events.topic, Brokers::kTimeout).value();
  Ports ports = brokers.ports.ports();
  const auto made_again = [&] { return brokers.admin->create_topic({.name = events.topic}, Brokers::kTimeout).has_value(); };
  ASSERT_TRUE(ports.executor.wait_until(made_again, ports.clock.monotonic() + Brokers::kTimeout));
  producer = brokers.producer();
  Transaction second{*producer, events};
  for (std::size_t i = 0; i < kBehind; ++i) second.add("k", "behind");
  second.commit();
  const Instant deadline = ports.clock.monotonic() + Brokers::kTimeout;
  std::size_t last = kBefore;
  while (last != kBehind && ports.clock.monotonic() < deadline) {
    const Result<Ends> ends = log->ends(events);
    if (!ends) continue;  // it is filled, or not known to be there yet
    last = values(*log, events).size();
    EXPECT_TRUE(last == kBefore || last == kBehind) << last;
  }
  EXPECT_EQ(last, kBehind);
}

TEST_F(KafkaReads, ATimeFindsItsRecord) {
  const TopicPartition events{brokers.topic("times"), kFirst};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  const auto at = [](int ms) { return Timestamp{std::chrono::milliseconds{ms}}; };
  const std::string text = "x";
  Transaction(*producer, events)
      .add({.timestamp = at(1'000), .key = std::nullopt, .value = as_bytes(text), .headers = {}})
      .add({.timestamp = at(2'000), .key = std::nullopt, .value = as_bytes(text), .headers = {}})
      .commit();
  const std::shared_ptr<EventLog> log = connect();
  ASSERT_EQ(values(*log, events, 2).size(), 2U);
  EXPECT_EQ(log->offset_at(events, at(1'500)).value(), Offset{1});
  EXPECT_EQ(log->offset_at(events, at(3'000)).value(), std::nullopt);
}

TEST_F(KafkaReads, NothingIsMadeByReading) {
  const std::shared_ptr<EventLog> log = connect();
  const std::string name = brokers.name("nobody-made-it");
  EXPECT_EQ(log->topic(name).error(), Errc::not_found);
  EXPECT_EQ(log->read({name, kFirst}, Offset{0}, 100).error(), Errc::not_found);
  EXPECT_EQ(brokers.admin->topic(name, Brokers::kTimeout).error(), Errc::not_found);
  const TopicPartition events{brokers.topic("one-partition"), kFirst};
  EXPECT_EQ(log->ends({events.topic, PartitionId{1}}).error(), Errc::not_found);
}

TEST_F(KafkaReads, NothingIsWritten) {
  const TopicPartition events{brokers.topic("read-only"), kFirst};
  const std::shared_ptr<EventLog> log = connect();
  EXPECT_TRUE(log->read_only());
  EXPECT_EQ(log->create_topic({.name = "mine"}).error(), Errc::unsupported);
  EXPECT_EQ(log->delete_topic(events.topic).error(), Errc::unsupported);
  AppendRequest request{.to = events};
  request.records.add({.timestamp = Timestamp{}, .key = std::nullopt, .value = BytesView{}, .headers = {}}).value();
  EXPECT_EQ(append_wait(*log, std::move(request)).error(), Errc::unsupported);
}

TEST_F(KafkaReads, OneProcessHasAMirror) {
  const std::shared_ptr<EventLog> log = connect();
  const Result<std::shared_ptr<EventLog>> second =
      connect_kafka(kafka_address(), "reads", {.directory = scratch.path() + "/local", .read_only = true});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), Errc::locked);
}

}  // namespace
}  // namespace lungo::test
