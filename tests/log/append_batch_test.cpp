// Goal: a producer's batch goes into the embedded log by the same road as all appends, with the same promises: what its topic
// asks for, what the call waits for, once only, across restarts.
#include <gtest/gtest.h>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "producer_batches.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

const TopicPartition kOrders{"orders", PartitionId{0}};

TopicSpec orders() {
  TopicSpec spec;
  spec.name = kOrders.topic;
  spec.partitions = 1;
  return spec;
}

class AppendBatch : public testing::Test {
 protected:
  AppendBatch() { open(); }

  void open() {
    appender.reset();
    log.reset();
    log = open_local("/data", {.ports = &ports}).value();
  }
  void make(const TopicSpec& spec) {
    log->create_topic(spec).value();
    appender = log->appender(kOrders).value();
  }
  Result<Appended> produce(const Produced& produced, const AppenderOptions& options = {}) {
    return appender->append_batch(encode(produced), options);
  }

  Simulation machine{1};
  const Ports ports = machine.ports();
  std::shared_ptr<EventLog> log;
  std::shared_ptr<Appender> appender;
};

TEST_F(AppendBatch, IsReadBackAmongTheOthers) {
  make(orders());
  EXPECT_EQ(appender->append_wait({.timestamp = {}, .key = {}, .value = as_bytes("plain")})->first, Offset{0});
  const Appended appended = produce(produced_by(1, 0, 2)).value();
  EXPECT_EQ(appended.first, Offset{1});
  EXPECT_EQ(appended.end, Offset{3});
  EXPECT_FALSE(appended.repeated);
  EXPECT_EQ(values_of(*log, kOrders), (std::vector<std::string>{"plain", "1/0/0", "1/0/1"}));
}

TEST_F(AppendBatch, IsWrittenOnceHoweverOftenItComes) {
  make(orders());
  ASSERT_TRUE(produce(produced_by(1, 0)));
  ASSERT_TRUE(produce(produced_by(1, 1)));
  EXPECT_TRUE(produce(produced_by(1, 0))->repeated);
  open();
  appender = log->appender(kOrders).value();
  EXPECT_TRUE(produce(produced_by(1, 0))->repeated) << "after a clean stop";
  EXPECT_EQ(produce(produced_by(1, 3)).error(), Errc::out_of_sequence);
  EXPECT_EQ(produce(produced_by(1, 0, 1, 1))->first, Offset{2});
  EXPECT_EQ(produce(produced_by(1, 2)).error(), Errc::producer_fenced);
  EXPECT_EQ(values_of(*log, kOrders).size(), 3u);
}

// The one that was there first may be written only: the answer to the second must not promise more than there is.
TEST_F(AppendBatch, OneThatComesAgainWaitsForTheSyncOfTheFirst) {
  make(orders());
  ASSERT_TRUE(produce(produced_by(1, 0), {.durability = Durability::written}));
  EXPECT_EQ(log->ends(kOrders)->synced, Offset{0});
  const Appended again = produce(produced_by(1, 0)).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(log->ends(kOrders)->synced, Offset{1});
  EXPECT_EQ(log->ends(kOrders)->committed, Offset{1});
}

TEST_F(AppendBatch, OneThatComesAgainFailsWhereTheSyncDoes) {
  const QuietLog quiet;
  make(orders());
  ASSERT_TRUE(produce(produced_by(1, 0), {.durability = Durability::written}));
  machine.disk.fail_step(machine.disk.steps() + 1, Errc::io, true);
  EXPECT_EQ(produce(produced_by(1, 0)).error(), Errc::partition_failed);
  EXPECT_EQ(produce(produced_by(1, 1)).error(), Errc::partition_failed);
}

TEST_F(AppendBatch, TakesNoCondition) {
  TopicSpec spec = orders();
  spec.streams = true;
  make(spec);
  const Condition condition{.key = "k", .as_of = Offset{0}};
  EXPECT_EQ(produce(Produced{}, {.condition = &condition}).error(), Errc::unsupported);
  EXPECT_EQ(produce(Produced{}, {.since = Offset{0}}).error(), Errc::unsupported);
}

TEST_F(AppendBatch, IsFoundByItsKeysOnAStreamTopic) {
  TopicSpec spec = orders();
  spec.streams = true;
  make(spec);
  ASSERT_TRUE(produce(produced_by(1, 0, 3)));
  EXPECT_EQ(log->read_key(kOrders, "p1", Offset{0}, Offset{3}, 10)->records.size(), 3u);
  EncodedRecords next = record("p1", "next");
  const Condition too_old{.key = "p1", .as_of = Offset{2}};
  EXPECT_EQ(appender->append_wait(next, {.condition = &too_old}).error(), Errc::conflict);
  const Condition current{.key = "p1", .as_of = Offset{3}};
  EXPECT_TRUE(appender->append_wait(next, {.condition = &current}));
}

TEST_F(AppendBatch, FollowsTheTopicsRules) {
  TopicSpec spec = orders();
  spec.compact = true;
  spec.batch_bytes_max = 200;
  make(spec);
  EXPECT_TRUE(produce(produced_by(1, 0)));
  EXPECT_EQ(produce(produced_by(1, 1, 20)).error(), Errc::too_large);
  EncodedRecords keyless;
  ASSERT_TRUE(keyless.add({.timestamp = {}, .key = {}, .value = as_bytes("v")}));
  EXPECT_EQ(appender->append_batch(keyless.stamp(Offset{0}, kNoEpoch)).error(), Errc::invalid_argument);
  Bytes flipped = encode(produced_by(1, 1));
  flipped.back() ^= std::byte{1};
  const Error error = appender->append_batch(flipped).error();
  EXPECT_EQ(error, Errc::corrupt);
  EXPECT_NE(error.text().find("orders-0"), std::string_view::npos) << error;
  EXPECT_EQ(log->ends(kOrders)->written, Offset{1});
}

TEST_F(AppendBatch, TheSettingsAreKeptAndNamedWhereTheyDiffer) {
  TopicSpec spec = orders();
  spec.timestamps = TimestampKind::log_append;
  spec.batch_bytes_max = 5000;
  spec.producer_expiry = std::chrono::minutes{5};
  make(spec);
  open();
  EXPECT_TRUE(log->create_topic(spec));
  EXPECT_EQ(log->topic(spec.name)->spec, spec);
  const auto refusal = [&](auto change) {
    TopicSpec other = spec;
    change(other);
    const Result<TopicInfo> made = log->create_topic(other);
    return made ? std::string{} : std::string(made.error().text());
  };
  EXPECT_NE(refusal([](TopicSpec& other) { other.timestamps = TimestampKind::create; }).find("timestamps=log_append"),
            std::string::npos);
  EXPECT_NE(refusal([](TopicSpec& other) { other.batch_bytes_max = 1; }).find("batch_bytes_max=5000"), std::string::npos);
  EXPECT_NE(refusal([](TopicSpec& other) { other.producer_expiry *= 2; }).find("producer_expiry=300000ms"), std::string::npos);
}

TEST_F(AppendBatch, TheLogsTimeIsWhatReadersGet) {
  TopicSpec spec = orders();
  spec.timestamps = TimestampKind::log_append;
  make(spec);
  machine.clock.advance(std::chrono::hours{1});
  const Timestamp first = machine.clock.now();
  ASSERT_TRUE(produce(produced_by(1, 0)));
  machine.clock.advance(std::chrono::hours{1});
  const Timestamp second = machine.clock.now();
  ASSERT_TRUE(appender->append_wait({.timestamp = {}, .key = {}, .value = as_bytes("plain")}));
  const Fetched fetched = log->read(kOrders, Offset{0}, 1000).value();
  RecordCursor records = fetched.records();
  EXPECT_EQ(records.next()->timestamp, first);
  EXPECT_EQ(records.next()->timestamp, second);
  EXPECT_EQ(log->offset_at(kOrders, second).value(), Offset{1});
}

TEST_F(AppendBatch, SettingsThatAreAlteredCountFromThenOnAndAfterARestart) {
  make(orders());
  ASSERT_TRUE(produce(produced_by(1, 0, 20)));
  TopicChange change;
  change.timestamps = TimestampKind::log_append;
  change.batch_bytes_max = 200;
  change.producer_expiry = std::chrono::hours{1};
  const TopicSpec altered = log->alter_topic(kOrders.topic, change)->spec;
  EXPECT_EQ(produce(produced_by(1, 20, 20)).error(), Errc::too_large);
  machine.clock.advance(std::chrono::minutes{59});
  EXPECT_EQ(produce(produced_by(1, 77)).error(), Errc::out_of_sequence) << "it is known";
  machine.clock.advance(std::chrono::minutes{1});
  const Timestamp time = machine.clock.now();
  EXPECT_TRUE(produce(produced_by(1, 77))) << "it has been silent for an hour";
  EXPECT_EQ(log->offset_at(kOrders, time).value(), Offset{20}) << "the log's time";

  open();
  EXPECT_EQ(log->topic(kOrders.topic)->spec, altered);
  appender = log->appender(kOrders).value();
  EXPECT_EQ(produce(produced_by(1, 78, 20)).error(), Errc::too_large);
  change = {};
  change.timestamps = TimestampKind::create;
  change.batch_bytes_max = 1;
  EXPECT_EQ(log->alter_topic(kOrders.topic, change).error(), Errc::invalid_argument);
  change.batch_bytes_max = orders().batch_bytes_max;
  ASSERT_TRUE(log->alter_topic(kOrders.topic, change));
  EXPECT_TRUE(produce(produced_by(1, 78, 20)));
}

TEST_F(AppendBatch, AHomeThatCannotSaysSo) {
  MemoryEventLog memory{ports};
  memory.create_topic(orders()).value();
  EXPECT_EQ(memory.appender(kOrders).value()->append_batch(encode(Produced{})).error(), Errc::unsupported);
}

}  // namespace
}  // namespace lungo::test
