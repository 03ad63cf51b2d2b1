// Settings by name: each can be set and is shown; what is wrong is told with what would be right.
#include "log/tools/topic_settings.hpp"

#include <gtest/gtest.h>

#include "log/tools/log_consume.hpp"
#include "log/tools/log_topics.hpp"

namespace lungo::test {
namespace {

std::string shown(const TopicSpec& spec) {
  std::string text;
  for (const Setting& setting : settings_of(spec)) text += setting.name + "=" + setting.value + " ";
  return text;
}

std::string refusal(std::string_view assignment) {
  TopicSpec spec{.name = "t"};
  const Result<void> done = set(spec, assignment);
  return done ? "taken" : std::string(done.error().text());
}

TEST(TopicSettings, DefaultsAreShown) {
  EXPECT_EQ(shown({.name = "t"}),
            "ack.level=isr+sync cleanup.policy=delete compression.type=none delete.retention.ms=86400000 flush.interval.ms=5 "
            "max.message.bytes=1048588 message.timestamp.type=CreateTime min.cleanable.dirty.ratio=0.5 "
            "min.compaction.lag.ms=0 producer.expiry.ms=86400000 retention.bytes=none retention.ms=none "
            "segment.bytes=67108864 segment.ms=none ");
}

TEST(TopicSettings, EachIsSetAndShownAgain) {
  TopicSpec spec{.name = "t"};
  const std::string all[] = {"ack.level=isr",
                             "cleanup.policy=compact",
                             "compression.type=zstd",
                             "delete.retention.ms=10",
                             "flush.interval.ms=none",
                             "max.message.bytes=20000",
                             "message.timestamp.type=LogAppendTime",
                             "min.cleanable.dirty.ratio=0.25",
                             "min.compaction.lag.ms=30",
                             "producer.expiry.ms=40",
                             "retention.bytes=100",
                             "retention.ms=200",
                             "segment.bytes=1000",
                             "segment.ms=300"};
  std::string expected;
  for (const std::string& one : all) {
    ASSERT_TRUE(set(spec, one)) << one;
    expected += one + " ";
  }
  EXPECT_EQ(shown(spec), expected);
  EXPECT_EQ(spec.flush_interval, kFlushNever);
  EXPECT_TRUE(spec.compact);
}

TEST(TopicSettings, TheLastOfSeveralCounts) {
  TopicSpec spec{.name = "t"};
  for (const char* one : {"retention.ms=200", "retention.ms=none", "producer.expiry.ms=1", "producer.expiry.ms=2"})
    ASSERT_TRUE(set(spec, one)) << one;
  EXPECT_EQ(spec, (TopicSpec{.name = "t", .producer_expiry = std::chrono::milliseconds{2}}));
}

TEST(TopicSettings, NoneAndMinusOneTakeALimitAway) {
  for (const char* none : {"retention.ms=none", "retention.ms=-1"}) {
    TopicChange change;
    ASSERT_TRUE(set(change, none));
    EXPECT_EQ(change.retention_age, kNoAgeLimit);
    TopicSpec spec{.name = "t"};
    ASSERT_TRUE(set(spec, none));
    EXPECT_EQ(spec.retention_age, std::nullopt);
  }
  TopicSpec most{.name = "t"};
  ASSERT_TRUE(set(most, "retention.ms=9223372036854775807"));
  EXPECT_EQ(most.retention_age, std::nullopt) << "longer than anything is kept";
  TopicChange change;
  ASSERT_TRUE(set(change, "retention.bytes=none"));
  EXPECT_EQ(change.retention_bytes, kNoSizeLimit);
}

TEST(TopicSettings, WhatIsWrongIsToldWithWhatIsRight) {
  EXPECT_EQ(refusal("retention.ms"), "'retention.ms' is no setting; write NAME=VALUE, e.g. retention.ms=86400000");
  EXPECT_EQ(refusal("retentoin.ms=1").substr(0, 60), "no setting retentoin.ms; did you mean retention.ms? There ar");
  EXPECT_EQ(refusal("retention.ms=1d"), "retention.ms is MS|none, 0 or more, not '1d'");
  EXPECT_EQ(refusal("retention.ms=-2"), "retention.ms is MS|none, 0 or more, not '-2'");
  EXPECT_EQ(refusal("segment.bytes=none"), "segment.bytes is BYTES, 512 to 2147483647, not 'none'");
  EXPECT_EQ(refusal("ack.level=all"), "ack.level is isr+sync|isr, not 'all'");
  EXPECT_EQ(refusal("compression.type=brotli"), "compression.type is none|gzip|snappy|lz4|zstd, not 'brotli'");
  EXPECT_EQ(refusal("delete.retention.ms=none"), "delete.retention.ms is MS, 0 or more, not 'none'");
  EXPECT_EQ(refusal("max.message.bytes=4294967296"), "max.message.bytes is BYTES, 68 to 536870912, not '4294967296'");
  EXPECT_EQ(refusal("segment.bytes=511"), "segment.bytes is BYTES, 512 to 2147483647, not '511'");
  EXPECT_EQ(refusal("segment.ms=0"), "segment.ms is MS|none, 1 or more, not '0'");
  EXPECT_EQ(refusal("message.timestamp.type=createtime"),
            "message.timestamp.type is CreateTime|LogAppendTime, not 'createtime'");
  for (const char* value : {"1.5", "-0.1", "nan", "half", ""})
    EXPECT_EQ(refusal(std::string("min.cleanable.dirty.ratio=") + value),
              "min.cleanable.dirty.ratio is 0..1, not '" + std::string(value) + "'");
  EXPECT_EQ(refusal("cleanup.policy=compact,delete"), "cleanup.policy is delete|compact, not 'compact,delete'");
  TopicChange change;
  for (const char* fixed : {"cleanup.policy=compact", "compression.type=gzip"}) {
    const Result<void> done = set(change, fixed);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().text().find("is set when a topic is made"), std::string_view::npos) << done.error();
  }
}

TEST(ReadFrom, PlacesAreParsed) {
  using Kind = ReadFrom::Kind;
  EXPECT_EQ(parse_from("earliest")->kind, Kind::earliest);
  EXPECT_EQ(parse_from("latest")->kind, Kind::latest);
  EXPECT_EQ(parse_from("1714564800000").value(), (ReadFrom{Kind::offset, Offset{1'714'564'800'000}, {}}));
  const Timestamp noon{std::chrono::milliseconds{1'714'564'800'000}};
  for (const char* text : {"@1714564800000", "2024-05-01T12:00", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00.000"})
    EXPECT_EQ(parse_from(text).value(), (ReadFrom{Kind::time, {}, noon})) << text;
  for (const char* text : {"", "-1", "yesterday", "@", "@x", "2024-05-01T12:00:00+02:00", "99999999999999999999"}) {
    const Result<ReadFrom> from = parse_from(text);
    ASSERT_FALSE(from) << text;
    EXPECT_NE(from.error().text().find("is no place to begin at"), std::string_view::npos) << from.error();
  }
  EXPECT_NE(parse_from("earlist").error().text().find("did you mean earliest?"), std::string_view::npos);
}

}  // namespace
}  // namespace lungo::test
