#include "client/kafka_topics.hpp"

#include <gtest/gtest.h>

namespace lungo::test {
namespace {

constexpr int kThree = 3;

TopicSpec streams() { return {.name = "events", .partitions = 8, .streams = true}; }

/// What a broker answers of a topic that was made so: its own defaults beside what it was given.
KafkaSettings described(KafkaSettings made) {
  made.insert({{"retention.ms", "604800000"},
               {"retention.bytes", "-1"},
               {"min.insync.replicas", "1"},
               {"flush.ms", "9223372036854775807"}});
  return made;
}

TEST(KafkaTopics, NothingOfAStreamTopicGoes) {
  const KafkaSettings made = kafka_settings(streams(), kThree);
  EXPECT_EQ(made.at("cleanup.policy"), "delete");
  EXPECT_EQ(made.at("retention.ms"), "-1");
  EXPECT_EQ(made.at("retention.bytes"), "-1");
  EXPECT_EQ(made.at("message.timestamp.type"), "CreateTime");
  EXPECT_EQ(made.at("min.insync.replicas"), "2");
  EXPECT_EQ(made.at("unclean.leader.election.enable"), "false");
}

TEST(KafkaTopics, WhatWasAskedForIsMade) {
  TopicSpec spec = streams();
  spec.retention_age = std::chrono::hours{1};
  spec.retention_bytes = 1000;
  spec.segment_age = std::chrono::seconds{2};
  spec.compression = Compression::lz4;
  spec.timestamps = TimestampKind::log_append;
  const KafkaSettings made = kafka_settings(spec, 1);
  EXPECT_EQ(made.at("retention.ms"), "3600000");
  EXPECT_EQ(made.at("retention.bytes"), "1000");
  EXPECT_EQ(made.at("segment.ms"), "2000");
  EXPECT_EQ(made.at("compression.type"), "lz4");
  EXPECT_EQ(made.at("message.timestamp.type"), "LogAppendTime");
  EXPECT_EQ(made.count("min.insync.replicas"), 0U);
}

TEST(KafkaTopics, ACompactedOneHasItsLimits) {
  const KafkaSettings made = kafka_settings({.name = "__lungo_positions", .partitions = 1, .compact = true}, kThree);
  EXPECT_EQ(made.at("cleanup.policy"), "compact");
  EXPECT_EQ(made.at("delete.retention.ms"), "86400000");
  EXPECT_EQ(made.at("min.cleanable.dirty.ratio"), "0.5");
  EXPECT_EQ(made.count("retention.ms"), 0U);
}

TEST(KafkaTopics, OneThatLungoMadeFits) {
  for (TopicSpec spec : {streams(), TopicSpec{.name = "__lungo_positions", .compact = true}}) {
    for (const int replication : {1, kThree}) {
      EXPECT_EQ(unfit_settings(spec, replication, described(kafka_settings(spec, replication))), KafkaSettings{});
    }
  }
}

TEST(KafkaTopics, MoreReplicasInSyncFit) {
  KafkaSettings there = described(kafka_settings(streams(), kThree));
  there["min.insync.replicas"] = "3";
  EXPECT_EQ(unfit_settings(streams(), kThree, there), KafkaSettings{});
  there["min.insync.replicas"] = "1";
  EXPECT_EQ(unfit_settings(streams(), kThree, there), (KafkaSettings{{"min.insync.replicas", "2"}}));
}

TEST(KafkaTopics, WhatDoesNotFitIsNamedWithTheLineThatMendsIt) {
  KafkaSettings there = described(kafka_settings(streams(), 1));
  there["cleanup.policy"] = "compact";
  there["retention.ms"] = "604800000";
  there.erase("unclean.leader.election.enable");
  const KafkaSettings unfit = unfit_settings(streams(), 1, there);
  const Error error = unfit_error("host:9092", "events", unfit, there);
  EXPECT_EQ(error, Errc::already_exists);
  EXPECT_EQ(error.text(),
            "topic events exists with cleanup.policy=compact, not delete, retention.ms=604800000, not -1, "
            "unclean.leader.election.enable=(none), not false; kafka-configs.sh --bootstrap-server host:9092 --alter "
            "--entity-type topics "
            "--entity-name events --add-config cleanup.policy=delete,retention.ms=-1,unclean.leader.election.enable=false");
}

TEST(KafkaTopics, OfAChangeOnlyThatCounts) {
  const TopicSpec before = streams();
  TopicSpec wanted = before;
  wanted.retention_age = std::chrono::hours{1};
  KafkaSettings there = kafka_settings(before, kThree);
  there["segment.bytes"] = "1000000";  // by whoever operates it
  EXPECT_EQ(unchanged_settings(before, wanted, kThree, there), (KafkaSettings{{"retention.ms", "3600000"}}));
  there["retention.ms"] = "3600000";
  EXPECT_EQ(unchanged_settings(before, wanted, kThree, there), KafkaSettings{});
  EXPECT_EQ(lasting_difference(before, wanted), "");
  wanted.streams = false;
  EXPECT_EQ(lasting_difference(before, wanted), "streams=true, not false");
}

TEST(KafkaTopics, ATopicTakesWholeBatchesWhateverARecordMayBe) {
  TopicSpec narrow = streams();
  narrow.batch_bytes_max = 1'000;
  EXPECT_EQ(kafka_settings(narrow, 1).at("max.message.bytes"), "1048588");
  narrow.batch_bytes_max = 4'000'000;
  EXPECT_EQ(kafka_settings(narrow, 1).at("max.message.bytes"), "4000000");
}

TEST(KafkaTopics, OneOfOthersIsPlainWithWhatKafkaSaysOfIt) {
  const TopicSpec spec = foreign_topic("clicks", 6,
                                       {{"cleanup.policy", "delete"},
                                        {"retention.ms", "604800000"},
                                        {"retention.bytes", "-1"},
                                        {"segment.bytes", "1073741824"},
                                        {"max.message.bytes", "1048588"},
                                        {"message.timestamp.type", "LogAppendTime"}});
  EXPECT_FALSE(spec.streams);
  EXPECT_EQ(spec.partitions, 6);
  EXPECT_EQ(spec.retention_age, std::chrono::hours{7 * 24});
  EXPECT_EQ(spec.retention_bytes, std::nullopt);
  EXPECT_EQ(spec.segment_bytes, 1U << 30);
  EXPECT_EQ(spec.timestamps, TimestampKind::log_append);
  EXPECT_TRUE(foreign_topic("keys", 1, {{"cleanup.policy", "compact"}}).compact);
}

}  // namespace
}  // namespace lungo::test
