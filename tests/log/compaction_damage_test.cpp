// Goal: where records are damaged compaction takes nothing away: neither the bytes that may be mended, nor what stands above
// them for good reason.
#include <gtest/gtest.h>

#include "segment.hpp"
#include "segment_directory.hpp"
#include "synced_mark.hpp"
#include "tests/log/compacted_partition.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

/// All that is not lost.
KeyedRecords readable_records(PartitionLog& log) {
  KeyedRecords records;
  Offset from = log.start();
  const auto read_up_to = [&](Offset end) {
    while (from < end) {
      const Result<Fetched> fetched = log.read(from, end, 1, {}, {});
      ASSERT_TRUE(fetched) << fetched.error();
      RecordCursor cursor = fetched->records();
      while (const RecordView* record = cursor.next()) {
        KeyedRecord found{
            .key = std::string(as_text(record->key)), .value = {}, .time = record->timestamp.time_since_epoch().count()};
        if (record->has_value) found.value = std::string(as_text(record->value));
        records.emplace(record->offset.value(), found);
      }
      ASSERT_GT(fetched->next().offset, from);
      from = fetched->next().offset;
    }
  };
  for (const DamagedRange& range : log.damage()) {
    read_up_to(range.from);
    from = range.end;
  }
  read_up_to(log.written_end());
  return records;
}

TEST(Compaction, ASegmentWithDamageIsLeftAlone) {
  const SilentLog silent;
  CompactedPartition fixture;
  KeyedRecords before;
  SegmentFacts damaged;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    before = keyed_records(*log);
    damaged = log->segments()[3];
    ASSERT_TRUE(log->close());
  }
  const std::string name = segment_file_name(damaged.base, kLogSuffix);
  fixture.flip(name, 80);
  const Bytes bytes = *read_file(fixture.simulation->disk, fixture.path(name), 1 << 20);
  std::vector<DamagedRange> damage;
  KeyedRecords after;
  {
    const auto log = fixture.opened();
    damage = log->damage();
    ASSERT_EQ(damage.size(), 1u);
    ASSERT_EQ(damage[0].file, name);
    ASSERT_EQ(fixture.compact(*log).value(), log->segments().back().base);
    EXPECT_EQ(log->damage(), damage);
    after = readable_records(*log);
    EXPECT_LT(after.size(), before.size() / 2);
    for (Offset offset = damage[0].end; offset < damaged.end; offset = offset.next()) {
      EXPECT_EQ(after.at(offset.value()), before.at(offset.value()));
    }
    EXPECT_EQ(values_of(after), values_of(before));
    while (*log->remove_trimmed()) {
    }
  }
  EXPECT_EQ(*read_file(fixture.simulation->disk, fixture.path(name), 1 << 20), bytes);
  const auto log = fixture.opened();
  EXPECT_EQ(log->damage(), damage);
  EXPECT_EQ(readable_records(*log), after);
}

// What was read and good once may have rotted since: it gets no new CRC unseen.
TEST(Compaction, RotThatCameBehindAReadIsFoundAndKept) {
  const SilentLog silent;
  CompactedPartition fixture;
  std::string name;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    name = segment_file_name(log->segments()[3].base, kLogSuffix);
    ASSERT_TRUE(log->close());
  }
  const auto log = fixture.opened();
  ASSERT_FALSE(keyed_records(*log).empty());
  fixture.flip(name, 80);
  const Bytes bytes = *read_file(fixture.simulation->disk, fixture.path(name), 1 << 20);
  for (int round = 0; round < 2; ++round) static_cast<void>(fixture.compact(*log));
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage()[0].file, name);
  EXPECT_EQ(*read_file(fixture.simulation->disk, fixture.path(name), 1 << 20), bytes);
}

// By a key that has rotted into another one, the other's last record would give place to nothing.
TEST(Compaction, AKeyThatHasRottedTakesNobodysPlace) {
  const SilentLog silent;
  CompactedPartition fixture;
  const auto log = fixture.opened();
  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"key2", padded(0)}}));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"key1", padded(1)}}));
  const std::string name = segment_file_name(log->segments().back().base, kLogSuffix);
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->sync());
  const Bytes bytes = *read_file(fixture.simulation->disk, fixture.path(name), 1 << 20);
  const std::size_t key = as_text(bytes).find("key1");
  ASSERT_NE(key, std::string_view::npos);
  fixture.flip(name, key + 3, std::byte{'1' ^ '2'});
  for (int round = 0; round < 2; ++round) static_cast<void>(fixture.compact(*log));
  EXPECT_EQ(readable_records(*log).at(0), (KeyedRecord{"key2", padded(0)}));
  ASSERT_EQ(log->damage().size(), 1u);
  EXPECT_EQ(log->damage()[0].file, name);
}

TEST(Compaction, ATombstoneStaysAboveWhatIsLeftAloneForDamage) {
  const SilentLog silent;
  CompactedPartition fixture;
  {
    const auto log = fixture.opened();
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"z", padded(0)}}));
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"a", padded(1)}, KeyedRecord{"b", padded(2)}}));
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(append_keyed(*log, {KeyedRecord{"a", std::nullopt, 1007}}));
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->sync());
    ASSERT_TRUE(log->close());
  }
  fixture.flip(kFirstLog, 70);
  const auto log = fixture.opened();
  ASSERT_EQ(log->damage().size(), 1u);
  const auto next_round = [&](Offset begin) {
    EXPECT_TRUE(append_keyed(*log, {KeyedRecord{"c" + std::to_string(begin.value()), padded(3)}}));
    EXPECT_TRUE(log->roll());
    EXPECT_TRUE(log->sync());
    fixture.now += 2000;
    return fixture.compact(*log, begin).value();
  };
  Offset reached = fixture.compact(*log).value();
  for (int round = 0; round < 3; ++round) reached = next_round(reached);
  KeyedRecords found = readable_records(*log);
  EXPECT_EQ(found.at(1).key, "a");
  ASSERT_TRUE(found.contains(3));
  EXPECT_EQ(found.at(3), (KeyedRecord{"a", std::nullopt, 1007}));
  EXPECT_FALSE(values_of(found).contains("a"));

  ASSERT_TRUE(log->set_start(Offset{3}));
  next_round(reached);
  EXPECT_FALSE(readable_records(*log).contains(3)) << "nothing is left that it deleted";
}

// Nobody but appends has written to the last segment: what would be a gap elsewhere is damage there.
TEST(Compaction, ABaseOffsetThatRotsInTheLastSegmentIsDamage) {
  const SilentLog silent;
  CompactedPartition fixture;
  fixture.options.dense_end = true;
  SegmentFacts last;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    ASSERT_TRUE(fixture.compact(*log));
    ASSERT_TRUE(log->roll());
    last = log->segments().back();
    append_many(*log, 2, 40);
  }
  fixture.flip(segment_file_name(last.base, kLogSuffix), 7, std::byte{1});  // it is even, and two records behind it the next
  for (const bool read_only : {true, false}) {
    fixture.options.read_only = read_only;
    const auto log = fixture.opened();
    ASSERT_EQ(log->damage().size(), 1u);
    EXPECT_EQ(log->damage()[0].from, last.base);
    EXPECT_EQ(log->damage()[0].end, last.base.plus(2));
  }
}

// Where all behind it is lost, and nothing says that there was more.
TEST(Compaction, WhatItHasWrittenIsNotAppendedTo) {
  const QuietLog quiet;
  CompactedPartition fixture;
  fixture.options.dense_end = true;
  KeyedRecords kept;
  {
    const auto log = fixture.opened();
    append_many(*log, 40);
    ASSERT_TRUE(fixture.compact(*log));
    while (*log->remove_trimmed()) {
    }
    const std::vector<SegmentFacts> segments = log->segments();
    kept = keyed_records(*log);
    std::erase_if(kept, [&](const auto& entry) { return entry.first >= segments[1].base.value(); });
    ASSERT_LT(static_cast<std::int64_t>(kept.size()), segments[1].base.value()) << "nothing is missing";
    for (std::size_t i = 1; i < segments.size(); ++i) {
      ASSERT_TRUE(remove_segment(fixture.simulation->disk, fixture.directory, segments[i].base));
    }
    ASSERT_TRUE(fixture.simulation->disk.remove(fixture.path(SyncedMark::kFileName)));
  }
  for (int opening = 0; opening < 3; ++opening) {
    const auto log = fixture.opened();
    ASSERT_TRUE(log->damage().empty()) << damaged({}, log->damage()[0]);
    EXPECT_EQ(keyed_records(*log), kept);
    const Result<Appended> appended = append_keyed(*log, {KeyedRecord{"z", padded(opening)}});
    ASSERT_TRUE(appended) << appended.error();
    kept[appended->first.value()] = {"z", padded(opening)};
    ASSERT_TRUE(log->sync());
  }
}

}  // namespace
}  // namespace lungo::test
