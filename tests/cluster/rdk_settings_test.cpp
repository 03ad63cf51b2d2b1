#include "client/rdk_settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lungo::test {
namespace {

const RdkOptions kTwoHosts{.hosts = "10.0.0.7:9092,10.0.0.8:9092"};

RdkOptions with(const RdkSettings& client) {
  RdkOptions options = kTwoHosts;
  options.client = client;
  return options;
}

RdkSettings settings_of(RdkRole role, const RdkOptions& options = kTwoHosts, const std::string& id = "shop.w.00ff") {
  return rdk_settings(role, options, id).value();
}

std::string error_of(const Result<void>& result) { return result ? "" : to_string(result.error()); }

TEST(KafkaSettings, AProducerIsTransactionalAndBoundedByTheTransactionTimeout) {
  const RdkSettings settings = settings_of(RdkRole::producer);
  EXPECT_EQ(value_of(settings, "bootstrap.servers"), kTwoHosts.hosts);
  EXPECT_EQ(value_of(settings, "transactional.id"), "shop.w.00ff");
  EXPECT_EQ(value_of(settings, "enable.idempotence"), "true");
  EXPECT_EQ(value_of(settings, "acks"), "all");
  EXPECT_EQ(value_of(settings, "transaction.timeout.ms"), "10000");
  EXPECT_EQ(value_of(settings, "message.timeout.ms"), "10000");
  EXPECT_EQ(value_of(settings, "retry.backoff.ms"), "3");
  EXPECT_EQ(value_of(settings, "group.id"), "");
}

TEST(KafkaSettings, AProducerWithoutAnIdIsIdempotentOnly) {
  const RdkSettings settings = settings_of(RdkRole::producer, kTwoHosts, "");
  EXPECT_EQ(value_of(settings, "enable.idempotence"), "true");
  EXPECT_EQ(std::ranges::count(settings, "transactional.id", &RdkSetting::name), 0);
  EXPECT_EQ(std::ranges::count(settings, "transaction.timeout.ms", &RdkSetting::name), 0);
}

TEST(KafkaSettings, TheTailAloneStopsAtTheLastStableOffset) {
  EXPECT_EQ(value_of(settings_of(RdkRole::tail), "isolation.level"), "read_committed");
  EXPECT_EQ(value_of(settings_of(RdkRole::tail), "enable.partition.eof"), "true");
  EXPECT_EQ(value_of(settings_of(RdkRole::group), "isolation.level"), "read_uncommitted");
  EXPECT_EQ(value_of(settings_of(RdkRole::admin), "isolation.level"), "read_uncommitted");
}

TEST(KafkaSettings, EveryReaderStopsWhereItsOffsetIsGone) {
  for (const RdkRole role : {RdkRole::tail, RdkRole::group, RdkRole::asker, RdkRole::admin}) {
    const RdkSettings settings = settings_of(role);
    EXPECT_EQ(value_of(settings, "auto.offset.reset"), "error");
    EXPECT_EQ(value_of(settings, "enable.auto.commit"), "false");
    EXPECT_EQ(value_of(settings, "allow.auto.create.topics"), "false");
  }
}

TEST(KafkaSettings, AGroupIsEagerAndItsSilentMembersLeave) {
  const RdkSettings settings = settings_of(RdkRole::group, kTwoHosts, "shop.writers");
  EXPECT_EQ(value_of(settings, "group.id"), "shop.writers");
  EXPECT_EQ(value_of(settings, "partition.assignment.strategy"), "range");
  EXPECT_EQ(value_of(settings, "session.timeout.ms"), "6000");
  EXPECT_EQ(value_of(settings, "heartbeat.interval.ms"), "1000");
  EXPECT_EQ(value_of(settings, "max.poll.interval.ms"), "30000");
}

TEST(KafkaSettings, WhatPromisesRestOnIsRefusedByNameInEveryRole) {
  for (const std::string name :
       {"transactional.id", "enable.idempotence", "acks", "isolation.level", "enable.auto.commit", "auto.offset.reset",
        "group.id", "partition.assignment.strategy", "enable.partition.eof", "check.crcs", "max.poll.interval.ms"}) {
    for (const RdkRole role : {RdkRole::producer, RdkRole::tail, RdkRole::group, RdkRole::asker, RdkRole::admin}) {
      const Result<RdkSettings> settings = rdk_settings(role, with({{name, "1"}}), "any");
      ASSERT_FALSE(settings) << name;
      EXPECT_EQ(settings.error(), Errc::invalid_argument);
      EXPECT_NE(settings.error().text().find("the setting " + name + " is not to be changed: "), std::string_view::npos)
          << settings.error();
    }
  }
}

TEST(KafkaSettings, AnAliasIsNoWayAround) {
  for (const std::string name :
       {"request.required.acks", "metadata.broker.list", "delivery.timeout.ms", "auto.commit.enable"}) {
    EXPECT_NE(error_of(check_rdk_options(with({{name, "1"}}))).find("the setting " + name), std::string::npos);
  }
}

TEST(KafkaSettings, AUsersOwnWinsOverWhatIsOnlySuggested) {
  const RdkOptions options = with({{"client.id", "mine"}, {"fetch.wait.max.ms", "7"}, {"retry.backoff.ms", "50"}});
  EXPECT_EQ(value_of(settings_of(RdkRole::tail, options), "client.id"), "mine");
  EXPECT_EQ(value_of(settings_of(RdkRole::tail, options), "fetch.wait.max.ms"), "7");
  EXPECT_EQ(value_of(settings_of(RdkRole::producer, options), "retry.backoff.ms"), "50");
}

// librdkafka takes the last one of a property and its aliases.
TEST(KafkaSettings, AnAliasOfASuggestionStandsBehindIt) {
  const RdkSettings settings = settings_of(RdkRole::producer, with({{"queue.buffering.max.ms", "20"}}));
  EXPECT_LT(std::ranges::find(settings, "linger.ms", &RdkSetting::name),
            std::ranges::find(settings, "queue.buffering.max.ms", &RdkSetting::name));
}

TEST(KafkaSettings, WhatALoginTakesIsPassed) {
  const RdkOptions options = with({{"security.protocol", "sasl_ssl"},
                                   {"sasl.mechanism", "SCRAM-SHA-512"},
                                   {"sasl.username", "app"},
                                   {"sasl.password", "p"},
                                   {"ssl.ca.location", "/etc/ssl/ca.pem"},
                                   {"client.rack", "b"},
                                   {"broker.address.family", "v4"}});
  EXPECT_EQ(error_of(check_rdk_options(options)), "");
  for (const RdkRole role : {RdkRole::producer, RdkRole::tail, RdkRole::group, RdkRole::asker, RdkRole::admin}) {
    for (const RdkSetting& setting : options.client)
      EXPECT_EQ(value_of(settings_of(role, options), setting.name), setting.value);
  }
}

TEST(KafkaSettings, LibrdkafkaSaysWhatItDoesNotKnow) {
  EXPECT_EQ(error_of(check_rdk_options(with({{"sasl.pasword", "p"}}))),
            R"(invalid_argument: librdkafka refuses a setting: No such configuration property: "sasl.pasword")");
  const std::string text = error_of(check_rdk_options(with({{"fetch.wait.max.ms", "soon"}})));
  EXPECT_NE(text.find("\"fetch.wait.max.ms\""), std::string::npos) << text;
}

TEST(KafkaSettings, ASecretIsInNoError) {
  // A value that librdkafka refuses under the name of a secret, so that its words have a reason to name it.
  for (const std::string name : {"sasl.password.callback", "ssl_key", "my.token"}) {
    const std::string text = error_of(check_rdk_options(with({{name, "hunter2"}})));
    ASSERT_NE(text, "") << name;
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  }
}

TEST(KafkaSettings, SecretsAreKnownByTheirNames) {
  for (const std::string_view name : {"sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret",
                                      "SASL.PASSWORD", "sasl.oauthbearer.token.endpoint.url", "sasl.jaas.config"}) {
    EXPECT_TRUE(is_secret_setting(name)) << name;
  }
  for (const std::string_view name : {"sasl.username", "sasl.mechanism", "client.id", "ssl.ca.location"}) {
    EXPECT_FALSE(is_secret_setting(name)) << name;
  }
}

TEST(KafkaSettings, AFileIsLinesWithCommentsAndBlanks) {
  const Result<RdkSettings> settings = parse_rdk_settings(
      "# who we are\n\n  client.id = shop \r\nsasl.password=a=b#c\n\t# client.id=other\nssl.ca.location=\nclient.rack=last",
      "f");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(*settings,
            (RdkSettings{{"client.id", "shop"}, {"sasl.password", "a=b#c"}, {"ssl.ca.location", ""}, {"client.rack", "last"}}));
  EXPECT_EQ(parse_rdk_settings("", "f").value(), RdkSettings{});
}

TEST(KafkaSettings, AFilesErrorsNameTheLineAndNothingOfIt) {
  for (const auto& [text, line] : {std::pair{"a=1\nhunter2\n", "kafka.conf:2: "}, {"=hunter2", "kafka.conf:1: "}}) {
    const Result<RdkSettings> settings = parse_rdk_settings(text, "kafka.conf");
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error(), Errc::invalid_argument);
    EXPECT_TRUE(settings.error().text().starts_with(line)) << settings.error();
    EXPECT_EQ(settings.error().text().find("hunter2"), std::string_view::npos) << settings.error();
  }
  EXPECT_EQ(parse_rdk_settings("a=1\n\na=2", "kafka.conf").error().text(), "kafka.conf:3: a stands here for the second time");
}

}  // namespace
}  // namespace lungo::test
