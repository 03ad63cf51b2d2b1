#include <algorithm>
#include <thread>

#include "broker_test.hpp"

namespace lungo::test {
namespace {

class KafkaTopics : public BrokerTest {};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TEST_F(KafkaTopics, AreMadeWithSettingsThatAreToldBack) {
  const std::string made = topic(3, {{"cleanup.policy", "compact"}, {"retention.ms", "-1"}});
  Result<std::map<std::string, RdkTopicSetting>> found = admin->topic_settings(made, 10s);
  for (int i = 0; i < 100 && !found; ++i) {  // the broker that is asked may hear of the topic a little later
    std::this_thread::sleep_for(50ms);
    found = admin->topic_settings(made, 10s);
  }
  const std::map<std::string, RdkTopicSetting>& settings = found.value();
  EXPECT_EQ(settings.at("cleanup.policy").value, "compact");
  EXPECT_FALSE(settings.at("cleanup.policy").is_default);
  EXPECT_EQ(settings.at("message.timestamp.type").value, "CreateTime");
  EXPECT_TRUE(settings.at("message.timestamp.type").is_default);
  EXPECT_EQ(admin->topic(made, 10s).value().partitions.size(), 3u);
  const RdkCluster cluster = admin->cluster(10s).value();
  EXPECT_TRUE(std::ranges::binary_search(cluster.topics, made, {}, &RdkTopic::name));
  EXPECT_FALSE(admin->cluster_id(10s).value().empty());
}

TEST_F(KafkaTopics, WhatCanNotBeMadeIsSaidInTheBrokersWords) {
  const std::string made = topic();
  EXPECT_EQ(admin->create_topic({.name = made}, 10s).error(), Errc::already_exists);
  const Error unknown = admin->create_topic({.name = name("t"), .settings = {{"lungo.streams", "true"}}}, 10s).error();
  EXPECT_EQ(unknown, Errc::invalid_argument);
  EXPECT_TRUE(has(unknown.text(), "lungo.streams")) << unknown;
  const Error replication = admin->create_topic({.name = name("t"), .replication = 99}, 10s).error();
  EXPECT_EQ(replication, Errc::invalid_argument) << replication;
  EXPECT_EQ(admin->create_topic({.name = "no topic"}, 10s).error(), Errc::invalid_argument);
  EXPECT_EQ(admin->create_topic({.name = ""}, 10s).error(), Errc::invalid_argument);
}

TEST_F(KafkaTopics, GetMorePartitionsAndNeverFewer) {
  const std::string made = topic(2);
  ASSERT_TRUE(admin->add_partitions(made, 5, 10s));
  while (admin->topic(made, 10s).value().partitions.size() != 5) {  // the controller knows it before the broker
  }
  EXPECT_EQ(admin->add_partitions(made, 3, 10s).error(), Errc::invalid_argument);
  EXPECT_EQ(admin->add_partitions(name("none"), 3, 10s).error(), Errc::not_found);
}

TEST_F(KafkaTopics, GoAndAreNotFound) {
  const std::string made = topic();
  ASSERT_TRUE(admin->delete_topic(made, 10s));
  EXPECT_EQ(admin->delete_topic(made, 10s).error(), Errc::not_found);
  Result<RdkTopic> there = admin->topic(made, 10s);
  while (there) there = admin->topic(made, 10s);  // one broker hears of it later than another
  EXPECT_EQ(there.error(), Errc::not_found);
}

TEST_F(KafkaTopics, NoneIsMadeByAsking) {
  const std::string none = name("none");
  EXPECT_EQ(admin->topic(none, 10s).error(), Errc::not_found);
  EXPECT_EQ(admin->start({none, PartitionId{0}}, 3s).error(), Errc::not_found);
  TailOf tail(options, causes, {none, PartitionId{0}});
  ASSERT_TRUE((*tail).poll(2s, 10));
  const RdkCluster cluster = admin->cluster(10s).value();
  EXPECT_FALSE(std::ranges::binary_search(cluster.topics, none, {}, &RdkTopic::name));
}

TEST_F(KafkaTopics, DeletedRecordsMoveTheStart) {
  const std::string made = topic();
  const TopicPartition partition{made, PartitionId{0}};
  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(writer->produce(partition, record_of("v"), 0));
  ASSERT_TRUE(writer->commit().ok());
  EXPECT_EQ(admin->delete_records(partition, Offset{3}, 10s).value(), Offset{3});
  EXPECT_EQ(admin->start(partition, 10s).value(), Offset{3});
  EXPECT_EQ(admin->delete_records(partition, Offset{100}, 10s).error(), Errc::offset_out_of_range);
  EXPECT_EQ(admin->delete_records({made, PartitionId{7}}, Offset{0}, 10s).error(), Errc::not_found);

  TailOf tail(options, causes, partition);
  ASSERT_TRUE(tail.poll_until([&] { return !tail.errors.empty(); }));
  EXPECT_EQ(tail.errors[0], Errc::offset_out_of_range) << tail.errors[0];
  EXPECT_EQ(tail.errors[0].offset(), Offset{0});
  ASSERT_TRUE((*tail).seek({partition, Offset{3}}));
  ASSERT_TRUE(tail.poll_to(6));  // with the marker
  EXPECT_EQ(tail.offsets, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(tail.errors.size(), 1u);
}

TEST_F(KafkaTopics, TheBrokersTimeIsKnownAsSuch) {
  const std::string made = topic(1, {{"message.timestamp.type", "LogAppendTime"}});
  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  ASSERT_TRUE(writer->produce({made, PartitionId{0}}, record_of("v"), 0));
  ASSERT_TRUE(writer->commit().ok());
  TailOf tail(options, causes, {made, PartitionId{0}});
  ASSERT_TRUE(tail.poll_to(2));
  EXPECT_EQ(tail.time_kind, TimestampKind::log_append);
}

}  // namespace
}  // namespace lungo::test
