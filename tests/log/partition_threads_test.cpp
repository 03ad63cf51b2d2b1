// Goal: readers beside a writer see no half of anything.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/log/partition_fixture.hpp"

namespace lungo {
namespace {

using namespace test;

// For the thread sanitizer too: one writer, one that syncs, one that merges the stream index, readers by offset and by key.
TEST(PartitionThreads, ReadersAndSyncRunBesideTheWriter) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 4000;
  fixture.options.streams = true;
  fixture.options.stream_table_records = 16;
  const auto log = fixture.opened();
  constexpr int kBatches = 400;
  std::atomic<bool> done{false};

  std::thread syncer([&] {
    while (!done) {
      const Offset before = log->written_end();
      const Result<Offset> synced = log->sync();
      ASSERT_TRUE(synced) << synced.error();
      ASSERT_GE(*synced, before);
    }
  });
  std::thread reader([&] {
    for (Offset at{0}; at < Offset{2 * kBatches};) {
      const Offset end = log->written_end();
      const Result<std::vector<TestRecord>> records = read_all(*log, at, end, 2000);
      ASSERT_TRUE(records) << records.error();
      for (const TestRecord& record : *records) {
        ASSERT_EQ(record.value, std::to_string(at.value()));
        at = at.next();
      }
    }
  });
  std::thread keeper([&] {
    while (!done) ASSERT_TRUE(log->do_chores());
  });
  std::thread key_reader([&] {
    while (!done) {
      const Offset end = log->written_end();
      const Result<KeyRecords> records = log->read_key("s1", Offset{0}, end, 10'000);
      ASSERT_TRUE(records) << records.error();
      ASSERT_EQ(static_cast<std::int64_t>(records->records.size()), (end.value() + 4) / 6) << end.value();
    }
  });
  for (int i = 0; i < kBatches; ++i) {
    ASSERT_TRUE(append(*log, {{.key = "s" + std::to_string(2 * i % 6), .value = std::to_string(2 * i)},
                              {.key = "s" + std::to_string((2 * i + 1) % 6), .value = std::to_string(2 * i + 1)}}));
  }
  reader.join();
  done = true;
  syncer.join();
  key_reader.join();
  keeper.join();
}

}  // namespace
}  // namespace lungo
