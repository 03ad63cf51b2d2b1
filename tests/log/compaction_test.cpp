// Goal: a compacted partition has of each key the last record, at its offset, whatever reads, appends, deletes or truncates
// beside that; and a process that reads along misses nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "segment_directory.hpp"
#include "segment_swap.hpp"
#include "tests/log/compacted_partition.hpp"
#include "tests/log/recovered_partition.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

TEST(Compaction, OfEachKeyTheLastRecordStaysAtItsOffset) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const KeyedRecords before = keyed_records(*log);
  const std::size_t files = fixture.count_of(".log");
  const Offset base = log->segments().back().base;
  ASSERT_EQ(fixture.compact(*log).value(), base);
  const KeyedRecords after = keyed_records(*log);
  EXPECT_EQ(after, compacted(before, base.value()));
  EXPECT_LT(after.size(), before.size() / 3);
  EXPECT_EQ(log->written_end(), Offset{80});
  for (const SegmentFacts& segment : log->segments()) {  // its last batch says how far it reaches
    EXPECT_EQ(log->read(segment.end.plus(-1), Offset{80}, 1, {}, {})->next().offset, segment.end);
  }
  while (*log->remove_trimmed()) {
  }
  EXPECT_LT(fixture.count_of(".log"), files / 2) << "small neighbours become one";
  expect_indexes_as_rebuilt(fixture.simulation->disk, fixture.directory, fixture.options);
}

TEST(Compaction, ASecondRoundTakesWhatCameSince) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 20);
  const Offset first = fixture.compact(*log).value();
  append_many(*log, 20, 20);
  const KeyedRecords before = keyed_records(*log);
  const Offset second = fixture.compact(*log, first).value();
  EXPECT_EQ(keyed_records(*log), compacted(before, second.value()));
}

TEST(Compaction, WithLittleMemoryARoundEndsEarlierAndTheNextGoesOn) {
  CompactedPartition fixture;
  fixture.memory_bytes = 0;  // 48 keys
  const auto log = fixture.opened();
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"key" + std::to_string(i % 100), padded(i)}}));
  }
  ASSERT_TRUE(log->sync());
  const KeyedRecords before = keyed_records(*log);
  const Offset end = log->segments().back().base;
  Offset reached;
  int rounds = 0;
  while (reached < end) {
    const Result<Offset> next = fixture.compact(*log, reached);
    ASSERT_TRUE(next) << next.error();
    ASSERT_GT(*next, reached);
    reached = *next;
    ++rounds;
  }
  EXPECT_GT(rounds, 4);
  EXPECT_EQ(keyed_records(*log), compacted(before, end.value()));
}

TEST(Compaction, ATombstoneGoesAfterItsTimeAndAfterWhatItDeleted) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"a", padded(1)}, KeyedRecord{"b", padded(2)}}));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"a", std::nullopt, 1007}}));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  const auto offsets = [&] {
    std::vector<std::int64_t> found;
    for (const auto& [offset, record] : keyed_records(*log)) found.push_back(offset);
    return found;
  };
  fixture.now = 5000, fixture.tombstone_age = 1000;
  const Offset first = fixture.compact(*log).value();
  EXPECT_EQ(offsets(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(keyed_records(*log).at(2), (KeyedRecord{"a", std::nullopt, 1007})) << "its time is as it was";

  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"c", padded(3)}}));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  fixture.now = 6000;
  const Offset second = fixture.compact(*log, first).value();
  EXPECT_EQ(offsets(), (std::vector<std::int64_t>{1, 2, 3}));
  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"d", padded(4)}}));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  fixture.now = 6001;
  ASSERT_TRUE(fixture.compact(*log, second));
  EXPECT_EQ(offsets(), (std::vector<std::int64_t>{1, 3, 4}));
}

TEST(Compaction, ReadsFromAnywhereFindWhatFollows) {
  for (const std::uint64_t segment_bytes : {250u, 400u, 100'000u}) {
    CompactedPartition fixture;
    fixture.options.segment_bytes = segment_bytes;
    const auto log = fixture.opened();
    append_many(*log, 60);
    ASSERT_TRUE(log->roll());
    append_many(*log, 2, 60);
    ASSERT_TRUE(fixture.compact(*log));
    const KeyedRecords records = keyed_records(*log);
    for (std::int64_t offset = 0; offset <= log->written_end().value(); ++offset) {
      const KeyedRecords expected{records.lower_bound(offset), records.end()};
      ASSERT_EQ(keyed_records(*log, Offset{offset}, offset % 3 == 0 ? 1 : 5000), expected) << "from " << offset;
      Offset end{offset};
      std::set<std::int64_t> found;
      for (;;) {
        const Result<Fetched> piece = log->read_back(end, log->written_end(), offset % 2 == 0 ? 1 : 700, {}, {});
        ASSERT_TRUE(piece) << piece.error();
        if (piece->empty()) break;
        RecordCursor cursor = piece->records();
        while (const RecordView* record = cursor.next()) found.insert(record->offset.value());
        ASSERT_LT(piece->first(), end);
        end = piece->first();
      }
      // A batch that `end` lies in is left out as a whole.
      for (const std::int64_t back : found) ASSERT_TRUE(back < offset && records.contains(back)) << back;
      for (const auto& [back, record] : records)
        ASSERT_TRUE(back >= offset - 1 || found.contains(back)) << back << "<" << offset;
    }
    for (std::int64_t time = 990; time < 1700; time += 3) {
      std::optional<Offset> expected;
      for (const auto& [offset, record] : records) {
        if (!expected && record.time >= time) expected = Offset{offset};
      }
      ASSERT_EQ(log->offset_at(Timestamp{std::chrono::milliseconds{time}}, log->written_end()).value(), expected) << time;
    }
  }
}

TEST(Compaction, WhoIsReadingGoesOn) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const KeyedRecords before = keyed_records(*log);
  const CompactionRound round = fixture.round(*log);
  Offset at;
  KeyedRecords seen;
  const auto read_some = [&] {
    const Fetched fetched = log->read(at, log->written_end(), 1, {}, {}).value();
    RecordCursor cursor = fetched.records();
    while (const RecordView* record = cursor.next()) {
      seen.emplace(record->offset.value(), before.at(record->offset.value()));
    }
    at = fetched.next().offset;
  };
  while (!log->compact(round).value()) {
    if (at < log->written_end()) read_some();
  }
  while (at < log->written_end()) read_some();
  EXPECT_EQ(values_of(seen), values_of(before));
}

TEST(Compaction, KeysAreFoundByTheStreamIndexBeforeAndAfter) {
  CompactedPartition fixture;
  fixture.options.streams = true;
  std::optional<CleanEnd> clean;
  KeyedRecords records;
  const auto expect_found = [&](PartitionLog& log) {
    for (int key = 0; key < 8; ++key) {
      const std::string name = "k" + std::to_string(key);
      const Result<KeyRecords> found = log.read_key(name, log.start(), log.written_end(), 1000);
      ASSERT_TRUE(found) << found.error();
      std::vector<std::int64_t> offsets;
      for (const RecordView& record : found->records) offsets.push_back(record.offset.value());
      std::vector<std::int64_t> expected;
      for (const auto& [offset, record] : records) {
        if (record.key == name) expected.push_back(offset);
      }
      ASSERT_EQ(offsets, expected) << name;
    }
  };
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    records = keyed_records(*log);
    expect_found(*log);
    ASSERT_TRUE(fixture.compact(*log));
    records = keyed_records(*log);
    expect_found(*log);
    const TestRecord next{.key = "k3", .value = "x"};
    EXPECT_EQ(append(*log, {next}, LeaderEpoch{0}, Condition{.key = "k3", .as_of = Offset{0}}).error(), Errc::conflict);
    EXPECT_TRUE(append(*log, {next}, LeaderEpoch{0}, Condition{.key = "k3", .as_of = log->written_end()}));
    records = keyed_records(*log);
    expect_found(*log);
    clean = log->close().value();
  }
  expect_found(*fixture.opened(clean));
  expect_found(*fixture.opened());
}

TEST(Compaction, WhatWasCleanlyStoppedOpensAndSoDoesWhatWasNot) {
  CompactedPartition fixture;
  std::optional<CleanEnd> clean;
  KeyedRecords records;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    ASSERT_TRUE(log->roll()) << "so that the last batch is one that may change";
    ASSERT_TRUE(log->sync());
    ASSERT_TRUE(fixture.compact(*log));
    records = keyed_records(*log);
    clean = log->close().value();
  }
  {
    const auto log = fixture.opened(clean, Offset{80});
    EXPECT_EQ(log->recovery().bytes_scanned, 0u);
    EXPECT_EQ(keyed_records(*log), records);
  }
  for (const std::int64_t recovery_point : {0, 30, 80}) {
    EXPECT_EQ(keyed_records(*fixture.opened({}, Offset{recovery_point})), records) << recovery_point;
  }
}

TEST(Compaction, TheLogIsCutBehindIt) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const Offset cleaned = fixture.compact(*log).value();
  append_many(*log, 10, 40);
  ASSERT_TRUE(log->truncate_to(Offset{86}));
  const KeyedRecords cut = keyed_records(*log);
  EXPECT_EQ(cut.rbegin()->first, 85);
  ASSERT_TRUE(log->truncate_to(cleaned));
  EXPECT_EQ(log->written_end(), cleaned);
  append_many(*log, 20, 100);
  const KeyedRecords before = keyed_records(*log);
  const Offset again = fixture.compact(*log, cleaned).value();
  EXPECT_EQ(keyed_records(*log), compacted(before, again.value()));
}

TEST(Compaction, ACutGivesUpTheRoundThatIsUnderWay) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const CompactionRound round = fixture.round(*log);
  for (int i = 0; i < 40; ++i) ASSERT_FALSE(log->compact(round).value());
  ASSERT_TRUE(log->truncate_to(Offset{20}));
  const KeyedRecords before = keyed_records(*log);
  EXPECT_EQ(log->compact(round).error(), Errc::invalid_argument) << "what it was to reach is gone";
  append_many(*log, 20, 50);
  const Offset cleaned = fixture.compact(*log).value();
  EXPECT_GT(cleaned, Offset{20});
  EXPECT_EQ(fixture.count_of(".cleaned"), 0u);
}

// At whatever moment the oldest records are deleted, those that are left have their files.
TEST(Compaction, TheStartMovesUpBeside) {
  for (int steps = 0; steps < 90; ++steps) {
    for (const std::int64_t start : {3, 17, 40, 70}) {
      SCOPED_TRACE("start " + std::to_string(start) + " after step " + std::to_string(steps));
      CompactedPartition fixture;
      const auto log = fixture.opened();
      append_many(*log, 40);
      const KeyedRecords before = keyed_records(*log);
      const CompactionRound round = fixture.round(*log);
      bool done = false;
      for (int i = 0; i < steps && !done; ++i) done = log->compact(round).value().has_value();
      ASSERT_TRUE(log->set_start(Offset{start}));
      if (steps % 2 == 0) {
        ASSERT_TRUE(log->remove_trimmed());
      }
      while (!done) {
        const Result<std::optional<Offset>> reached = log->compact(round);
        ASSERT_TRUE(reached) << reached.error();
        done = reached->has_value();
      }
      while (*log->remove_trimmed()) {
      }
      fixture.options.start = Offset{start};
      const KeyedRecords kept = keyed_records(*log);
      ASSERT_EQ(values_of(kept), values_of({before.lower_bound(start), before.end()}));
      ASSERT_EQ(keyed_records(*fixture.opened()), kept);
      ASSERT_EQ(fixture.count_of(".cleaned") + fixture.count_of(".swap") + fixture.count_of(".deleted"), 0u);
    }
  }
}

// Also inside an exchange, when the round has looked at the list for the last time.
TEST(Compaction, TheStartMovesUpAtEachStepOfTheDisk) {
  for (const std::int64_t start : {17, 30, 41}) {
    bool all_done = false;
    for (int moves_at = 1; !all_done && !HasFailure(); ++moves_at) {
      SCOPED_TRACE("start " + std::to_string(start) + " before disk step " + std::to_string(moves_at));
      CompactedPartition fixture;
      const auto log = fixture.opened();
      append_many(*log, 40);
      const KeyedRecords before = keyed_records(*log);
      int steps = 0;
      fixture.simulation->disk.on_step([&](const DiskStep&) {
        if (++steps == moves_at) {
          ASSERT_TRUE(log->set_start(Offset{start}));
        }
      });
      ASSERT_TRUE(fixture.compact(*log));
      fixture.simulation->disk.on_step({});
      all_done = steps < moves_at;
      ASSERT_TRUE(log->set_start(Offset{start}));
      while (*log->remove_trimmed()) {
      }
      fixture.options.start = Offset{start};
      const KeyedRecords kept = keyed_records(*log);
      ASSERT_EQ(values_of(kept), values_of({before.lower_bound(start), before.end()}));
      ASSERT_EQ(keyed_records(*fixture.opened()), kept);
    }
  }
}

// ---- another process ----

TEST(Compaction, AProcessThatReadsAlongMissesNothing) {
  for (const std::int64_t lag : {0, 7, 20, 33, 61, 78}) {
    SCOPED_TRACE(lag);
    CompactedPartition fixture;
    const auto log = fixture.opened();
    append_many(*log, 40);
    PartitionOptions options = fixture.options;
    options.read_only = true;
    const auto reader = PartitionLog::open(fixture.simulation->ports(), fixture.directory, options, {}, Offset{0}).value();
    KeyedRecords before = keyed_records(*log);
    ASSERT_TRUE(fixture.compact(*log));
    append_many(*log, 20, 40);
    ASSERT_TRUE(fixture.compact(*log));
    while (*log->remove_trimmed()) {
    }
    append_many(*log, 3, 60);
    const KeyedRecords all = keyed_records(*log);
    ASSERT_TRUE(reader->refresh(log->written_end()));
    EXPECT_EQ(reader->written_end(), log->written_end());
    before.insert(all.begin(), all.end());
    for (const auto& [offset, record] : keyed_records(*reader, Offset{lag})) EXPECT_EQ(record, before.at(offset));
    EXPECT_EQ(values_of(keyed_records(*reader)), values_of(all));
  }
}

// It has opened few segments, and goes on in others of other names.
TEST(Compaction, AReaderThatIsBehindGoesOnInWhatTookThePlace) {
  for (int batches = 1; batches < 40; ++batches) {
    SCOPED_TRACE(batches);
    CompactedPartition fixture;
    const auto log = fixture.opened();
    append_many(*log, batches);
    PartitionOptions options = fixture.options;
    options.read_only = true;
    const auto reader = PartitionLog::open(fixture.simulation->ports(), fixture.directory, options, {}, Offset{0}).value();
    const KeyedRecords seen = keyed_records(*reader);
    append_many(*log, 45, batches);
    KeyedRecords all = keyed_records(*log);
    ASSERT_TRUE(fixture.compact(*log));
    while (*log->remove_trimmed()) {
    }
    ASSERT_TRUE(reader->refresh(log->written_end()));
    const Offset reached{2 * batches};
    KeyedRecords together = seen;
    together.merge(keyed_records(*reader, reached));
    ASSERT_EQ(values_of(together), values_of(all));
    ASSERT_EQ(values_of(keyed_records(*reader)), values_of(all));
  }
}

// Before and after each step of an exchange; nothing that a reader does changes anything.
TEST(Compaction, AReaderMayOpenAtAnyMoment) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const KeyedRecords before = keyed_records(*log);
  int opened = 0;
  const auto open_reader = [&](const DiskStep& step) {
    CompactedPartition found;
    found.simulation = std::make_unique<Simulation>(1, fixture.simulation->disk.after_kill());
    found.options.read_only = true;
    const std::vector<std::string> names = found.names();
    const auto reader = found.opened();
    ASSERT_NE(reader, nullptr) << step.operation << " " << step.path;
    ASSERT_EQ(reader->written_end(), Offset{80});
    ASSERT_EQ(reader->start(), Offset{0});
    const KeyedRecords seen = keyed_records(*reader);
    ASSERT_EQ(values_of(seen), values_of(before)) << step.operation << " " << step.path;
    ASSERT_EQ(found.names(), names);
    ++opened;
  };
  fixture.simulation->disk.on_step(open_reader);
  fixture.simulation->disk.after_step(open_reader);
  ASSERT_TRUE(fixture.compact(*log));
  while (*log->remove_trimmed()) {
  }
  fixture.simulation->disk.on_step({});
  fixture.simulation->disk.after_step({});
  EXPECT_GT(opened, 100);
}

// ---- what is left alone ----

TEST(Compaction, ASegmentWithKafkasIndexOfAbortedTransactionsIsLeftAlone) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 40);
  const Offset base = log->segments()[3].base;
  const std::string index = fixture.path(segment_file_name(base, kTxnIndexSuffix));
  ASSERT_TRUE(write_file_atomically(fixture.simulation->disk, index, {}));
  const KeyedRecords before = keyed_records(*log);
  const std::int64_t end = log->segments()[4].base.value();
  ASSERT_TRUE(fixture.compact(*log));
  KeyedRecords after = keyed_records(*log);
  for (std::int64_t offset = base.value(); offset < end; ++offset) EXPECT_EQ(after.at(offset), before.at(offset));
  EXPECT_EQ(values_of(after), values_of(before));
  EXPECT_LT(after.size(), before.size() / 2);
}

// What it deleted may be there, and would come back.
TEST(Compaction, ATombstoneStaysAboveASegmentThatIsLeftAlone) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  const auto append_segment = [&](const KeyedRecord& record) {
    ASSERT_TRUE(append_keyed(*log, {record}));
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->sync());
  };
  append_segment({"a", padded(1)});
  ASSERT_TRUE(write_file_atomically(fixture.simulation->disk, fixture.path(segment_file_name(Offset{0}, kTxnIndexSuffix)), {}));
  append_segment({"a", std::nullopt});
  Offset reached = fixture.compact(*log).value();
  for (int i = 0; i < 3; ++i) {
    append_segment({"b", padded(i)});
    fixture.now += 2000;
    reached = fixture.compact(*log, reached).value();
  }
  EXPECT_EQ(values_of(keyed_records(*log)), (KeyValues{{"b", padded(2)}}));
}

TEST(Compaction, WhatIsNotSyncedOrMayHaveNoGapsIsRefused) {
  CompactedPartition fixture;
  const auto log = fixture.opened();
  append_many(*log, 10);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"a", padded(i)}}));
  EXPECT_EQ(fixture.compact(*log).error(), Errc::invalid_argument);
  fixture.options.gaps = false;
  fixture.directory = "other-0";
  EXPECT_EQ(fixture.compact(*fixture.opened()).error(), Errc::unsupported);
}

TEST(Compaction, DamageGivesTheRoundUpAndChangesNothing) {
  QuietLog quiet;
  CompactedPartition fixture;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    ASSERT_TRUE(log->close());
  }
  const auto log = fixture.opened({}, Offset{80});
  fixture.flip(segment_file_name(log->segments()[2].base, kLogSuffix), 80);
  const std::vector<std::string> names = fixture.names();
  EXPECT_EQ(fixture.compact(*log).error(), Errc::corrupt);
  EXPECT_EQ(fixture.names(), names);
  EXPECT_TRUE(append_keyed(*log, {KeyedRecord{"a", padded(1)}})) << "the partition goes on";
  ASSERT_TRUE(log->sync());
  EXPECT_EQ(log->damage().size(), 1u) << "and knows of it";
  EXPECT_EQ(fixture.compact(*log).value(), log->segments().back().base) << "the next round leaves it alone";
}

}  // namespace
}  // namespace lungo::test
