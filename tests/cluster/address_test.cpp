#include <lungo/cluster/address.hpp>

#include <gtest/gtest.h>

#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

std::string refusal(std::string_view text) {
  const Result<KafkaAddress> address = parse_kafka_address(text);
  EXPECT_FALSE(address) << text;
  if (address) return "";
  EXPECT_EQ(address.error(), Errc::invalid_argument) << text;
  EXPECT_NE(address.error().text().find("kafka://host:9092,host2:9092/shop"), std::string_view::npos) << address.error();
  return std::string(address.error().text());
}

TEST(KafkaAddresses, NameBrokersAndApplication) {
  const std::pair<const char*, KafkaAddress> right[] = {
      {"kafka://localhost:9092/shop", {"localhost:9092", "shop"}},
      {"kafka://a:1,b.example.com:65535/web-tracker", {"a:1,b.example.com:65535", "web-tracker"}},
      {"kafka://[::1]:9092,10.0.0.7:9093/s", {"[::1]:9092,10.0.0.7:9093", "s"}}};
  for (const auto& [text, address] : right) {
    const Result<KafkaAddress> parsed = parse_kafka_address(text);
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(*parsed, address) << text;
  }
}

TEST(KafkaAddresses, MayLeaveOutAnApplicationThatIsKnown) {
  for (const char* text : {"kafka://localhost:9092", "kafka://localhost:9092/"}) {
    EXPECT_EQ(parse_kafka_address(text, "tracker").value(), (KafkaAddress{"localhost:9092", "tracker"}));
    EXPECT_NE(refusal(text).find("names no application"), std::string::npos);
  }
  EXPECT_EQ(parse_kafka_address("kafka://localhost:9092/shop", "tracker")->app, "shop");
}

TEST(KafkaAddresses, AreToldWhatIsWrongAndHowItLooksRight) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "'' does not begin with kafka://"},
      {"kafka:localhost:9092/shop", "does not begin with kafka://"},
      {"http://localhost:9092/shop", "does not begin with kafka://"},
      {"kafka:///shop", "or none at all"},
      {"kafka://a:1,,b:2/shop", "an empty place between two brokers"},
      {"kafka://a:1,/shop", "an empty place between two brokers"},
      {"kafka://localhost/shop", "'localhost' names no port (Kafka's is 9092"},
      {"kafka://[::1]/shop", "'[::1]' names no port"},
      {"kafka://::1:9092/shop", "an IPv6 address stands in brackets"},
      {"kafka://[::1:9092/shop", "has no ]"},
      {"kafka://:9092/shop", "':9092' names no host"},
      {"kafka://[]:9092/shop", "names no host"},
      {"kafka://a b:9092/shop", "names no host"},
      {"kafka://localhost:/shop", "a port is a number from 1 to 65535"},
      {"kafka://localhost:0/shop", "a port is a number from 1 to 65535"},
      {"kafka://localhost:65536/shop", "a port is a number from 1 to 65535"},
      {"kafka://localhost:90x/shop", "a port is a number from 1 to 65535"},
      {"kafka://localhost:9092/Shop", "'Shop' can't name an application: 1 to 41 of a-z"},
      {"kafka://localhost:9092/shop/orders", "'shop/orders' can't name an application"}};
  for (const auto& [text, answer] : wrong) {
    const std::string refused = refusal(text);
    EXPECT_NE(refused.find(answer), std::string::npos) << text << ": " << refused;
  }
}

TEST(KafkaAddresses, TakeNoSecretsAndDoNotRepeatThem) {
  const std::pair<const char*, const char*> wrong[] = {
      {"kafka://ada:s3cr3t@localhost:9092/shop", "takes no login in front of an @"},
      {"kafka://localhost:9092/shop?sasl.password=s3cr3t", "does not take the setting sasl.password"},
      {"kafka://localhost:9092/shop?&ssl.key.password=s3cr3t", "does not take the setting ssl.key.password"},
      {"kafka://localhost:9092?security.protocol=s3cr3t", "does not take the setting security.protocol"},
      {"kafka://localhost:9092/shop?s3cr3t", "takes no settings"},
      {"kafka://localhost:9092/shop#s3cr3t", "takes no settings"},
      {"kafka://localhost:9092,s3cr3t=x/shop", "takes no settings"},
      {"kafka://localhost:9092/shop?", "takes no settings"}};
  for (const auto& [text, answer] : wrong) {
    const std::string refused = refusal(text);
    EXPECT_NE(refused.find(answer), std::string::npos) << text << ": " << refused;
    EXPECT_NE(refused.find("--kafka-config or LUNGO_KAFKA_CONFIG"), std::string::npos) << refused;
    EXPECT_EQ(refused.find("s3cr3t"), std::string::npos) << refused;
  }
}

class KafkaConfigFile : public testing::Test {
 protected:
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomically(simulation.ports().storage, path, as_bytes(text)));
  }
  Simulation simulation{1};
};

TEST_F(KafkaConfigFile, IsTheOneGivenOrThatOfTheEnvironment) {
  Storage& storage = simulation.ports().storage;
  write("given", "# ours\nsasl.username = ada\nsasl.password=a=b\n");
  write("other", "client.id=other\n");
  using Settings = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(load_kafka_settings(storage, "given", "other").value(),
            (Settings{{"sasl.username", "ada"}, {"sasl.password", "a=b"}}));
  EXPECT_EQ(load_kafka_settings(storage, "", "other").value(), (Settings{{"client.id", "other"}}));
  EXPECT_EQ(load_kafka_settings(storage, "", "").value(), Settings{});
  EXPECT_EQ(load_kafka_settings(storage, "", nullptr).value(), Settings{});
}

TEST_F(KafkaConfigFile, ThatIsWrongIsToldWithItsName) {
  Storage& storage = simulation.ports().storage;
  const auto missing = load_kafka_settings(storage, "", "nowhere");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), Errc::not_found);
  EXPECT_NE(missing.error().text().find("LUNGO_KAFKA_CONFIG names"), std::string_view::npos) << missing.error();
  EXPECT_NE(missing.error().text().find("nowhere"), std::string_view::npos) << missing.error();
  write("broken", "client.id=x\ns3cr3t\n");
  const auto broken = load_kafka_settings(storage, "broken", nullptr);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error(), Errc::invalid_argument);
  EXPECT_NE(broken.error().text().find("broken:2: "), std::string_view::npos) << broken.error();
  EXPECT_EQ(broken.error().text().find("s3cr3t"), std::string_view::npos) << broken.error();
}

}  // namespace
}  // namespace lungo::test
