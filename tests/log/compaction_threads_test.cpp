// Goal: rounds of compaction beside appends, syncs, deletions and readers, in this process and as another would: on a real
// disk, every reader of the whole log ends with the last value of each key below the end that it read up to.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "tests/log/compacted_partition.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

constexpr std::int64_t kKeys = 5;
constexpr std::int64_t kRecords = 4000;

/// The record at offset i is of key i modulo kKeys, and its value is i. Reads up to an end that stays where it is: what is
/// missing below it has given place to what came meanwhile.
void expect_last_values(PartitionLog& log, const std::function<Offset()>& end_by_now) {
  std::array<std::int64_t, kKeys> last{};
  last.fill(-1);
  Offset at = log.start();
  Offset end = end_by_now();
  while (at < end) {
    const Result<Fetched> fetched = log.read(at, end, 1000, {}, {});
    if (!fetched && fetched.error() == Errc::offset_out_of_range) {  // deleted meanwhile
      at = log.start();
      if (at >= end) end = end_by_now();
      continue;
    }
    ASSERT_TRUE(fetched) << fetched.error();
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      ASSERT_EQ(std::string(as_text(record->value)), std::to_string(record->offset.value()));
      last.at(static_cast<std::size_t>(record->offset.value() % kKeys)) = record->offset.value();
    }
    ASSERT_FALSE(cursor.error()) << *cursor.error();
    at = fetched->next().offset;
    if (at == end) end = end_by_now();
  }
  for (std::int64_t offset = std::max<std::int64_t>(0, end.value() - kKeys); offset < end.value(); ++offset) {
    ASSERT_EQ(last.at(static_cast<std::size_t>(offset % kKeys)), offset) << "up to " << end.value();
  }
}

TEST(CompactionThreads, EveryReaderFindsTheLastValues) {
  const QuietLog quiet;
  const TempDirectory directory;
  PosixPorts posix;
  PartitionOptions options;
  options.gaps = true;
  options.segment_bytes = 3000;
  const std::string path = directory / "topic-0";
  const auto log = PartitionLog::open(posix.ports(), path, options, {}, Offset{0}).value();
  std::atomic<bool> done{false};
  std::mutex owner;

  std::thread compactor([&] {
    Offset cleaned;
    while (!done) {
      CompactionRound round;
      round.begin = cleaned;
      {
        const std::lock_guard lock(owner);
        for (const SegmentFacts& segment : log->segments()) {
          if (segment.base <= log->synced_end()) round.end = segment.base;
        }
      }
      round.step_bytes = 700;
      if (round.end <= round.begin) {
        std::this_thread::yield();
        continue;
      }
      Result<std::optional<Offset>> reached = std::optional<Offset>{};
      while (reached && !*reached) reached = log->compact(round);
      ASSERT_TRUE(reached) << reached.error();
      cleaned = std::max(cleaned, **reached);
      ASSERT_TRUE(log->remove_trimmed());
    }
  });
  std::thread reader([&] {
    while (!done) expect_last_values(*log, [&] { return log->synced_end(); });
  });
  std::thread other_process([&] {
    PartitionOptions read_only = options;
    read_only.read_only = true;
    std::unique_ptr<PartitionLog> tail;
    while (!done) {
      if (tail == nullptr || tail->written_end().value() % 7 == 0) {
        auto opened = PartitionLog::open(posix.ports(), path, read_only, {}, Offset{0});
        if (!opened && opened.error() == Errc::not_found) continue;  // it tries again, as the log does
        ASSERT_TRUE(opened) << opened.error();
        tail = std::move(*opened);
      }
      expect_last_values(*tail, [&] {
        const Offset end = log->synced_end();
        Result<void> refreshed = tail->refresh(end);
        while (!refreshed && refreshed.error() == Errc::not_found) refreshed = tail->refresh(end);
        EXPECT_TRUE(refreshed) << refreshed.error();
        return std::min(end, tail->written_end());
      });
    }
  });
  for (std::int64_t i = 0; i < kRecords && !HasFailure(); i += 4) {
    std::vector<KeyedRecord> records;
    for (std::int64_t offset = i; offset < i + 4; ++offset) {
      records.push_back({"k" + std::to_string(offset % kKeys), std::to_string(offset)});
    }
    const std::lock_guard lock(owner);
    ASSERT_TRUE(append_keyed(*log, records));
    if (i % 20 == 0) {
      ASSERT_TRUE(log->sync());
    }
    if (i % 1200 == 0 && i > 0) {
      ASSERT_TRUE(log->set_start(Offset{i - 600}));
    }
  }
  done = true;
  compactor.join();
  reader.join();
  other_process.join();
  expect_last_values(*log, [&] { return log->written_end(); });
}

}  // namespace
}  // namespace lungo::test
