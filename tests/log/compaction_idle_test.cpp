// Goal: what compaction would leave as it is, is not written.
#include <gtest/gtest.h>

#include "tests/log/compacted_partition.hpp"

namespace lungo::test {
namespace {

TEST(Compaction, WhereNothingGoesNothingIsWritten) {
  CompactedPartition fixture;
  fixture.options.segment_bytes = 150;  // no two fit one
  const auto log = fixture.opened();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"key" + std::to_string(i), padded(i)}}));
  ASSERT_TRUE(log->sync());
  const std::vector<std::string> names = fixture.names();
  const KeyedRecords before = keyed_records(*log);
  ASSERT_TRUE(fixture.compact(*log));
  EXPECT_EQ(fixture.names(), names);
  EXPECT_EQ(keyed_records(*log), before);
}

TEST(Compaction, ASegmentThatEndsInAHeaderAloneIsWrittenOnce) {
  CompactedPartition fixture;
  fixture.options.segment_bytes = 150;  // no two fit one, also not a header and a batch
  const auto log = fixture.opened();
  for (const char* key : {"a", "b", "a", "c"}) ASSERT_TRUE(append_keyed(*log, {KeyedRecord{key, padded(1)}}));
  ASSERT_TRUE(log->sync());
  int exchanges = 0;
  fixture.simulation->disk.on_step([&exchanges](const DiskStep& step) {
    exchanges += step.operation == "rename" && step.path.ends_with(".log.swap") ? 1 : 0;
  });
  ASSERT_TRUE(fixture.compact(*log));
  EXPECT_EQ(exchanges, 1);
  EXPECT_EQ(keyed_records(*log).size(), 3u);
  ASSERT_TRUE(fixture.compact(*log));
  EXPECT_EQ(exchanges, 1);
  fixture.simulation->disk.on_step(nullptr);
}

}  // namespace
}  // namespace lungo::test
