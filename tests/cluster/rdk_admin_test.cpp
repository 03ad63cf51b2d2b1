#include "client/rdk_admin.hpp"

#include <gtest/gtest.h>

#include "client/rdk_groups.hpp"
#include "mock_cluster.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<RdkAdmin> admin_of(MockCluster& cluster) { return RdkAdmin::open(cluster.options(), cluster.causes()).value(); }

TEST(RdkAdmin, SeesBrokersTopicsAndLeaders) {
  MockCluster cluster;
  cluster.create_topic("events", 4);
  cluster.create_topic("audit", 1);
  const auto admin = admin_of(cluster);
  const Result<RdkCluster> seen = admin->cluster(5s);
  ASSERT_TRUE(seen) << seen.error();
  EXPECT_EQ(seen->brokers.size(), 3u);
  ASSERT_EQ(seen->topics.size(), 2u);
  EXPECT_EQ(seen->topics[0].name, "audit");
  EXPECT_EQ(seen->topics[1].name, "events");
  ASSERT_EQ(seen->topics[1].partitions.size(), 4u);
  for (std::int32_t i = 0; i < 4; ++i) {
    const RdkPartition& partition = seen->topics[1].partitions[static_cast<std::size_t>(i)];
    EXPECT_EQ(partition.id, PartitionId{i});
    EXPECT_TRUE(partition.leader);
    EXPECT_EQ(partition.replicas, 3u);
    EXPECT_EQ(partition.in_sync, 3u);
  }
  EXPECT_FALSE(admin->cluster_id(5s).value().empty());
}

TEST(RdkAdmin, AsksForOneTopic) {
  MockCluster cluster;
  cluster.create_topic("events", 2);
  const auto admin = admin_of(cluster);
  EXPECT_EQ(admin->topic("events", 5s).value().partitions.size(), 2u);
  cluster.fail_topic("events", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  EXPECT_EQ(
      to_string(admin->topic("events", 5s).error()),
      "io: no right to look up topic events; kafka-acls.sh --add --allow-principal User:ANONYMOUS --topic events --operation "
      "Describe");
}

TEST(RdkAdmin, AnEmptyPartitionEndsWhereItStarts) {
  MockCluster cluster;
  cluster.create_topic("events", 1);
  const auto admin = admin_of(cluster);
  EXPECT_EQ(admin->start({"events", PartitionId{0}}, 5s).value(), Offset{0});
  const TopicPartition partitions[] = {{"events", PartitionId{0}}, {"events", PartitionId{1}}};
  const std::vector<Result<Offset>> ends = admin->high_watermarks(partitions, 5s);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].value(), Offset{0});
  EXPECT_EQ(ends[1].error(), Errc::not_found);
}

TEST(RdkAdmin, AnEndIsAskedOfWhoLeadsNow) {
  MockCluster cluster;
  cluster.create_topic("events", 1);
  const auto admin = admin_of(cluster);
  const TopicPartition partition{"events", PartitionId{0}};
  cluster.lead(partition, 1);
  ASSERT_TRUE(admin->high_watermarks({&partition, 1}, 5s).front());
  cluster.down(1);
  cluster.lead(partition, 2);
  EXPECT_EQ(admin->high_watermarks({&partition, 1}, 5s).front().value(), Offset{0});
}

// Of the others all the same. A first request to a broker may wait a second for its connection.
TEST(RdkAdmin, ALeaderThatIsGoneIsNotWaitedForLongerThanSaid) {
  MockCluster cluster;
  cluster.create_topic("events", 2);
  const auto admin = admin_of(cluster);
  const TopicPartition partitions[] = {{"events", PartitionId{0}}, {"events", PartitionId{1}}};
  cluster.lead(partitions[0], 1);
  cluster.lead(partitions[1], 2);
  ASSERT_TRUE(admin->high_watermarks(partitions, 5s).front());
  cluster.down(1);
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Result<Offset>> ends = admin->high_watermarks(partitions, 3s);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_EQ(ends[0].error(), Errc::timed_out);
  EXPECT_EQ(ends[1].value(), Offset{0});
}

TEST(RdkAdmin, WhatCanNotBeATopicIsRefused) {
  MockCluster cluster;
  const auto admin = admin_of(cluster);
  EXPECT_EQ(admin->create_topic({.name = "events", .partitions = -7}, 5s).error(), Errc::invalid_argument);
  EXPECT_EQ(admin->add_partitions("events", -1, 5s).error(), Errc::invalid_argument);
}

// The times are those of the calls: nobody listens at port 1, and no host has the other name.
TEST(KafkaErrors, AWrongAddressIsSaidWithin3Seconds) {
  PosixPorts ports;
  for (const auto& [hosts, text] :
       {std::pair{"127.0.0.1:1",
                  "io: no broker answers at 127.0.0.1:1 (connection refused); is Kafka running, and is that its port?"},
        std::pair{"nosuchhost.invalid:9092", "io: 'nosuchhost.invalid' has no address ("}}) {
    const RdkOptions options{.hosts = hosts};
    const auto admin = RdkAdmin::open(options, std::make_shared<BrokerCauses>(options, ports.ports().clock)).value();
    const Instant begin = ports.ports().clock.monotonic();
    const Result<RdkCluster> cluster = admin->cluster(700ms);
    RdkGroups groups{options, std::make_shared<BrokerCauses>(options, ports.ports().clock)};
    const Result<std::vector<RdkGroupOffset>> offsets = groups.offsets("g", {{"t", PartitionId{0}}}, true, 300ms);
    EXPECT_LT(ports.ports().clock.monotonic() - begin, 3s);
    EXPECT_TRUE(to_string(cluster.error()).starts_with(text)) << cluster.error();
    EXPECT_TRUE(to_string(offsets.error()).starts_with(text)) << offsets.error();
    EXPECT_EQ(admin->cluster_id(100ms).error(), Errc::io);
  }
}

TEST(RdkAdmin, WhereNobodyIsThereNoneIsWaitedForToTheEnd) {
  PosixPorts ports;
  const RdkOptions options{.hosts = "127.0.0.1:1", .client = {}};
  const auto admin = RdkAdmin::open(options, std::make_shared<BrokerCauses>(options, ports.ports().clock)).value();
  const Instant begin = ports.ports().clock.monotonic();
  EXPECT_EQ(admin->cluster_id(60s).error(), Errc::io);
  EXPECT_LT(ports.ports().clock.monotonic() - begin, 5s);
}

TEST(RdkAdmin, SettingsThatMakeNoHandleAreSaid) {
  PosixPorts ports;
  RdkOptions options{.hosts = "127.0.0.1:1", .client = {{"group.id", "mine"}}};
  const auto causes = std::make_shared<BrokerCauses>(options, ports.ports().clock);
  EXPECT_EQ(RdkAdmin::open(options, causes).error(), Errc::invalid_argument);
  options.client = {{"security.protocol", "ssl"}, {"ssl.ca.location", "/nowhere/ca.pem"}};
  const Error error = RdkAdmin::open(options, causes).error();
  EXPECT_EQ(error, Errc::invalid_argument);
  EXPECT_NE(error.text().find("ssl.ca.location"), std::string_view::npos) << error;
}

}  // namespace
}  // namespace lungo::test
