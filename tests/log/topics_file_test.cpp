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
