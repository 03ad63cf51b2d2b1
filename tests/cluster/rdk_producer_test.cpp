#include "client/rdk_producer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <lungo/log/check.hpp>

#include "mock_cluster.hpp"
#include "recording_listener.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

const TopicPartition kEvents0{"events", PartitionId{0}};
const TopicPartition kEvents1{"events", PartitionId{1}};

RecordFields record_at(std::int64_t ms, std::string_view value) {
  return {.timestamp = Timestamp{std::chrono::milliseconds{ms}}, .key = as_bytes("k"), .value = as_bytes(value)};
}

std::vector<RdkDelivery> by_token(std::vector<RdkDelivery> deliveries) {
  std::ranges::sort(deliveries, {}, &RdkDelivery::token);
  return deliveries;
}

class RdkProducerTest : public testing::Test {
 protected:
  RdkProducerTest() { cluster.create_topic("events", 2); }

  std::unique_ptr<RdkProducer> producer_of(const RdkOptions& options, const std::string& id = "shop.w.1") {
    return RdkProducer::open(options, id, cluster.causes()).value();
  }
  std::unique_ptr<RdkProducer> ready(const std::string& id = "shop.w.1") {
    auto producer = producer_of(cluster.options(), id);
    const RdkOutcome outcome = producer->init(10s);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    return producer;
  }

  MockCluster cluster;
};

TEST_F(RdkProducerTest, ATransactionTellsEachRecordsOffsetByItsToken) {
  const auto producer = ready();
  for (std::int64_t round = 0; round < 2; ++round) {
    ASSERT_TRUE(producer->begin().ok());
    for (std::uint64_t token = 0; token < 3; ++token) {
      ASSERT_TRUE(producer->produce(token == 1 ? kEvents1 : kEvents0, record_at(1000, "v"), token));
    }
    ASSERT_TRUE(producer->wait_for_acks(10s));
    const RdkOutcome outcome = producer->commit();
    ASSERT_TRUE(outcome.ok()) << outcome.error;
    const std::vector<RdkDelivery> deliveries = by_token(producer->poll(0s));
    ASSERT_EQ(deliveries.size(), 3u);
    EXPECT_EQ(deliveries[0].offset, Offset{2 * round});
    EXPECT_EQ(deliveries[1].offset, Offset{round});
    EXPECT_EQ(deliveries[2].offset, Offset{2 * round + 1});
    for (const RdkDelivery& delivery : deliveries) EXPECT_FALSE(delivery.error) << *delivery.error;
    EXPECT_TRUE(producer->poll(0s).empty()) << "each is told once";
  }
}

TEST_F(RdkProducerTest, PollWaitsForTheFirst) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 7));
  const std::vector<RdkDelivery> deliveries = producer->poll(10s);
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].token, 7u);
}

TEST_F(RdkProducerTest, WithoutAnIdItIsIdempotentOnly) {
  const auto producer = producer_of(cluster.options(), "");
  ASSERT_TRUE(producer->warm_up({"events"}, 10s));
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  ASSERT_TRUE(producer->wait_for_acks(10s));
  EXPECT_EQ(producer->poll(0s).at(0).offset, Offset{0});
  EXPECT_EQ(producer->begin().next, RdkNext::make_anew);
}

TEST_F(RdkProducerTest, OffsetsAreSomeMembers) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  EXPECT_THROW((void)producer->send_offsets({{.partition = kEvents0, .offset = Offset{1}}}, RdkGroupMetadata{}),
               invariant_broken);
}

TEST_F(RdkProducerTest, AnOldGenerationIsToBeAbortedAndTheProducerGoesOn) {
  RecordingListener listener;
  const auto group = RdkGroup::open(cluster.options(), "shop.writers", listener, cluster.causes()).value();
  ASSERT_TRUE(group->subscribe({"events"}));
  ASSERT_TRUE(listener.poll_until(*group, [&] { return !listener.owned.empty(); }));
  const auto producer = ready();
  for (const rd_kafka_resp_err_t code : {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID}) {
    ASSERT_TRUE(producer->begin().ok());
    ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
    ASSERT_TRUE(producer->wait_for_acks(10s));
    cluster.fail(MockApi::txn_offset_commit, {code});
    const RdkOutcome sent = producer->send_offsets({{.partition = kEvents0, .offset = Offset{1}}}, listener.metadata);
    EXPECT_EQ(sent.next, RdkNext::abort);
    EXPECT_EQ(sent.error, Errc::not_owner) << sent.error;
    EXPECT_EQ(producer->commit().next, RdkNext::abort) << "nothing else is of use";
    const RdkOutcome aborted = producer->abort();
    ASSERT_TRUE(aborted.ok()) << aborted.error;
  }
  ASSERT_TRUE(producer->begin().ok());
  ASSERT_TRUE(producer->commit().ok());
}

TEST_F(RdkProducerTest, AFencedOneIsToBeMadeAnew) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  ASSERT_TRUE(producer->wait_for_acks(10s));
  cluster.fail(MockApi::end_txn, {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH});
  const RdkOutcome outcome = producer->commit();
  EXPECT_EQ(outcome.next, RdkNext::make_anew);
  EXPECT_EQ(outcome.error, Errc::producer_fenced) << outcome.error;
  EXPECT_EQ(producer->begin().error, Errc::producer_fenced) << "it stays so, and says why";
  EXPECT_EQ(producer->produce(kEvents0, record_at(1000, "v"), 2).error(), Errc::producer_fenced);
  EXPECT_TRUE(ready()->begin().ok()) << "a new one of the same id is";
}

TEST_F(RdkProducerTest, ARecordThatFailsEndsItsTransactionAndSaysWhy) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  cluster.fail(MockApi::produce, {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED});
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  ASSERT_TRUE(producer->wait_for_acks(10s)) << "it has failed, so nothing is under way";
  const RdkOutcome outcome = producer->commit();
  EXPECT_EQ(outcome.next, RdkNext::abort);
  EXPECT_EQ(
      to_string(outcome.error),
      "io: no right to write to topic events; kafka-acls.sh --add --allow-principal User:ANONYMOUS --topic events --operation "
      "Write");
  const std::vector<RdkDelivery> deliveries = producer->poll(0s);
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].error->text(), outcome.error.text());
  EXPECT_FALSE(deliveries[0].may_be_written);
  ASSERT_TRUE(producer->abort().ok());
}

TEST_F(RdkProducerTest, APartitionThatMayNotBeInATransactionEndsIt) {
  const auto producer = ready();
  ASSERT_TRUE(producer->warm_up({"events"}, 10s));
  ASSERT_TRUE(producer->begin().ok());
  cluster.fail_topic("events", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  std::optional<Error> ended;
  for (int i = 0; i < 500 && !ended; ++i) {
    static_cast<void>(producer->wait_for_acks(20ms));
    ended = producer->ended_by();
  }
  ASSERT_TRUE(ended);
  EXPECT_EQ(to_string(*ended),
            "io: no right to write to topic events; kafka-acls.sh --add --allow-principal User:ANONYMOUS --topic events "
            "--operation Write");
  const RdkOutcome outcome = producer->commit();
  EXPECT_EQ(outcome.next, RdkNext::abort);
  EXPECT_EQ(outcome.error, Errc::io) << outcome.error;
  EXPECT_NE(outcome.error.text().find("Failed to add partition(s)"), std::string_view::npos) << outcome.error;
  EXPECT_NE(outcome.error.text().find("--topic NAME"), std::string_view::npos) << outcome.error;
  ASSERT_TRUE(producer->abort().ok());
}

TEST_F(RdkProducerTest, AnIdThatMayNotBeUsedIsSaid) {
  const auto producer = producer_of(cluster.options());
  cluster.fail(MockApi::init_producer_id, {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
  const RdkOutcome outcome = producer->init(10s);
  EXPECT_EQ(outcome.next, RdkNext::make_anew);
  EXPECT_EQ(outcome.error.text(),
            "no right to write under transactional id shop.w.1; kafka-acls.sh --add --allow-principal User:ANONYMOUS "
            "--resource-pattern-type prefixed --transactional-id shop. --operation Write");
}

TEST_F(RdkProducerTest, WhatIsAbortedIsToldAsCanceled) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  cluster.all_down();
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  cluster.all_up();
  ASSERT_TRUE(producer->abort().ok());
  const std::vector<RdkDelivery> deliveries = producer->poll(0s);
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].error, Errc::canceled);
  EXPECT_FALSE(deliveries[0].offset);
}

// librdkafka alone aborts the process in one of ten.
TEST_F(RdkProducerTest, AHandleMayGoInMidTransaction) {
  for (int i = 0; i < 50; ++i) {
    const auto producer = ready();
    ASSERT_TRUE(producer->begin().ok());
    ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  }
}

TEST_F(RdkProducerTest, RecordsBelongIntoATransaction) {
  const auto producer = ready();
  EXPECT_EQ(producer->produce(kEvents0, record_at(1000, "v"), 1).error(), Errc::canceled);
  EXPECT_TRUE(producer->poll(0s).empty());
}

TEST_F(RdkProducerTest, WhatKafkaCouldNotGiveBackIsRefused) {
  const auto producer = ready();
  ASSERT_TRUE(producer->begin().ok());
  EXPECT_EQ(producer->produce(kEvents0, record_at(0, "v"), 1).error(), Errc::invalid_argument);
  EXPECT_TRUE(producer->produce(kEvents0, record_at(-5, "v"), 1));
  EXPECT_TRUE(producer->produce(kEvents0, record_at(1, "v"), 1));
  const Error error = producer->produce(kEvents0, record_at(1000, std::string(20'000'000, 'x')), 1).error();
  EXPECT_EQ(error, Errc::too_large) << error;
}

TEST_F(RdkProducerTest, AFullQueueIsBusyUntilItIsPolled) {
  RdkOptions options = cluster.options();
  options.client.push_back({"linger.ms", "9000"});
  const auto producer = producer_of(options);
  ASSERT_TRUE(producer->init(10s).ok());
  ASSERT_TRUE(producer->begin().ok());
  Result<void> produced;
  std::uint64_t taken = 0;
  while ((produced = producer->produce(kEvents0, record_at(1000, ""), taken))) ++taken;
  EXPECT_EQ(produced.error(), Errc::busy);
  EXPECT_GE(taken, 100'000u);
  ASSERT_TRUE(producer->wait_for_acks(20s));
  EXPECT_EQ(producer->poll(0s).size(), taken);
  EXPECT_TRUE(producer->produce(kEvents0, record_at(1000, ""), taken));
}

TEST_F(RdkProducerTest, WithoutBrokersATransactionEndsByItsTimeOutAndGoesOnAfterwards) {
  RdkOptions options = cluster.options();
  options.transaction_timeout = 1s;
  const auto producer = producer_of(options);
  ASSERT_TRUE(producer->init(10s).ok());
  ASSERT_TRUE(producer->begin().ok());
  cluster.all_down();
  ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
  EXPECT_FALSE(producer->wait_for_acks(100ms));
  RdkOutcome outcome = producer->commit();
  EXPECT_EQ(outcome.next, RdkNext::abort) << outcome.error;
  EXPECT_EQ(outcome.error, Errc::timed_out) << outcome.error;
  cluster.all_up();
  do outcome = producer->abort();
  while (outcome.next == RdkNext::call_again);
  ASSERT_TRUE(outcome.ok()) << outcome.error;
  ASSERT_TRUE(producer->begin().ok());
  ASSERT_TRUE(producer->commit().ok());
}

// librdkafka itself waits for ever here, where it is told to wait for what is left of the transaction's time.
TEST_F(RdkProducerTest, WithoutBrokersCommitAndAbortReturnAndAreResumed) {
  const auto producer = ready();
  for (const bool is_commit : {true, false}) {
    SCOPED_TRACE(is_commit);
    const auto end = [&](Duration timeout) { return is_commit ? producer->commit(timeout) : producer->abort(timeout); };
    ASSERT_TRUE(producer->begin().ok());
    ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
    ASSERT_TRUE(producer->wait_for_acks(10s));
    cluster.all_down();
    const RdkOutcome outcome = end(100ms);
    EXPECT_EQ(outcome.next, RdkNext::call_again) << outcome.error;
    if (is_commit) {
      EXPECT_EQ(producer->abort(100ms).next, RdkNext::call_again);
    }
    cluster.all_up();
    RdkOutcome resumed = end(10s);
    for (int i = 0; i < 5 && resumed.next == RdkNext::call_again; ++i) resumed = end(10s);
    EXPECT_TRUE(resumed.ok()) << resumed.error;
  }
}

TEST(RdkProducer, AHandleGoesWithoutBrokersInMidCommit) {
  std::unique_ptr<RdkProducer> producer;
  {
    MockCluster cluster;
    cluster.create_topic("events", 2);
    producer = RdkProducer::open(cluster.options(), "shop.w.1", cluster.causes()).value();
    ASSERT_TRUE(producer->init(10s).ok());
    ASSERT_TRUE(producer->begin().ok());
    ASSERT_TRUE(producer->produce(kEvents0, record_at(1000, "v"), 1));
    ASSERT_TRUE(producer->wait_for_acks(10s));
    cluster.all_down();
    EXPECT_EQ(producer->commit(100ms).next, RdkNext::call_again);
    const auto begin = std::chrono::steady_clock::now();
    producer.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
  }
}

TEST(RdkProducer, InitIsCalledAgainWhereNobodyAnswers) {
  PosixPorts ports;
  const RdkOptions options{.hosts = "127.0.0.1:1"};
  const auto producer =
      RdkProducer::open(options, "shop.w.1", std::make_shared<BrokerCauses>(options, ports.ports().clock)).value();
  const RdkOutcome outcome = producer->init(500ms);
  EXPECT_EQ(outcome.next, RdkNext::call_again);
  EXPECT_EQ(to_string(outcome.error),
            "io: no broker answers at 127.0.0.1:1 (connection refused); is Kafka running, and is that its port?");
}

}  // namespace
}  // namespace lungo::test
