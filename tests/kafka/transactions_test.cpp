#include "broker_test.hpp"

namespace lungo::test {
namespace {

class KafkaTransactions : public BrokerTest {
 protected:
  void write(RdkProducer& writer, const TopicPartition& to, int records) {
    for (int i = 0; i < records; ++i) {
      Result<void> produced = writer.produce(to, record_of("v"), 0);
      while (!produced && produced.error() == Errc::busy) {
        (void)writer.poll(10ms);
        produced = writer.produce(to, record_of("v"), 0);
      }
      ASSERT_TRUE(produced) << produced.error();
    }
    ASSERT_TRUE(writer.wait_for_acks(60s));
    (void)writer.poll(0s);
  }
  void write_committed(RdkProducer& writer, const TopicPartition& to, int records) {
    ASSERT_TRUE(writer.begin().ok());
    write(writer, to, records);
    const RdkOutcome outcome = writer.commit();
    ASSERT_TRUE(outcome.ok()) << outcome.error;
  }
};

TEST_F(KafkaTransactions, ATailSeesWhatIsCommittedAndEndsBehindTheMarkers) {
  const TopicPartition to{topic(), PartitionId{0}};
  const auto writer = producer(name("w"));
  write_committed(*writer, to, 2);  // 0 1, marker 2
  TailOf tail(options, causes, to);
  ASSERT_TRUE(tail.poll_to(3));
  ASSERT_TRUE(writer->begin().ok());
  write(*writer, to, 2);  // 3 4
  EXPECT_EQ(admin->high_watermarks({&to, 1}, 10s).front().value(), Offset{5});
  EXPECT_EQ((*tail).stable_end(to, 10s).value(), Offset{3}) << "below what is open";
  ASSERT_TRUE(writer->abort().ok());  // marker 5
  ASSERT_TRUE(tail.poll_to(6));
  write_committed(*writer, to, 1);  // 6, marker 7
  ASSERT_TRUE(tail.poll_to(8));
  EXPECT_EQ(tail.offsets, (std::vector<std::int64_t>{0, 1, 6}));
  EXPECT_EQ((*tail).stable_end(to, 10s).value(), Offset{8});
}

// librdkafka #2993: long stretches of aborted records have failed a fetch.
TEST_F(KafkaTransactions, ALongStretchOfAbortedRecordsIsPassed) {
  const TopicPartition to{topic(), PartitionId{0}};
  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  write(*writer, to, 100'000);
  ASSERT_TRUE(writer->abort().ok());
  write_committed(*writer, to, 1);
  TailOf tail(options, causes, to);
  ASSERT_TRUE(tail.poll_to(100'003));
  EXPECT_EQ(tail.offsets, (std::vector<std::int64_t>{100'001}));
}

TEST_F(KafkaTransactions, ASecondOneOfAnIdFencesTheFirstAndAbortsWhatItHasOpen) {
  const TopicPartition to{topic(), PartitionId{0}};
  const std::string id = name("w");
  const auto first = producer(id);
  ASSERT_TRUE(first->begin().ok());
  write(*first, to, 1);              // 0
  const auto second = producer(id);  // marker 1
  const RdkOutcome outcome = first->commit();
  EXPECT_EQ(outcome.next, RdkNext::make_anew);
  EXPECT_EQ(outcome.error, Errc::producer_fenced) << outcome.error;
  EXPECT_EQ(first->abort().error, Errc::producer_fenced);
  EXPECT_EQ(first->begin().error, Errc::producer_fenced);
  write_committed(*second, to, 1);  // 2, marker 3
  TailOf tail(options, causes, to);
  ASSERT_TRUE(tail.poll_to(4));
  EXPECT_EQ(tail.offsets, (std::vector<std::int64_t>{2}));
}

// The broker looks for them every 10 s unless it is told otherwise.
TEST_F(KafkaTransactions, OneThatIsOpenForTooLongFencesItsProducer) {
  const TopicPartition to{topic(), PartitionId{0}};
  RdkOptions hasty = options;
  hasty.transaction_timeout = 1s;
  const auto writer = producer(name("w"), hasty);
  ASSERT_TRUE(writer->begin().ok());
  write(*writer, to, 1);
  TailOf tail(options, causes, to);
  ASSERT_TRUE(tail.poll_to(2)) << "the marker of the broker's abort";
  const RdkOutcome outcome = writer->commit();
  EXPECT_EQ(outcome.next, RdkNext::make_anew);
  EXPECT_EQ(outcome.error, Errc::producer_fenced) << outcome.error;
}

TEST_F(KafkaTransactions, ATimeOutAboveTheBrokersIsSaid) {
  RdkOptions slow = options;
  slow.transaction_timeout = std::chrono::hours(1);
  const auto writer = RdkProducer::open(slow, name("w"), causes).value();
  const RdkOutcome outcome = writer->init(20s);
  EXPECT_EQ(outcome.next, RdkNext::make_anew);
  EXPECT_EQ(outcome.error, Errc::invalid_argument) << outcome.error;
  EXPECT_NE(outcome.error.text().find("transaction.max.timeout.ms"), std::string_view::npos) << outcome.error;
}

// librdkafka has given the record a sequence number that the broker has not seen: the next transaction fails, too, and mends
// that.
TEST_F(KafkaTransactions, ARecordThatATopicDoesNotTakeIsAborted) {
  const TopicPartition compacted{topic(1, {{"cleanup.policy", "compact"}}), PartitionId{0}};
  const TopicPartition narrow{topic(1, {{"max.message.bytes", "1000"}}), PartitionId{0}};
  const std::string large(5'000, 'x');
  const auto writer = producer(name("w"));
  for (const auto& [to, record, code] : {std::tuple{compacted, record_of("v", std::nullopt), Errc::invalid_argument},
                                         std::tuple{narrow, record_of(large), Errc::too_large}}) {
    write_committed(*writer, to, 1);
    ASSERT_TRUE(writer->begin().ok());
    ASSERT_TRUE(writer->produce(to, record, 7));
    const RdkOutcome outcome = writer->commit();
    EXPECT_EQ(outcome.next, RdkNext::abort);
    EXPECT_EQ(outcome.error, code) << outcome.error;
    EXPECT_NE(outcome.error.text().find(to.topic), std::string_view::npos) << outcome.error;
    const std::vector<RdkDelivery> deliveries = writer->poll(0s);
    ASSERT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(deliveries[0].error, code);
    EXPECT_FALSE(deliveries[0].may_be_written);
    ASSERT_TRUE(writer->abort().ok());

    ASSERT_TRUE(writer->begin().ok());
    ASSERT_TRUE(writer->produce(to, record_of("v"), 0));
    const RdkOutcome after = writer->commit();
    if (!after.ok()) {
      EXPECT_EQ(after.next, RdkNext::abort);
      EXPECT_EQ(after.error, Errc::out_of_sequence) << after.error;
      ASSERT_TRUE(writer->abort().ok());
    }
    (void)writer->poll(0s);
  }
}

TEST_F(KafkaTransactions, AHandleMayGoInMidTransaction) {
  const TopicPartition to{topic(), PartitionId{0}};
  const std::string id = name("w");
  for (int i = 0; i < 20; ++i) {
    const auto writer = producer(id);
    ASSERT_TRUE(writer->begin().ok());
    ASSERT_TRUE(writer->produce(to, record_of("v"), 0));
  }
  const auto writer = producer(id);
  write_committed(*writer, to, 1);
  TailOf tail(options, causes, to);
  ASSERT_TRUE(tail.poll_until([&] { return !tail.offsets.empty(); }));
  EXPECT_EQ(tail.offsets.size(), 1u) << "none of the others";
}

}  // namespace
}  // namespace lungo::test
