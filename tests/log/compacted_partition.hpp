// A partition whose records have keys and may be tombstones, and what compaction has to leave of it.
#pragma once

#include <map>
#include <optional>

#include "tests/log/partition_fixture.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

struct KeyedRecord {
  std::string key;
  std::optional<std::string> value;  // absent: a tombstone
  std::int64_t time = 1000;
  friend bool operator==(const KeyedRecord&, const KeyedRecord&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const KeyedRecord& record) {
  return out << record.key << "=" << record.value.value_or("null") << "@" << record.time;
}

using KeyedRecords = std::map<std::int64_t, KeyedRecord>;  // by offset

/// What a reader of the whole log knows: the last value of each key that was not deleted.
using KeyValues = std::map<std::string, std::string>;

inline KeyValues values_of(const KeyedRecords& records) {
  KeyValues values;
  for (const auto& [offset, record] : records) {
    if (record.value) {
      values[record.key] = *record.value;
    } else {
      values.erase(record.key);
    }
  }
  return values;
}

/// In one batch.
inline Result<Appended> append_keyed(PartitionLog& log, const std::vector<KeyedRecord>& records,
                                     LeaderEpoch epoch = LeaderEpoch{0}) {
  EncodedRecords encoded;
  for (const KeyedRecord& record : records) {
    EXPECT_TRUE(encoded.add({.timestamp = Timestamp{std::chrono::milliseconds{record.time}},
                             .key = as_bytes(record.key),
                             .value = record.value ? std::optional{as_bytes(*record.value)} : std::nullopt,
                             .headers = {}}));
  }
  GroupItem item{.records = &encoded, .condition = nullptr, .since = {}, .outcome = {}};
  log.append({&item, 1}, epoch);
  return *item.outcome;
}

inline std::string padded(std::int64_t number) { return std::to_string(number) + std::string(30, '.'); }

/// Appends two records a batch, of seven keys in turn, and syncs.
inline void append_many(PartitionLog& log, int batches, std::int64_t first = 0) {
  for (std::int64_t i = first; i < first + batches; ++i) {
    ASSERT_TRUE(append_keyed(log, std::vector<KeyedRecord>{{"k" + std::to_string(i % 7), padded(i), 1000 + 10 * i},
                                                           {"k" + std::to_string((i * 3) % 7), padded(-i), 1005 + 10 * i}}));
  }
  ASSERT_TRUE(log.sync());
}

inline KeyedRecord keyed(const RecordView& record) {
  KeyedRecord found{.key = std::string(as_text(record.key)), .value = {}, .time = record.timestamp.time_since_epoch().count()};
  if (record.has_value) found.value = std::string(as_text(record.value));
  return found;
}

/// In [from, end), read in pieces.
inline KeyedRecords keyed_records(PartitionLog& log, std::optional<Offset> from = {}, std::size_t bytes_max = 1) {
  KeyedRecords records;
  Offset at = from.value_or(log.start());
  while (at < log.written_end()) {
    const Result<Fetched> fetched = log.read(at, log.written_end(), bytes_max, {}, {});
    EXPECT_TRUE(fetched) << fetched.error();
    if (!fetched) break;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      EXPECT_TRUE(records.emplace(record->offset.value(), keyed(*record)).second) << record->offset.value();
    }
    EXPECT_FALSE(cursor.error()) << *cursor.error();
    if (cursor.error() || fetched->next().offset <= at) break;
    at = fetched->next().offset;
  }
  EXPECT_EQ(at, log.written_end());
  return records;
}

struct CompactedPartition : PartitionFixture {
  explicit CompactedPartition(std::uint64_t seed = 1) : PartitionFixture(seed) {
    options.gaps = true;
    options.segment_bytes = 400;
    options.index_interval_bytes = 100;
  }

  [[nodiscard]] CompactionRound round(PartitionLog& log, Offset begin = Offset{0}) const {
    CompactionRound wanted;
    wanted.begin = begin;
    wanted.end = log.segments().back().base;
    wanted.now = Timestamp{std::chrono::milliseconds{now}};
    wanted.tombstone_age = std::chrono::milliseconds{tombstone_age};
    wanted.memory_bytes = memory_bytes;
    wanted.step_bytes = step_bytes;
    return wanted;
  }
  /// A whole round; where it ended.
  Result<Offset> compact(PartitionLog& log, Offset begin = Offset{0}) const {
    const CompactionRound wanted = round(log, begin);
    for (;;) {
      const Result<std::optional<Offset>> reached = log.compact(wanted);
      if (!reached) return reached.error();
      if (*reached) return **reached;
    }
  }
  std::size_t count_of(std::string_view suffix) {
    const std::vector<std::string> found = names();
    return static_cast<std::size_t>(std::ranges::count_if(found, [&](const std::string& n) { return n.ends_with(suffix); }));
  }

  std::int64_t now = 5000;
  std::int64_t tombstone_age = 1000;
  std::size_t memory_bytes = 1u << 20;
  std::size_t step_bytes = 150;
};

/// Of the records that were appended some may be gone, and none may be another.
inline void expect_left_of(const KeyedRecords& found, const KeyedRecords& all) {
  for (const auto& [offset, record] : found) {
    const auto it = all.find(offset);
    ASSERT_TRUE(it != all.end()) << "offset " << offset;
    ASSERT_EQ(record, it->second) << "offset " << offset;
  }
}

inline bool has_leftovers(CompactedPartition& partition) {
  return partition.count_of(".cleaned") + partition.count_of(".swap") + partition.count_of(".deleted") > 0;
}

inline std::vector<KeyedRecord> random_records(Random& random, std::int64_t& time) {
  std::vector<KeyedRecord> records(1 + random.below(3));
  for (KeyedRecord& record : records) {
    record.key = "k" + std::to_string(random.below(5));
    time += 1 + static_cast<std::int64_t>(random.below(5));
    record.time = time;
    if (!random.one_in(4)) record.value = std::to_string(time) + std::string(random.below(40), 'v');
  }
  return records;
}

/// Appends, and notes them before: a crash in the middle may keep them.
inline void append_random(PartitionLog& log, Random& random, std::int64_t& time, KeyedRecords& all, LeaderEpoch epoch) {
  const std::vector<KeyedRecord> records = random_records(random, time);
  std::int64_t offset = log.written_end().value();
  for (const KeyedRecord& record : records) all[offset++] = record;
  ASSERT_TRUE(append_keyed(log, records, epoch));
}

/// `before` without the records that give place below `cleaned_end` to others below it.
inline KeyedRecords compacted(const KeyedRecords& before, std::int64_t cleaned_end) {
  std::map<std::string, std::int64_t> last;
  for (const auto& [offset, record] : before) {
    if (offset < cleaned_end) last[record.key] = offset;
  }
  KeyedRecords after;
  for (const auto& [offset, record] : before) {
    if (offset >= cleaned_end || last[record.key] == offset) after.emplace(offset, record);
  }
  return after;
}

}  // namespace lungo::test
