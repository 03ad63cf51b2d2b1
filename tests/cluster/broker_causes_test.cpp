#include "client/broker_causes.hpp"

#include <gtest/gtest.h>

#include "tests/support/log_lines.hpp"
#include "tests/support/manual_clock.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

constexpr int kError = 3;
constexpr int kInfo = 6;

const RdkOptions kLogin{.hosts = "10.0.0.7:9092",
                        .client = {{"security.protocol", "sasl_ssl"},
                                   {"sasl.mechanism", "SCRAM-SHA-512"},
                                   {"sasl.username", "app"},
                                   {"sasl.password", "hunter2"}}};

// Lines that librdkafka 2.0.2 has written, with another address.
constexpr std::string_view kRefused =
    "[thrd:10.0.0.7:9092/bootstrap]: 10.0.0.7:9092/bootstrap: Connect to ipv4#10.0.0.7:9092 failed: Connection refused (after "
    "0ms in "
    "state CONNECT)";
constexpr std::string_view kRefusedAgain =
    "[thrd:10.0.0.7:9092/bootstrap]: 10.0.0.7:9092/bootstrap: Connect to ipv4#10.0.0.7:9092 failed: Connection refused (after "
    "0ms in "
    "state CONNECT, 1 identical error(s) suppressed)";
constexpr std::string_view kOtherRefused =
    "[thrd:10.0.0.8:9092/bootstrap]: 10.0.0.8:9092/bootstrap: Connect to ipv4#10.0.0.8:9092 failed: Connection refused (after "
    "0ms in "
    "state CONNECT)";
constexpr std::string_view kAdvertised =
    "[thrd:127.0.0.1:39209/1]: 127.0.0.1:39209/1: Connect to ipv4#127.0.0.1:39209 failed: Connection refused (after 0ms in "
    "state "
    "CONNECT)";
constexpr std::string_view kClosed = "[thrd:127.0.0.1:39209/1]: 127.0.0.1:39209/1: Disconnected (after 540000ms in state UP)";

/// One set of causes, and its lines in the log.
struct ToldCauses {
  explicit ToldCauses(const RdkOptions& options = kLogin) : causes(options, clock) {}

  std::string text() const {
    const std::optional<BrokerCauses::Cause> cause = causes.cause();
    return cause ? cause->text : "";
  }
  std::string text_after(std::string_view line) {
    causes.log(kError, "FAIL", line);
    return text();
  }

  LogLines lines{"kafka"};
  ManualClock clock;
  BrokerCauses causes;
};

TEST(BrokerCauses, ALineSaysWhichBrokerAndWhy) {
  EXPECT_EQ(parse_broker_failure(kRefused), (BrokerFailure{.host = "10.0.0.7:9092",
                                                           .is_configured = true,
                                                           .reason = "Connect to ipv4#10.0.0.7:9092 failed: Connection refused",
                                                           .state = "CONNECT"}));
  EXPECT_EQ(parse_broker_failure(kRefusedAgain), parse_broker_failure(kRefused)) << "how often is no part of it";
  EXPECT_EQ(parse_broker_failure(kClosed),
            (BrokerFailure{.host = "127.0.0.1:39209", .is_configured = false, .reason = "Disconnected", .state = "UP"}));
  EXPECT_EQ(
      parse_broker_failure("[thrd:ssl://h:1/bootstrap]: ssl://h:1/bootstrap: no (after 1ms in state SSL_HANDSHAKE)")->host,
      "h:1");
}

TEST(BrokerCauses, OtherLinesAreNoFailures) {
  for (const std::string_view line :
       {"", "[", "[thrd:app]: ", "[thrd:app]: No `bootstrap.servers` configured", "h:1/1: Disconnected",
        "h:1/1 (after 1ms in state UP)", "h:1: Disconnected (after 1ms in state UP)", "h:1/1: Disconnected (after all"}) {
    EXPECT_EQ(parse_broker_failure(line), std::nullopt) << line;
  }
}

TEST(BrokerCauses, EachCauseIsSaidWithItsFix) {
  ToldCauses f;
  EXPECT_EQ(f.text(), "");
  EXPECT_EQ(f.text_after(kRefused),
            "no broker answers at 10.0.0.7:9092 (connection refused); is Kafka running, and is that its port?");
  const std::pair<std::string_view, std::string> cases[] = {
      {"Failed to resolve 'nosuchhost:9092': Name or service not known (after 3ms in state CONNECT)",
       "'nosuchhost' has no address (name or service not known); is the name of the host right?"},
      {"Connection setup timed out in state CONNECT (after 30029ms in state CONNECT)",
       "no broker answers at nosuchhost:9092 (no answer); is Kafka running, and is that its port?"},
      {"Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to "
       "a SSL "
       "listener?) or broker version is < 0.10 (see api.version.request) (after 0ms in state APIVERSION_QUERY)",
       "nosuchhost:9092 closed the connection at once; if it speaks TLS, set security.protocol=ssl"},
      {"Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication (after "
       "2ms in "
       "state UP)",
       "nosuchhost:9092 closed the connection; if it wants a login, set security.protocol=sasl_ssl or sasl_plaintext, and "
       "sasl.mechanism"},
      {"SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading (after 7ms in state SSL_HANDSHAKE)",
       "nosuchhost:9092 speaks no TLS; if that is meant, set security.protocol=plaintext or sasl_plaintext"},
      {"SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be "
       "verified, "
       "verify that ssl.ca.location is correctly configured (after 20ms in state SSL_HANDSHAKE)",
       "the certificate of nosuchhost:9092 is not trusted (certificate verify failed: broker certificate could not be "
       "verified, "
       "verify that ssl.ca.location is correctly configured); ssl.ca.location names a file with the certificate of who signed "
       "it, "
       "and it has to be made out to that host"},
      {"SASL authentication error: Authentication failed: Invalid username or password (after 312ms in state AUTH_REQ)",
       "nosuchhost:9092 refused the login of 'app' (SCRAM-SHA-512): Invalid username or password; are sasl.username and "
       "sasl.password right?" +
           std::string(!rdk_sends_wrong_scram_nonce()
                           ? ""
                           : " Brokers of Apache Kafka 4 refuse every SCRAM login of librdkafka before 2.6.1, which this is: "
                             "sasl.mechanism=PLAIN with security.protocol=sasl_ssl, and certificates, work")},
      {"SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: "
       "PLAIN (after "
       "303ms in state AUTH_HANDSHAKE)",
       "nosuchhost:9092 takes no login by SCRAM-SHA-512 (Unsupported SASL mechanism: broker's supported mechanisms: PLAIN); "
       "sasl.mechanism is the setting for it"},
      {"Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes (after 14ms in "
       "state "
       "APIVERSION_QUERY)",
       "what answers at nosuchhost:9092 is no Kafka broker"},
      {"1 request(s) timed out: disconnect (after 60001ms in state UP)",
       "the connection to nosuchhost:9092 ended: 1 request(s) timed out: disconnect"},
  };
  for (const auto& [reason, text] : cases) {
    f.clock.advance(1ms);
    EXPECT_EQ(f.text_after("[thrd:x]: nosuchhost:9092/bootstrap: " + std::string(reason)), text);
  }
}

TEST(BrokerCauses, AnAdvertisedAddressWhereNobodyIsNamesTheBrokersSetting) {
  ToldCauses f;
  EXPECT_EQ(f.text_after(kAdvertised),
            "a broker is to be reached at 127.0.0.1:39209, say those at 10.0.0.7:9092, and nobody answers there (connection "
            "refused); "
            "it is down, or advertised.listeners, the broker's setting for it, is wrong");
  EXPECT_FALSE(f.causes.cause()->nobody_answers);
}

TEST(BrokerCauses, ABrokerThatWasThereHasGone) {
  ToldCauses f;
  f.causes.log(kInfo, "FAIL", kClosed);
  EXPECT_EQ(f.text_after(kAdvertised), "the broker at 127.0.0.1:39209 no longer answers (connection refused)");
}

TEST(BrokerCauses, NobodyAnswersWhenAllThatTheSettingsNameHaveFailed) {
  RdkOptions options = kLogin;
  options.hosts = "10.0.0.7:9092,10.0.0.8:9092";
  ToldCauses f(options);
  f.causes.log(kError, "FAIL", kRefused);
  f.causes.log(kError, "FAIL", kRefusedAgain);
  EXPECT_FALSE(f.causes.cause()->nobody_answers);
  f.causes.log(kError, "FAIL", kOtherRefused);
  EXPECT_TRUE(f.causes.cause()->nobody_answers);
  f.causes.answered();
  EXPECT_FALSE(f.causes.cause());
}

TEST(BrokerCauses, OneIsForgottenAfterAMinute) {
  ToldCauses f;
  f.causes.log(kError, "FAIL", kRefused);
  f.clock.advance(60s);
  EXPECT_TRUE(f.causes.cause());
  f.clock.advance(1ms);
  EXPECT_FALSE(f.causes.cause());
}

TEST(BrokerCauses, AnAnswerLeavesWhatOtherBrokersNamed) {
  ToldCauses f;
  f.causes.log(kError, "FAIL", kAdvertised);
  f.causes.answered();
  EXPECT_TRUE(f.causes.cause());
}

TEST(BrokerCauses, TheLogHasEachCauseOnceAMinute) {
  ToldCauses f;
  for (int i = 0; i < 5; ++i) {
    f.causes.log(kError, "FAIL", kRefused);
    f.clock.advance(15s);
  }
  EXPECT_EQ(f.lines.count("warning", "no broker answers at 10.0.0.7:9092"), 1);
  f.causes.log(kError, "FAIL", kRefused);
  EXPECT_EQ(f.lines.count("warning", "no broker answers at 10.0.0.7:9092"), 2);
  EXPECT_EQ(f.lines.count("error", ""), 0);
}

TEST(BrokerCauses, AConnectionThatIsClosedForWantOfUseIsNoWarning) {
  ToldCauses f;
  f.causes.log(kInfo, "FAIL", kClosed);
  EXPECT_EQ(f.lines.of("info"), std::vector<std::string>{"the connection to 127.0.0.1:39209 ended: disconnected"});
  f.causes.log(kInfo, "FAIL",
               "h:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol "
               "configuration (connecting to a SSL listener?) (after 0ms in state APIVERSION_QUERY)");
  EXPECT_EQ(f.lines.count("warning", "h:1 closed the connection at once"), 1);
}

TEST(BrokerCauses, OtherLinesKeepTheirLevel) {
  ToldCauses f;
  f.causes.log(2, "EMERG", "[thrd:main]: out of file descriptors");
  f.causes.log(4, "CONFWARN", "[thrd:app]: Configuration property linger.ms is odd");
  f.causes.log(
      4, "CONFWARN",
      "[thrd:app]: Configuration property linger.ms is a producer property and will be ignored by this consumer instance");
  f.causes.log(5, "REQTMOUT", "[thrd:h:1/1]: h:1/1: Timed out 1 in-flight");
  f.causes.log(7, "METADATA", "[thrd:main]: x");
  f.causes.log(3, "TXNERR", "[thrd:main]: what the call has answered, too");
  EXPECT_EQ(f.lines.of("error"), std::vector<std::string>{"librdkafka EMERG: out of file descriptors"});
  EXPECT_EQ(f.lines.of("warning"), std::vector<std::string>{"librdkafka CONFWARN: Configuration property linger.ms is odd"});
  EXPECT_EQ(f.lines.of("info"), std::vector<std::string>{"librdkafka REQTMOUT: h:1/1: Timed out 1 in-flight"});
}

TEST(BrokerCauses, ThePrincipalIsWhoLogsIn) {
  ManualClock clock;
  EXPECT_EQ(BrokerCauses(kLogin, clock).principal(), "User:app");
  EXPECT_EQ(BrokerCauses(RdkOptions{.hosts = "h:1"}, clock).principal(), "User:ANONYMOUS");
  EXPECT_EQ(BrokerCauses(RdkOptions{.hosts = "h:1", .client = {{"security.protocol", "ssl"}}}, clock).principal(), "User:...");
}

}  // namespace
}  // namespace lungo::test
