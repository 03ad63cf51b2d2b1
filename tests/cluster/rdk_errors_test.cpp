#include "client/rdk_errors.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "tests/support/log_lines.hpp"
#include "tests/support/manual_clock.hpp"

namespace lungo::test {
namespace {

const RdkAttempt kWriteEvents{.verb = "write to", .resource = RdkResource::topic, .name = "events", .right = "write"};
const RdkAttempt kCommit{
    .verb = "commit by", .resource = RdkResource::transactional_id, .name = "shop.w.00ff", .right = "write"};
const RdkOptions kOneHost{.hosts = "127.0.0.1:1", .client = {{"sasl.username", "app"}}};

struct Errors {
  Error error(rd_kafka_resp_err_t code, std::string_view words = "", const RdkAttempt& attempt = kWriteEvents) const {
    return rdk_error(code, words, attempt, causes);
  }

  LogLines lines{"kafka"};
  ManualClock clock;
  BrokerCauses causes{kOneHost, clock};
};

/// All that librdkafka knows, but for what no call returns.
std::vector<rd_kafka_resp_err_t> all_codes() {
  const rd_kafka_err_desc* descriptions = nullptr;
  std::size_t count = 0;
  rd_kafka_get_err_descs(&descriptions, &count);
  std::vector<rd_kafka_resp_err_t> out;
  for (std::size_t i = 0; i < count; ++i) {
    if (descriptions[i].name != nullptr && descriptions[i].desc != nullptr) out.push_back(descriptions[i].code);
  }
  return out;
}

TEST(KafkaErrors, EachCodeHasAText) {
  const Errors f;
  ASSERT_GT(all_codes().size(), 140u);
  for (const rd_kafka_resp_err_t code : all_codes()) {
    const Error error = f.error(code);
    EXPECT_FALSE(to_string(error.code()).empty()) << rd_kafka_err2name(code);
    EXPECT_NE(error.text().find("write to topic events"), std::string_view::npos) << error;
    EXPECT_EQ(error.text().find("Broker: "), std::string_view::npos) << error;
    EXPECT_GT(error.text().size(), 30u) << error;
  }
}

TEST(KafkaErrors, TheirCodesAreTheTableOfTheDesign) {
  const Errors f;
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), Errc::timed_out);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__TIMED_OUT), Errc::timed_out);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__TRANSPORT), Errc::timed_out);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), Errc::not_owner);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID), Errc::not_owner);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__FENCED), Errc::producer_fenced);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH), Errc::producer_fenced);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), Errc::io);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), Errc::too_large);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_INVALID_RECORD), Errc::invalid_argument);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET), Errc::offset_out_of_range);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), Errc::not_found);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__QUEUE_FULL), Errc::busy);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT), Errc::timed_out);
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_UNKNOWN), Errc::io);
}

// Who waits for brokers waits on; who waits for a right is told.
TEST(KafkaErrors, AMissingRightIsKnownFromWhatPasses) {
  const Errors f;
  EXPECT_TRUE(is_missing_right(f.error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)));
  EXPECT_FALSE(is_missing_right(f.error(RD_KAFKA_RESP_ERR_UNKNOWN)));
  EXPECT_FALSE(is_missing_right(Error{Errc::io, "no broker answers at 127.0.0.1:1"}));
  EXPECT_FALSE(is_missing_right(Error{Errc::timed_out, "no right to read topic events"}));
}

TEST(KafkaErrors, AMissingRightIsALineForTheTool) {
  const Errors f;
  EXPECT_EQ(
      f.error(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).text(),
      "no right to write to topic events; kafka-acls.sh --add --allow-principal User:app --topic events --operation write");
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "", kCommit).text(),
            "no right to commit by transactional id shop.w.00ff; kafka-acls.sh --add --allow-principal User:app "
            "--resource-pattern-type prefixed --transactional-id shop. --operation write");
  EXPECT_EQ(
      f.error(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "", RdkAttempt{.verb = "list the topics", .right = "describe"})
          .text(),
      "no right to list the topics; kafka-acls.sh --add --allow-principal User:app --cluster --operation describe");
}

TEST(KafkaErrors, ARightOnSomethingElseIsNotGivenAWrongName) {
  const Errors f;
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED).text(),
            "no right to write to topic events; kafka-acls.sh --add --allow-principal User:app --group NAME --operation ...");
}

TEST(KafkaErrors, TheBrokersOwnWordsComeFirst) {
  const Errors f;
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_INVALID_CONFIG, "Unknown topic config name: lungo.streams").text(),
            "cannot write to topic events: Unknown topic config name: lungo.streams");
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR).text(),
            "cannot write to topic events: Invalid replication factor; are there so many brokers?");
}

TEST(KafkaErrors, WhoReachesNobodyIsToldWhy) {
  Errors f;
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR__TRANSPORT).text(),
            "could not write to topic events: Broker transport failure; no broker at 127.0.0.1:1 has said why");
  f.causes.log(
      3, "FAIL",
      "[thrd:x]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)");
  for (const rd_kafka_resp_err_t code :
       {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT}) {
    EXPECT_EQ(to_string(f.error(code)),
              "io: no broker answers at 127.0.0.1:1 (connection refused); is Kafka running, and is that its port?");
  }
}

TEST(KafkaErrors, OneBrokerOfSeveralThatIsDownIsALastCause) {
  Errors f;
  f.causes.log(3, "FAIL",
               "[thrd:x]: 127.0.0.1:9/2: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)");
  const Error error = f.error(RD_KAFKA_RESP_ERR__TIMED_OUT);
  EXPECT_EQ(error, Errc::timed_out);
  EXPECT_NE(error.text().find("could not write to topic events: Timed out; the last cause known: a broker is to be reached at "
                              "127.0.0.1:9, "),
            std::string_view::npos)
      << error;
  EXPECT_EQ(f.error(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION).text().find("127.0.0.1:9"), std::string_view::npos)
      << "that has nothing to do with it";
}

}  // namespace
}  // namespace lungo::test
