// Goal: a partition whose offsets may be missing (compacted, or Kafka's) is read as it is; one whose offsets may not be missing
// refuses the same bytes.
#include <gtest/gtest.h>

#include "segment.hpp"
#include "segment_directory.hpp"
#include "synced_mark.hpp"
#include "tests/log/crashed_log.hpp"
#include "tests/log/foreign_batches.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

/// Three segments: a hole in front, inside a batch, behind its last record, between batches, between segments; an emptied
/// batch.
struct GappyLog : PartitionFixture {
  GappyLog() {
    options.gaps = true;
    EXPECT_TRUE(simulation->disk.make_directories(directory));
    put(0, {{.base = Offset{3}, .last_delta = 4, .records = {{0, {"a", "3"}}, {2, {"b", "5"}}}},
            {.base = Offset{8}, .last_delta = 1, .records = {}},
            {.base = Offset{12}, .last_delta = 0, .records = {{0, {"c", "12"}}}}});
    put(20, {{.base = Offset{25}, .last_delta = 3, .records = {{1, {"d", "26", 2000}}}, .max_time = 2000}});
    put(40, {{.base = Offset{40}, .last_delta = 1, .records = {{0, {"e", "40", 3000}}, {1, {"f", "41"}}}, .max_time = 3000},
             {.base = Offset{42},
              .last_delta = 0,
              .records = {{0, {"", "marker", 9000}}},
              .attributes = kControlBatch,
              .max_time = 9000}});
  }
  void put(std::int64_t base, const std::vector<ForeignBatch>& batches) {
    const std::string name = segment_file_name(Offset{base}, kLogSuffix);
    const auto created = simulation->disk.open(path(name), OpenMode::create);
    ASSERT_TRUE(created);
    EXPECT_TRUE((*created)->truncate(0));
    EXPECT_TRUE((*created)->write_at(0, encode(batches)));
  }
};

const std::map<std::int64_t, TestRecord> kRecords{{3, {"a", "3"}},         {5, {"b", "5"}},         {12, {"c", "12"}},
                                                  {26, {"d", "26", 2000}}, {40, {"e", "40", 3000}}, {41, {"f", "41"}}};

TEST(Gaps, EveryKindIsReadFromEveryOffset) {
  for (const std::uint32_t interval : {4096u, 1u}) {
    GappyLog gappy;
    gappy.options.index_interval_bytes = interval;
    const auto log = gappy.opened();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->start(), Offset{0});
    EXPECT_EQ(log->written_end(), Offset{43});
    EXPECT_EQ(log->recovery().bytes_cut, 0u);
    for (std::int64_t from = 0; from <= 43; ++from) {
      std::map<std::int64_t, TestRecord> expected(kRecords.lower_bound(from), kRecords.end());
      EXPECT_EQ(records_by_offset(*log, Offset{from}, 1), expected) << from;
      EXPECT_EQ(records_by_offset(*log, Offset{from}, 1 << 20), expected) << from;
    }
  }
}

TEST(Gaps, EveryKindIsReadBackwardsFromEveryOffset) {
  for (const std::uint32_t interval : {4096u, 1u}) {
    for (const std::size_t bytes : {0u, 1u, 100u, 1u << 20}) {
      GappyLog gappy;
      gappy.options.index_interval_bytes = interval;
      const auto log = gappy.opened();
      for (std::int64_t from = 43; from >= 0; --from) {
        std::map<std::int64_t, TestRecord> found;
        for (Offset end{from};;) {
          const Result<Fetched> fetched = log->read_back(end, Offset{43}, bytes, {}, {});
          ASSERT_TRUE(fetched) << fetched.error() << ", back from " << end.value();
          if (fetched->empty()) break;
          RecordCursor cursor = fetched->records();
          while (const RecordView* record = cursor.next())
            EXPECT_TRUE(found.emplace(record->offset.value(), decode(*record)).second);
          ASSERT_LT(fetched->first(), end);
          end = fetched->first();
        }
        // Whole batches: those that end at or below it.
        const std::int64_t whole = from >= 42 ? 43 : from >= 29 ? 29 : from >= 13 ? 13 : from >= 8 ? 8 : 0;
        EXPECT_EQ(found, (std::map<std::int64_t, TestRecord>(kRecords.begin(), kRecords.lower_bound(whole)))) << from;
      }
    }
  }
}

TEST(Gaps, AnEndInsideAGapIsKept) {
  GappyLog gappy;
  const auto log = gappy.opened();
  for (const std::int64_t end : {10, 12, 15, 20, 22, 25, 29, 35, 40}) {
    std::map<std::int64_t, TestRecord> found;
    for (Offset at{0}; at < Offset{end};) {
      const Result<Fetched> fetched = log->read(at, Offset{end}, 1, {}, {});
      ASSERT_TRUE(fetched) << fetched.error();
      RecordCursor cursor = fetched->records();
      while (const RecordView* record = cursor.next()) found.emplace(record->offset.value(), decode(*record));
      ASSERT_GT(fetched->next().offset, at);
      at = fetched->next().offset;
    }
    EXPECT_EQ(found, (std::map<std::int64_t, TestRecord>(kRecords.begin(), kRecords.lower_bound(end)))) << end;
  }
}

TEST(Gaps, ATimeIsLookedForInTheRecordsThatAreLeft) {
  GappyLog gappy;
  // The largest time was a record's that is gone.
  gappy.put(20, {{.base = Offset{25}, .last_delta = 3, .records = {{1, {"d", "26", 2000}}}, .max_time = 2900}});
  const auto log = gappy.opened();
  const auto offset_at = [&](std::int64_t time) {
    return log->offset_at(Timestamp{std::chrono::milliseconds{time}}, log->written_end()).value();
  };
  EXPECT_EQ(offset_at(0), Offset{3});
  EXPECT_EQ(offset_at(1001), Offset{26});
  EXPECT_EQ(offset_at(2500), Offset{40});
  EXPECT_EQ(offset_at(3001), std::nullopt);  // a control batch holds no record
}

TEST(Gaps, AppendsGoOnBehindThemAndReopenCleanlyAndAfterAKill) {
  GappyLog gappy;
  gappy.options.segment_bytes = 400;
  std::map<std::int64_t, TestRecord> expected = kRecords;
  std::optional<CleanEnd> clean;
  for (int round = 0; round < 3; ++round) {
    const auto log = gappy.opened(clean, Offset{clean ? clean->end.value() : 0});
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(records_by_offset(*log), expected);
    for (int i = 0; i < 3; ++i) {
      const TestRecord record{"k", std::string(90, 'x')};
      const Result<Appended> appended = append(*log, {record}, LeaderEpoch{round + 1});
      ASSERT_TRUE(appended) << appended.error();
      expected.emplace(appended->first.value(), record);
    }
    clean.reset();
    if (round == 0) {
      clean = log->close().value();
    } else {
      ASSERT_TRUE(log->sync());
    }
  }
  EXPECT_EQ(records_by_offset(*gappy.opened()), expected);
}

TEST(Gaps, ACleanEndIsAcceptedWithoutAScan) {
  GappyLog gappy;
  const CleanEnd clean = gappy.opened()->close().value();
  const auto log = gappy.opened(clean, clean.end);
  EXPECT_EQ(log->recovery().bytes_scanned, 0u);
  EXPECT_EQ(records_by_offset(*log), kRecords);
}

TEST(Gaps, AnEmptySegmentAtTheEndSaysWhereTheLogEnds) {
  GappyLog gappy;
  gappy.put(50, {});
  const auto log = gappy.opened();
  EXPECT_EQ(log->written_end(), Offset{50});
  EXPECT_EQ(records_by_offset(*log), kRecords);
  const Result<Fetched> nothing_left = log->read(Offset{44}, Offset{50}, 1, {}, {});
  ASSERT_TRUE(nothing_left) << nothing_left.error();
  EXPECT_TRUE(nothing_left->empty());
  EXPECT_EQ(nothing_left->next().offset, Offset{50});
  EXPECT_EQ(append(*log, {{"g", "50"}})->first, Offset{50});
}

TEST(Gaps, AReaderFollowsIntoASegmentThatBeginsBehindAGap) {
  GappyLog gappy;
  PartitionFixture reader;
  ASSERT_TRUE(gappy.simulation->disk.remove(gappy.path(segment_file_name(Offset{20}, kLogSuffix))));
  ASSERT_TRUE(gappy.simulation->disk.remove(gappy.path(segment_file_name(Offset{40}, kLogSuffix))));
  gappy.options.read_only = true;
  const auto log = gappy.opened();
  EXPECT_EQ(log->written_end(), Offset{13});
  gappy.put(20, {{.base = Offset{25}, .last_delta = 3, .records = {{1, {"d", "26"}}}}});
  gappy.put(40, {{.base = Offset{40}, .last_delta = 0, .records = {{0, {"e", "40"}}}}});
  const Result<void> followed = log->refresh(Offset{41});
  ASSERT_TRUE(followed) << followed.error();
  EXPECT_EQ(log->written_end(), Offset{41});
  EXPECT_EQ(records_by_offset(*log).size(), 5u);
}

TEST(Gaps, AStartInsideABatchIsKeptWithAHistoryThatBeginsThere) {
  GappyLog gappy;
  gappy.put(40, {{.base = Offset{40}, .last_delta = 3, .records = {{0, {"e", "40"}}, {3, {"g", "43"}}}}});
  gappy.options.start = Offset{42};
  CleanEnd clean = gappy.opened()->close().value();
  ASSERT_TRUE(write_file_atomically(gappy.simulation->disk, gappy.path("leader-epoch-checkpoint"), as_bytes("0\n1\n0 42\n")));
  const auto log = gappy.opened(clean, clean.end);
  EXPECT_EQ(log->start(), Offset{42});
  EXPECT_EQ(log->read(Offset{41}, log->written_end(), 1, {}, {}).error(), Errc::offset_out_of_range);
  EXPECT_EQ(records_by_offset(*log), (std::map<std::int64_t, TestRecord>{{43, {"g", "43"}}}));
  EXPECT_EQ(log->offset_at(Timestamp{}, log->written_end()).value(), Offset{43});
}

TEST(Gaps, AStartAboveTheEndIsRefused) {
  GappyLog gappy;
  gappy.options.start = Offset{44};
  const auto refused = gappy.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::corrupt);
}

// Kafka makes the indexes of a live segment as large as they may become; a kill leaves them so.
TEST(Gaps, ZerosAtTheEndOfAnIndexAreNoEntries) {
  PartitionFixture fixture;
  fixture.options.index_interval_bytes = 1;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*log, {{"k", "v", 1000 + i}}));
  }
  const std::uint64_t offsets = fixture.file_size(kFirstIndex);
  const std::uint64_t times = fixture.file_size(kFirstTimeIndex);
  for (const std::size_t zeros : {1u, 8u, 24u, 10'000u}) {
    fixture.truncate(kFirstIndex, offsets);
    fixture.truncate(kFirstTimeIndex, times);
    fixture.write(kFirstIndex, offsets, Bytes(zeros));
    fixture.write(kFirstTimeIndex, times, Bytes(zeros));
    const auto index = OffsetIndex::open(fixture.simulation->disk, fixture.path(kFirstIndex), OpenMode::read).value();
    EXPECT_EQ(index->count(), offsets / OffsetEntry::kBytes);
    EXPECT_EQ(index->find_at_most(7)->relative_offset, 7);
    EXPECT_EQ(index->find_at_most(1000)->relative_offset, 19);
    const auto time_index = TimeIndex::open(fixture.simulation->disk, fixture.path(kFirstTimeIndex), OpenMode::read).value();
    EXPECT_EQ(time_index->last()->timestamp, 1019);
  }
  fixture.write(kFirstIndex, 0, Bytes(offsets));
  EXPECT_EQ(OffsetIndex::open(fixture.simulation->disk, fixture.path(kFirstIndex), OpenMode::read).value()->count(), 0u);
  EXPECT_EQ(contents(*fixture.opened()).size(), 20u);
}

// ---- what stays damage ----

TEST(Gaps, AStrictPartitionHasAHoleForEachKind) {
  const std::pair<const char*, std::vector<ForeignBatch>> table[] = {
      {"first batch above the segment's name", {{.base = Offset{3}, .records = {{0, {"a", "3"}}}}}},
      {"between batches",
       {{.base = Offset{0}, .records = {{0, {"a", "0"}}}}, {.base = Offset{2}, .records = {{0, {"b", "2"}}}}}},
  };
  for (const auto& [what, batches] : table) {
    SCOPED_TRACE(what);
    GappyLog gappy;
    gappy.options.gaps = false;
    gappy.put(0, batches);
    const auto log = gappy.opened();
    ASSERT_NE(log, nullptr);
    const Offset from = batches.front().base == Offset{0} ? Offset{1} : Offset{0};
    ASSERT_FALSE(log->damage().empty());
    EXPECT_EQ(log->damage().front().from, from);
    EXPECT_EQ(log->damage().front().end, Offset{20}) << "a base offset that nothing confirms is not believed";
    EXPECT_EQ(log->read(from, log->written_end(), 1, {}, {}).error(), Errc::corrupt);
  }
}

TEST(Gaps, AStrictPartitionHasAHoleForAMissingSegment) {
  PartitionFixture fixture;
  fixture.options.segment_bytes = 300;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(append(*log, {{"k", std::string(90, 'x')}}));
    ASSERT_TRUE(log->close());
  }
  const std::vector<Offset> bases = list_segments(fixture.simulation->disk, fixture.directory, false).value();
  ASSERT_GT(bases.size(), 3u);
  ASSERT_TRUE(remove_segment(fixture.simulation->disk, fixture.directory, bases[1]));
  const auto log = fixture.opened({}, Offset{9});
  ASSERT_NE(log, nullptr);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage().front().from, bases[1]);
  EXPECT_EQ(log->damage().front().end, bases[2]);
}

// A base offset that has become larger looks like this, and no neighbour contradicts it.
TEST(Gaps, ABatchThatReachesIntoTheNextSegmentIsDamaged) {
  GappyLog gappy;
  gappy.put(20, {{.base = Offset{25}, .last_delta = 15, .records = {{1, {"d", "26"}}}}});  // the next segment begins at 40
  const auto log = gappy.opened();
  ASSERT_NE(log, nullptr);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_LE(log->damage().front().from, Offset{25});
  EXPECT_EQ(log->damage().front().end, Offset{40});
  EXPECT_EQ(log->read(Offset{39}, log->written_end(), 1, {}, {}).error(), Errc::corrupt);
  EXPECT_EQ(log->read(Offset{40}, log->written_end(), 1, {}, {}).value().first(), Offset{40});
}

// Recovery takes what lies below the recovery point as it is, and there may be nothing behind such a batch that contradicts it.
TEST(Gaps, NeitherDoesABatchOfAStrictPartitionReachIntoTheNextSegment) {
  PartitionFixture fixture;
  fixture.options.index_interval_bytes = 1;
  fixture.options.segment_bytes = 300;
  std::size_t batch_bytes = 0;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 9; ++i) ASSERT_TRUE(append(*log, {{"k", std::string(20, 'x')}}));
    batch_bytes = parse_batch_header(log->read(Offset{1}, Offset{2}, 1, {}, {}).value().batches()).value().size_bytes();
    ASSERT_TRUE(log->close());
  }
  Bytes batch(batch_bytes);
  ASSERT_EQ(fixture.file(kFirstLog)->read_at(batch_bytes, batch).value(), batch_bytes);
  store_big_endian(batch.data() + batch_layout::kLastDeltaAt, std::int32_t{150'000'000});
  store_big_endian(batch.data() + batch_layout::kCrcAt, crc32c(BytesView{batch}.subspan(batch_layout::kCrcCoversFrom)));
  fixture.write(kFirstLog, batch_bytes, batch);
  const auto log = fixture.opened({}, Offset{9});
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->read(Offset{0}, Offset{9}, 4096, {}, {}).value().next().offset, Offset{1});
  EXPECT_EQ(log->read(Offset{1}, Offset{9}, 1, {}, {}).error(), Errc::corrupt);
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage().front().from, Offset{1});
  EXPECT_EQ(log->damage().front().end, Offset{2});
}

TEST(Gaps, AboveTheProvenEndOneIsATornTail) {
  // What a power cut leaves of our own appends: the end of a segment is lost, the next one is there.
  PartitionFixture fixture;
  fixture.options.gaps = true;
  fixture.options.segment_bytes = 300;
  std::uint64_t border = 0;
  {
    const auto log = fixture.opened();
    ASSERT_TRUE(append(*log, {{"k", "synced"}}));
    border = fixture.file_size(kFirstLog);
    ASSERT_TRUE(log->sync());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(append(*log, {{"k", std::string(90, 'x')}}));
  }
  fixture.truncate(kFirstLog, border);
  const auto log = fixture.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->written_end(), Offset{1});
  EXPECT_GT(log->recovery().bytes_cut, 0u);
}

// Base offsets are under no CRC: one that rots into a larger one looks like a gap in front of it, and if it leads past the
// proven end all behind it looked like a torn tail; without a mark, as a broker leaves it, if no other batch was behind that.
TEST(Gaps, ABaseOffsetThatHasRottedIntoOneBehindTheProvenEndCutsNothing) {
  const SilentLog silent;
  for (const std::size_t batch : {0u, 1u, 4u, 8u}) {
    for (const std::byte rotten : {std::byte{28}, std::byte{29}, std::byte{30}}) {
      for (const bool has_mark : {true, false}) {
        SCOPED_TRACE("batch " + std::to_string(batch) + ", base " + std::to_string(std::to_integer<int>(rotten)) +
                     (has_mark ? "" : ", no mark"));
        CrashedLog crashed{10};  // the records [0, 30), three a batch
        crashed.options.gaps = true;
        if (!has_mark) {
          ASSERT_TRUE(crashed.simulation->disk.remove(crashed.path(SyncedMark::kFileName)));
        }
        crashed.write(kFirstLog, crashed.borders[batch] + 7, BytesView{&rotten, 1});
        for (int opening = 0; opening < 2; ++opening) {
          const auto log = crashed.opened();
          ASSERT_NE(log, nullptr);
          EXPECT_EQ(log->damage(), (std::vector{crashed.batches(batch, batch + 1)}));
          expect_all_but_holes(*log, 30);
        }
      }
    }
  }
}

TEST(Gaps, ATornMarkProvesNothing) {
  GappyLog gappy;
  ASSERT_TRUE(gappy.simulation->disk.open(gappy.path("synced-end"), OpenMode::create));  // a crash at the first opening
  const auto log = gappy.opened();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().bytes_cut, 0u);
  EXPECT_EQ(records_by_offset(*log), kRecords);
}

// ---- streams of a compacted topic ----

TEST(Gaps, AStreamIndexIsMadeOverThem) {
  GappyLog gappy;
  gappy.options.streams = true;
  for (int round = 0; round < 2; ++round) {  // from the log, and from the runs that the first round left
    const auto log = gappy.opened();
    for (const auto& [offset, record] : kRecords) {
      const Result<KeyRecords> found = log->read_key(record.key, Offset{0}, log->written_end(), 10);
      ASSERT_TRUE(found) << found.error();
      ASSERT_EQ(found->records.size(), 1u) << record;
      EXPECT_EQ(found->records[0].offset, Offset{offset});
    }
    EXPECT_TRUE(log->read_key("marker", Offset{0}, log->written_end(), 10)->records.empty());
    ASSERT_TRUE(log->close());
  }
}

// A run outlives what is compacted away: its hits are checked, and one whose record is gone is none.
TEST(Gaps, AHitWhoseRecordIsGoneIsNone) {
  PartitionFixture fixture;
  fixture.options.gaps = fixture.options.streams = true;
  {
    const auto log = fixture.opened();
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(append(*log, {{.key = "k" + std::to_string(i % 3), .value = std::to_string(i)}}));
    ASSERT_TRUE(log->close());
  }
  const auto batch = [](std::int64_t offset) {
    return ForeignBatch{.base = Offset{offset}, .last_delta = 0, .records = {{0, {"k" + std::to_string(offset % 3), "new"}}}};
  };
  for (const auto& [left, missing] : {std::pair{0, 4}, std::pair{4, 0}}) {  // behind the last one of its key, and in front
    std::vector<ForeignBatch> batches;
    for (std::int64_t offset = 0; offset < 6; ++offset) {
      if (offset != missing) batches.push_back(batch(offset));
    }
    fixture.truncate(kFirstLog, 0);
    fixture.write(kFirstLog, 0, encode(batches));
    const auto log = fixture.opened();
    const std::string key = "k" + std::to_string(missing % 3);
    const Result<KeyRecords> found = log->read_key(key, Offset{0}, Offset{6}, 10);
    ASSERT_TRUE(found) << found.error();
    EXPECT_EQ(found->records.size(), 1u);
    EXPECT_FALSE(append(*log, {{.key = "x", .value = ""}}, LeaderEpoch{0}, Condition{.key = key, .as_of = Offset{0}}));
    EXPECT_EQ(
        append(*log, {{.key = "x", .value = ""}}, LeaderEpoch{0}, Condition{.key = "k0", .as_of = Offset{1}}).error().offset(),
        Offset{3});
  }
}

}  // namespace
}  // namespace lungo::test
