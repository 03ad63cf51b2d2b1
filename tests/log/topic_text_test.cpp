#include <gtest/gtest.h>

#include <lungo/log/topic_text.hpp>

namespace lungo::test {
namespace {

TopicInfo some_topic() {
  TopicInfo topic;
  topic.spec = {.name = "clicks",
                .partitions = 32,
                .streams = true,
                .retention_age = std::chrono::hours{24},
                .compression = Compression::zstd};
  topic.id.bytes[3] = 7;
  return topic;
}

TEST(TopicText, ComesBackWithItsIdAndSettings) {
  const TopicInfo topic = some_topic();
  const std::string text = format_topic(topic);
  const Result<TopicInfo> read = parse_topic("row clicks", as_bytes(text));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->spec, topic.spec);
  EXPECT_EQ(read->id, topic.id);
}

TEST(TopicText, IsOneTopic) {
  for (const std::string& text :
       {std::string(), std::string("lungo-topics 1\n"), format_topic(some_topic()) + format_topic(some_topic())}) {
    const Result<TopicInfo> read = parse_topic("row clicks", as_bytes(text));
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error(), Errc::corrupt);
    EXPECT_EQ(read.error().text().substr(0, 10), "row clicks");
  }
}

TEST(TopicText, ABrokenCharacterIsFound) {
  std::string text = format_topic(some_topic());
  text[text.find("32")] = '2';
  EXPECT_EQ(parse_topic("row clicks", as_bytes(text)).error(), Errc::corrupt);
}

TEST(TopicText, NamesWhatDiffersAndWhatCantBe) {
  TopicSpec wanted = some_topic().spec;
  EXPECT_EQ(topic_difference(some_topic().spec, wanted), "");
  wanted.partitions = 8;
  EXPECT_EQ(topic_difference(some_topic().spec, wanted), "partitions=32, not 8");
  EXPECT_TRUE(validate_topic(wanted));
  wanted.compact = true;
  EXPECT_EQ(validate_topic(wanted).error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace lungo::test
