// Goal: what the stream index knew before a compaction finds no record that is gone, and all that are there.
#include <gtest/gtest.h>

#include "stream_run_files.hpp"
#include "tests/log/compacted_partition.hpp"

namespace lungo::test {
namespace {

// The stream runs from before are left as they are: hints, which name records that are gone.
TEST(CompactionStreams, AnOldStreamIndexFindsNoRecordThatIsGone) {
  CompactedPartition fixture;
  fixture.options.streams = true;
  fixture.options.segment_bytes = 400;  // no two fit one
  const auto expect_the_last = [](PartitionLog& log) {
    const Result<KeyRecords> found = log.read_key("a", Offset{0}, log.written_end(), 10);
    ASSERT_TRUE(found) << found.error();
    ASSERT_EQ(found->records.size(), 1u);
    EXPECT_EQ(found->records[0].offset, Offset{3});
  };
  std::optional<CleanEnd> clean;
  {
    const auto log = fixture.opened();
    for (const char* key : {"a", "b", "c", "a", "d", "e"}) {
      ASSERT_TRUE(append_keyed(*log, {KeyedRecord{key, std::string(30, '.')}}));
      if (*key == 'c' || *key == 'e') {
        ASSERT_TRUE(log->roll());
      }
    }
    clean = log->close().value();
  }
  const std::vector<StreamRunName> runs = list_stream_runs(fixture.simulation->disk, fixture.path("")).value();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs.front(), (StreamRunName{Offset{0}, Offset{6}}));
  {
    const auto log = fixture.opened(clean);
    ASSERT_TRUE(fixture.compact(*log));
    expect_the_last(*log);
    ASSERT_TRUE(log->close());
  }
  expect_the_last(*fixture.opened());
}

}  // namespace
}  // namespace lungo::test
