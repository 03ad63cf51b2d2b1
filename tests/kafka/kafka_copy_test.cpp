// `lungo log copy` from a cluster, as a user runs it.
#include <gtest/gtest.h>

#include <fstream>

#include <lungo/log/local_event_log.hpp>

#include "tests/kafka/brokers.hpp"
#include "tests/samples/program.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

class KafkaCopy : public testing::Test {
 protected:
  Finished copy(const std::string& from, const std::string& to, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{
        std::string(LUNGO_PROGRAMS) + "/lungo-log", "copy", "--from", from, "--to", to, "--mirror", scratch / "mirror"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  static std::string address() { return "kafka://" + kafka_address() + "/copies"; }

  QuietLog quiet;
  const TempDirectory scratch;
  const std::string target = scratch / "target";
  Brokers brokers;
};

TEST_F(KafkaCopy, OfATopicGoesIntoADirectory) {
  const TopicPartition first{brokers.topic("copied", 2, {{"retention.ms", "-1"}}), PartitionId{0}};
  const TopicPartition second{first.topic, PartitionId{1}};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, first).add("k", "a").add("k", "b").commit();
  Transaction(*producer, first).add("k", "dropped").abort();
  Transaction(*producer, second).add("j", "c").commit();
  const Finished copied = copy(address(), target, {"--topic", first.topic});
  ASSERT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.out.find(": 1 topic, 3 records; both sides were compared"), std::string::npos) << copied.out;
  {
    const std::shared_ptr<EventLog> log = open_local(target, {.read_only = true}).value();
    EXPECT_EQ(values_of(*log, first), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(values_of(*log, second), std::vector<std::string>{"c"});
  }

  Transaction(*producer, first).add("k", "later").commit();
  const Finished again = copy(address(), target, {"--topic", first.topic});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find("4 records, of which 3 were there"), std::string::npos) << again.out;
  EXPECT_EQ(values_of(*open_local(target, {.read_only = true}).value(), first), (std::vector<std::string>{"a", "b", "later"}));
}

TEST_F(KafkaCopy, LeavesWhatMayBeOthers) {
  const std::string others = brokers.topic("others");
  const Finished copied = copy(address(), target);
  ASSERT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.err.find("as it may be another application's (--topic NAME copies it): "), std::string::npos) << copied.err;
  EXPECT_NE(copied.err.find(others), std::string::npos) << copied.err;
  EXPECT_EQ(open_local(target, {.read_only = true}).value()->topic(others).error(), Errc::not_found);
}

TEST_F(KafkaCopy, SaysWhatIsWrong) {
  const std::string settings = scratch / "settings";
  std::ofstream(settings) << "sasl.password=s3cr3t\nacks=1\n";
  const std::tuple<std::string, std::vector<std::string>, int, std::string> wrong[] = {
      {"kafka://localhost/shop", {}, 2, "names no port"},
      {"kafka://ada:s3cr3t@localhost:9092/shop", {}, 2, "takes no login in front of an @"},
      {"kafka://127.0.0.1:1/shop", {}, 1, "no broker answers at 127.0.0.1:1"},
      {address(), {"--kafka-config", scratch / "nowhere"}, 1, "the settings for Kafka that --kafka-config names"},
      {address(), {"--kafka-config", settings}, 2, "acks"},
      {address(), {"--topic", "nobody-made-it"}, 1, "no topic nobody-made-it"}};
  for (const auto& [from, more, status, answer] : wrong) {
    const Finished refused = copy(from, target, more);
    EXPECT_EQ(refused.status, status) << answer << refused.err;
    EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("s3cr3t"), std::string::npos) << refused.err;
  }
  EXPECT_FALSE(std::filesystem::exists(target));
  const Finished both = copy(address(), address());
  EXPECT_EQ(both.status, 1);
  EXPECT_NE(both.err.find("MirrorMaker"), std::string::npos) << both.err;
}

TEST_F(KafkaCopy, ExplainsTheRights) {
  static_cast<void>(open_local(target).value());
  const Finished explained = copy(target, address(), {"--explain"});
  EXPECT_EQ(explained.status, 0) << explained.err;
  EXPECT_NE(explained.out.find("kafka-acls.sh --bootstrap-server " + kafka_address()), std::string::npos) << explained.out;
  EXPECT_NE(explained.out.find("--transactional-id copies."), std::string::npos) << explained.out;
}

}  // namespace
}  // namespace lungo::test
