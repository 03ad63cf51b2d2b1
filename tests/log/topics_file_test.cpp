// The topics of a data directory, their places in the tail page, and Kafka's file that names a partition's topic.
#include "topics_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lungo {
namespace {

constexpr std::string_view kId = "Rk9vQmFyQmF6UXV4MTIzNA";

TEST(PartitionMetadata, IsWrittenAsKafkaDoesAndReadWithALineBreakToo) {
  const std::string kafkas = "version: 0\ntopic_id: " + std::string(kId);  // PartitionMetadataFile.java: no newline at the end
  for (const std::string& text : {kafkas, kafkas + "\n"}) {
    const Result<TopicId> id = parse_partition_metadata("partition.metadata", as_bytes(text));
    ASSERT_TRUE(id) << id.error();
    EXPECT_EQ(to_string(*id), kId);
    EXPECT_EQ(format_partition_metadata(*id), kafkas);
  }
}

TEST(PartitionMetadata, EverythingElseIsDamage) {
  const std::string good = "version: 0\ntopic_id: " + std::string(kId);
  for (const std::string& text : {std::string{}, std::string("version: 0\ntopic_id: "), good.substr(0, good.size() - 1),
                                  good + "\n\n", good + "A", "version: 1\ntopic_id: " + std::string(kId), " " + good}) {
    EXPECT_EQ(parse_partition_metadata("partition.metadata", as_bytes(text)).error(), Errc::corrupt) << text;
  }
}

TopicEntry topic(const std::string& name, std::int32_t partitions, std::vector<TailPlaces> places = {}) {
  return {.info = {{.name = name, .partitions = partitions}, {}}, .unknown = {}, .tail_places = std::move(places)};
}

TEST(TopicSettings, TheCodecIsKeptByKafkasNameAndAnUnknownOneIsDamage) {
  for (const Compression codec :
       {Compression::none, Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    TopicEntry entry = topic("a", 1);
    entry.info.spec.compression = codec;
    const std::string text = format_topics({entry});
    const bool is_named = text.find("\ncompression.type=" + std::string(to_string(codec)) + "\n") != std::string::npos;
    EXPECT_EQ(is_named, codec != Compression::none) << text;
    EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).value()[0].info.spec.compression, codec);
  }
  const Properties properties{{"topic", "a"}, {"compression.type", "brotli"}};
  EXPECT_EQ(parse_topics("lungo.topics", as_bytes(format_property_file("topics", 1, properties))).error(), Errc::corrupt);
  TopicSpec spec{.name = "a"};
  spec.compression = Compression{7};
  EXPECT_EQ(validate(spec).error(), Errc::invalid_argument);
}

TEST(TopicSettings, ThoseOfProducersBatchesStandWhereTheyAreNotTheUsual) {
  TopicEntry entry = topic("a", 1);
  EXPECT_EQ(format_topics({entry}).find("message.timestamp.type"), std::string::npos);
  EXPECT_EQ(format_topics({entry}).find("max.message.bytes"), std::string::npos);
  EXPECT_EQ(format_topics({entry}).find("producer.expiry.ms"), std::string::npos);
  entry.info.spec.timestamps = TimestampKind::log_append;
  entry.info.spec.batch_bytes_max = 4711;
  entry.info.spec.producer_expiry = std::chrono::milliseconds{99};
  const std::string text = format_topics({entry});
  EXPECT_NE(text.find("\nmessage.timestamp.type=LogAppendTime\nmax.message.bytes=4711\nproducer.expiry.ms=99\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).value()[0].info.spec, entry.info.spec);
  for (const Property& bad : Properties{{"message.timestamp.type", "Never"},
                                        {"max.message.bytes", "67"},
                                        {"max.message.bytes", "-1"},
                                        {"max.message.bytes", "4294967364"},
                                        {"producer.expiry.ms", "0"}}) {
    const Properties properties{{"topic", "a"}, bad};
    EXPECT_EQ(parse_topics("lungo.topics", as_bytes(format_property_file("topics", 1, properties))).error(), Errc::corrupt)
        << bad.key << "=" << bad.value;
  }
}

TEST(TailPlaces, AreKeptInTheFileAndNeverMoveWithAnotherTopic) {
  std::vector<TopicEntry> topics{topic("a", 2), topic("b", 3)};
  give_tail_places(topics, 0);
  EXPECT_EQ(topics[1].tail_places, (std::vector<TailPlaces>{{2, 3}}));
  topics.erase(topics.begin());
  topics[0].info.spec.partitions = 5;
  topics[0].tail_places.push_back({9, 2});
  const std::string text = format_topics(topics);
  EXPECT_NE(text.find("\ntail.places=2+3,9+2\n"), std::string::npos) << text;
  topics = parse_topics("lungo.topics", as_bytes(text)).value();
  EXPECT_EQ(tail_place_numbers(topics[0]), (std::vector<std::size_t>{2, 3, 4, 9, 10}));
  EXPECT_EQ(tail_places_end(topics), 11u);
}

TEST(TailPlaces, TopicsWithoutAnyGetThoseBehindAllOthersInTheOrderOfTheFile) {
  std::vector<TopicEntry> topics{topic("a", 2), topic("b", 1, {{4, 1}}), topic("c", 1)};
  give_tail_places(topics, 0);
  EXPECT_EQ(topics[0].tail_places, (std::vector<TailPlaces>{{5, 2}}));
  EXPECT_EQ(topics[1].tail_places, (std::vector<TailPlaces>{{4, 1}}));
  EXPECT_EQ(topics[2].tail_places, (std::vector<TailPlaces>{{7, 1}}));
  topics.push_back(topic("d", 1));
  give_tail_places(topics, 100);
  EXPECT_EQ(topics[3].tail_places, (std::vector<TailPlaces>{{100, 1}}));
}

TEST(TailPlaces, ThoseThatCannotBeAreDamage) {
  for (const std::string places : {"", "0", "0+", "+2", "0+1", "0+3", "0+2,", "0+1,0+1", "0+0,0+2", "-1+2", "4194303+2",
                                   "99999999999+2", "0+1,1+1,2+1", "0 2", "3+2"}) {
    const Properties properties{{"topic", "a"}, {"partitions", "2"}, {"tail.places", places},
                                {"topic", "b"}, {"partitions", "1"}, {"tail.places", "4+1"}};
    const std::string text = format_property_file("topics", 1, properties);
    EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).error(), Errc::corrupt) << places;
  }
}

TEST(TopicSettings, LimitsAreKeptWhereThereAreSome) {
  std::vector<TopicEntry> topics{topic("a", 1), topic("b", 1)};
  topics[1].info.spec.segment_age = std::chrono::milliseconds{1};
  topics[1].info.spec.retention_age = std::chrono::milliseconds{0};
  topics[1].info.spec.retention_bytes = 1ull << 62;
  const std::string text = format_topics(topics);
  EXPECT_NE(text.find("\nsegment.ms=1\nretention.ms=0\nretention.bytes=4611686018427387904\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("retention.ms"), text.rfind("retention.ms")) << "the other one has none";
  const std::vector<TopicEntry> read = parse_topics("lungo.topics", as_bytes(text)).value();
  EXPECT_EQ(read[0].info.spec, topics[0].info.spec);
  EXPECT_EQ(read[1].info.spec, topics[1].info.spec);
}

TEST(TopicSettings, ThoseOfCompactionAreKeptWhereTheyAreNotTheDefaults) {
  std::vector<TopicEntry> topics{topic("a", 1), topic("b", 1)};
  topics[1].info.spec.tombstone_age = std::chrono::milliseconds{0};
  topics[1].info.spec.compaction_lag = std::chrono::milliseconds{7};
  topics[1].info.spec.dirty_ratio_min = 0.1;
  const std::string text = format_topics(topics);
  EXPECT_NE(text.find("\ndelete.retention.ms=0\nmin.compaction.lag.ms=7\nmin.cleanable.dirty.ratio=0.1\n"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("min.cleanable"), text.rfind("min.cleanable"));
  const std::vector<TopicEntry> read = parse_topics("lungo.topics", as_bytes(text)).value();
  EXPECT_EQ(read[0].info.spec, topics[0].info.spec);
  EXPECT_EQ(read[1].info.spec, topics[1].info.spec);
  const TopicSpec altered = changed(read[1].info.spec, {.compaction_lag = std::chrono::milliseconds{8}}).value();
  EXPECT_EQ(altered.compaction_lag, std::chrono::milliseconds{8});
  EXPECT_EQ(altered.dirty_ratio_min, 0.1);
  EXPECT_EQ(changed(altered, {.dirty_ratio_min = 1.01}).error(), Errc::invalid_argument);
}

// What stands where, to the letter, whatever the table of settings looks like.
TEST(TopicSettings, StandInTheFilesOrder) {
  TopicEntry usual = topic("a", 2);
  const std::string head = "id=AAAAAAAAAAAAAAAAAAAAAA\npartitions=2\nstreams=0\ncompact=";
  EXPECT_NE(format_topics({usual}).find("\ntopic=a\n" + head +
                                        "0\nack.level=isr+sync\nflush.interval.ms=5\nsegment.bytes=67108864\ncrc32c="),
            std::string::npos)
      << format_topics({usual});
  TopicEntry entry = topic("a", 2, {{0, 2}});
  entry.gaps = true;
  entry.unknown = {{"future", "1"}};
  using std::chrono::milliseconds;
  entry.info.spec = {.name = "a",
                     .partitions = 2,
                     .compact = true,
                     .ack_level = AckLevel::isr,
                     .flush_interval = kFlushNever,
                     .segment_bytes = 512,
                     .segment_age = milliseconds{1},
                     .retention_age = milliseconds{2},
                     .retention_bytes = 3,
                     .compression = Compression::zstd,
                     .tombstone_age = milliseconds{4},
                     .compaction_lag = milliseconds{5},
                     .dirty_ratio_min = 0.25,
                     .timestamps = TimestampKind::log_append,
                     .batch_bytes_max = 68,
                     .producer_expiry = milliseconds{6}};
  const std::string text = format_topics({entry});
  EXPECT_NE(text.find("\ntopic=a\n" + head +
                      "1\nack.level=isr\nflush.interval.ms=9223372036854775807\nsegment.bytes=512\nsegment.ms=1\n"
                      "retention.ms=2\nretention.bytes=3\ngaps=1\ncompression.type=zstd\ndelete.retention.ms=4\n"
                      "min.compaction.lag.ms=5\nmin.cleanable.dirty.ratio=0.25\nmessage.timestamp.type=LogAppendTime\n"
                      "max.message.bytes=68\nproducer.expiry.ms=6\ntail.places=0+2\nfuture=1\ncrc32c="),
            std::string::npos)
      << text;
  const TopicEntry read = parse_topics("lungo.topics", as_bytes(text)).value()[0];
  EXPECT_EQ(read.info.spec, entry.info.spec);
  EXPECT_TRUE(read.gaps);
  EXPECT_EQ(read.unknown, entry.unknown);
}

TEST(TopicSettings, WhatUsersMayWriteAndTheFileNeverHasIsDamage) {
  for (const Property& property : {Property{"retention.ms", "none"}, Property{"flush.interval.ms", "none"}}) {
    const std::string text = format_property_file("topics", 1, {{"topic", "a"}, {"partitions", "1"}, property});
    EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).error().text(),
              "lungo.topics: " + property.key + "=" + property.value + " can't be");
  }
  // By the tools' name it is no line of the file: kept, as any that nobody knows.
  const std::string text = format_property_file("topics", 1, {{"topic", "a"}, {"cleanup.policy", "compact"}});
  EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).value()[0].unknown, (Properties{{"cleanup.policy", "compact"}}));
}

TEST(TopicSettings, LimitsThatCannotBeAreDamage) {
  for (const Property& property :
       {Property{"segment.ms", "0"}, Property{"retention.ms", "-1"}, Property{"retention.bytes", "-1"},
        Property{"retention.bytes", "x"}, Property{"segment.ms", ""}, Property{"delete.retention.ms", "-1"},
        Property{"min.compaction.lag.ms", "-1"}, Property{"min.cleanable.dirty.ratio", "-0.1"},
        Property{"min.cleanable.dirty.ratio", "1.1"}, Property{"min.cleanable.dirty.ratio", "nan"},
        Property{"min.cleanable.dirty.ratio", "0.5x"}, Property{"min.cleanable.dirty.ratio", ""}}) {
    const std::string text = format_property_file("topics", 1, {{"topic", "a"}, {"partitions", "1"}, property});
    EXPECT_EQ(parse_topics("lungo.topics", as_bytes(text)).error(), Errc::corrupt) << property.key << "=" << property.value;
  }
}

}  // namespace
}  // namespace lungo
