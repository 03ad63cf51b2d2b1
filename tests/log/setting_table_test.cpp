// Goal: whatever goes over the settings of topics goes over all of them, and says for each what its reader would have written.
#include "setting_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "topics_file.hpp"

namespace lungo {
namespace {

using std::chrono::milliseconds;

/// Every setting that may change, to another value than a TopicSpec begins with.
TopicChange change_of_all() {
  TopicChange change;
  change.ack_level = AckLevel::isr;
  change.flush_interval = kFlushNever;
  change.segment_bytes = 512;
  change.segment_age = milliseconds{1};
  change.retention_age = milliseconds{2};
  change.retention_bytes = 3;
  change.tombstone_age = milliseconds{4};
  change.compaction_lag = milliseconds{5};
  change.dirty_ratio_min = 0.75;
  change.timestamps = TimestampKind::log_append;
  change.batch_bytes_max = 68;
  change.producer_expiry = milliseconds{6};
  return change;
}

TopicSpec all_set() {
  TopicSpec spec{.name = "t", .compact = true, .compression = Compression::lz4};
  apply(change_of_all(), spec);
  return spec;
}

std::string texts(const TopicSpec& spec, SettingStyle style) {
  std::string text;
  for (const TopicSetting& setting : topic_settings()) text += text_of(setting, spec, style) + " ";
  return text;
}

TEST(SettingTable, EachIsWrittenForWhoReadsIt) {
  EXPECT_EQ(texts(all_set(), SettingStyle::code),
            "compact=true ack_level=isr flush_interval=none segment_bytes=512 segment_age=1ms retention_age=2ms "
            "retention_bytes=3 compression=lz4 tombstone_age=4ms compaction_lag=5ms dirty_ratio_min=0.75 "
            "timestamps=log_append batch_bytes_max=68 producer_expiry=6ms ");
  EXPECT_EQ(texts(all_set(), SettingStyle::user),
            "cleanup.policy=compact ack.level=isr flush.interval.ms=none segment.bytes=512 segment.ms=1 retention.ms=2 "
            "retention.bytes=3 compression.type=lz4 delete.retention.ms=4 min.compaction.lag.ms=5 "
            "min.cleanable.dirty.ratio=0.75 message.timestamp.type=LogAppendTime max.message.bytes=68 producer.expiry.ms=6 ");
}

TEST(SettingTable, NoTwoHaveOneNameAndNoneIsMissed) {
  std::set<std::string_view> names;
  const TopicSpec spec = all_set();
  for (const TopicSetting& setting : topic_settings()) {
    EXPECT_TRUE(names.insert(setting.name).second && names.insert(setting.member).second) << setting.name;
    EXPECT_EQ(find_setting(setting.name), &setting);
    EXPECT_NE(setting.format(spec, SettingStyle::file), setting.format({}, SettingStyle::file)) << setting.name;
    EXPECT_EQ(setting.apply == nullptr, setting.ask == nullptr);
  }
  EXPECT_EQ(find_setting("retention_age"), nullptr) << "that is the member's";
}

TEST(SettingTable, AValueThatIsWrittenIsReadAgain) {
  TopicSpec again{.name = "t"};
  for (const TopicSetting& setting : topic_settings()) {
    const std::string text = setting.format(all_set(), SettingStyle::file).value();
    EXPECT_TRUE(setting.parse(text, again)) << setting.name << "=" << text;
  }
  EXPECT_EQ(again, all_set());
  for (const TopicSetting& setting : topic_settings()) {
    EXPECT_FALSE(setting.parse("", again)) << setting.name;
    EXPECT_FALSE(setting.parse("-1", again)) << setting.name;
  }
  EXPECT_EQ(again, all_set()) << "nothing was set";
}

TEST(SettingTable, AChangeAsksForOneValueOrForNone) {
  for (const TopicSetting& setting : topic_settings()) {
    if (setting.ask == nullptr) continue;
    for (const TopicSpec& wanted : {all_set(), TopicSpec{.name = "t"}}) {
      TopicChange change;
      setting.ask(wanted, change);
      TopicSpec spec = wanted == all_set() ? TopicSpec{.name = "t"} : all_set();
      const TopicSpec before = spec;
      apply(change, spec);
      EXPECT_EQ(setting.format(spec, SettingStyle::file), setting.format(wanted, SettingStyle::file)) << setting.name;
      setting.ask(before, change);
      apply(change, spec);
      EXPECT_EQ(spec, before) << setting.name << " alone was changed";
    }
  }
}

TEST(SettingTable, WhatIsOutOfRangeIsToldByTheMember) {
  const auto fault = [](const TopicChange& change) { return std::string(changed({.name = "t"}, change).error().text()); };
  EXPECT_EQ(fault({.flush_interval = milliseconds{-1}}), "topic \"t\": flush_interval must be 0 ms or more, not -1ms");
  EXPECT_EQ(fault({.segment_bytes = 511}), "topic \"t\": segment_bytes must be 512 to 2147483647, not 511");
  EXPECT_EQ(fault({.segment_age = milliseconds{0}}), "topic \"t\": segment_age must be 1 ms or more, not 0ms");
  EXPECT_EQ(fault({.retention_bytes = 1ull << 63}),
            "topic \"t\": retention_bytes must be 0 to 9223372036854775807, not 9223372036854775808");
  EXPECT_EQ(fault({.dirty_ratio_min = 1.5}), "topic \"t\": dirty_ratio_min must be 0 to 1, not 1.5");
  EXPECT_EQ(fault({.batch_bytes_max = 67}), "topic \"t\": batch_bytes_max must be 68 to 536870912, not 67");
  EXPECT_EQ(fault({.timestamps = TimestampKind{7}}), "topic \"t\": timestamps must be create|log_append, not 7");
}

TEST(SettingTable, TheFirstDifferenceIsToldWithBothValues) {
  const TopicSpec there{.name = "t"};
  EXPECT_EQ(difference(there, there, SettingStyle::user), "");
  EXPECT_EQ(difference(there, {.name = "t", .partitions = 5}, SettingStyle::user), "partitions=4, not 5");
  EXPECT_EQ(difference(there, {.name = "t", .streams = true}, SettingStyle::code), "streams=false, not true");
  const TopicSpec other{.name = "t", .retention_age = milliseconds{5}};
  EXPECT_EQ(difference(there, other, SettingStyle::user), "retention.ms=none, not 5");
  EXPECT_EQ(difference(other, there, SettingStyle::code), "retention_age=5ms, not none");
}

}  // namespace
}  // namespace lungo
