// A foreign log's partition in memory, and the little that fills a mirror of it: what a home's tail does.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include <lungo/log/mirror_log.hpp>

#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

/// A partition whose offsets may be missing, as those of control records and aborted transactions.
struct MirroredSource {
  std::map<std::int64_t, TestRecord> records;  // of [start, end)
  std::int64_t start = 0;
  std::int64_t end = 0;

  void add(const TestRecord& record) { records[end++] = record; }
  void skip(std::int64_t offsets) { end += offsets; }
  void delete_below(std::int64_t offset) {
    start = std::max(start, offset);
    end = std::max(end, start);
    records.erase(records.begin(), records.lower_bound(start));
  }

  [[nodiscard]] std::map<std::int64_t, TestRecord> records_in(std::int64_t from, std::int64_t to) const {
    return {records.lower_bound(from), records.lower_bound(to)};
  }
  [[nodiscard]] MirrorBatches fetch(std::int64_t from, std::int64_t to,
                                    std::size_t batch_bytes = MirrorBatches::kBatchBytes) const {
    MirrorBatches batches{Offset{from}, batch_bytes};
    for (auto record = records.lower_bound(from); record != records.lower_bound(to); ++record) {
      const HeaderView id{.name = kIdHeader, .value = as_bytes(record->second.id)};
      const std::span<const HeaderView> headers = record->second.id.empty() ? std::span<const HeaderView>{} : std::span{&id, 1};
      const Result<void> added =
          batches.add(Offset{record->first}, {.timestamp = Timestamp{std::chrono::milliseconds{record->second.time}},
                                              .key = as_bytes(record->second.key),
                                              .value = as_bytes(record->second.value),
                                              .headers = headers});
      EXPECT_TRUE(added) << added.error();
    }
    EXPECT_TRUE(batches.end_at(Offset{to}));
    return batches;
  }
  [[nodiscard]] std::optional<RecordProof> proof_at(Offset offset) const {
    const auto found = records.find(offset.value());
    if (found == records.end()) return std::nullopt;
    const EncodedRecords encoded = encode(std::vector<TestRecord>{found->second});
    return RecordProof{.offset = offset,
                       .time = Timestamp{std::chrono::milliseconds{found->second.time}},
                       .crc = record_proof(parse_record_body(encoded.body(0)).value()).crc};
  }
};

/// Whether filling can go on behind what the mirror has: of the source's records in [last one, end), or in [start, end) where
/// it has none, it has to have all.
inline bool agrees(MirrorLog& mirror, const TopicPartition& partition, const MirroredSource& source) {
  const Ends ends = mirror.reads().ends(partition).value();
  const Offset end = mirror.end(partition).value();
  if (end.value() < source.start || end.value() > source.end || ends.start.value() > source.start) return false;
  const std::optional<RecordProof> last = mirror.last_record(partition).value();
  const std::int64_t from = std::max(last ? last->offset.value() : ends.start.value(), source.start);
  const std::map<std::int64_t, TestRecord> there = source.records_in(from, end.value());
  if (!last || last->offset.value() < source.start) return there.empty();
  return there.size() == 1 && last == source.proof_at(last->offset);
}

/// Goes on filling the mirror, `offsets_per_fetch` at a time, up to `to` or the source's end.
inline void fill(MirrorLog& mirror, const TopicPartition& partition, const MirroredSource& source,
                 std::int64_t offsets_per_fetch = 7, std::optional<std::int64_t> to = {}) {
  if (!agrees(mirror, partition, source)) {
    const Result<void> emptied = mirror.empty_from(partition, Offset{source.start});
    ASSERT_TRUE(emptied) << emptied.error();
  }
  const Result<Offset> start = mirror.start_at(partition, Offset{source.start});
  ASSERT_TRUE(start) << start.error();
  const std::int64_t end = std::min(to.value_or(source.end), source.end);
  for (std::int64_t from = mirror.end(partition).value().value(); from < end;) {
    const std::int64_t next = std::min(from + offsets_per_fetch, end);
    const Result<void> appended = mirror.append_copy(partition, source.fetch(from, next));
    ASSERT_TRUE(appended) << appended.error();
    const Result<void> committed = mirror.commit(partition, Offset{source.end});
    ASSERT_TRUE(committed) << committed.error();
    from = next;
  }
}

/// What readers see of the partition, by offset, read in pieces of about `bytes_max`.
inline std::map<std::int64_t, TestRecord> shown_records(EventLog& log, const TopicPartition& partition,
                                                        std::optional<Offset> from = {}, std::size_t bytes_max = 500) {
  std::map<std::int64_t, TestRecord> records;
  const Result<Ends> ends = log.ends(partition);
  EXPECT_TRUE(ends) << ends.error();
  if (!ends) return records;
  for (Offset at = from.value_or(ends->start); at < ends->committed;) {
    const Result<Fetched> fetched = log.read(partition, at, bytes_max);
    EXPECT_TRUE(fetched) << fetched.error();
    if (!fetched) break;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      EXPECT_TRUE(records.emplace(record->offset.value(), decode(*record)).second) << record->offset.value();
    }
    EXPECT_FALSE(cursor.error()) << *cursor.error();
    EXPECT_GT(fetched->next().offset, at);
    if (cursor.error() || fetched->next().offset <= at) break;
    at = fetched->next().offset;
  }
  return records;
}

/// Of the records with this key, by offset; by the stream index.
inline std::map<std::int64_t, TestRecord> records_of_key(EventLog& log, const TopicPartition& partition,
                                                         const std::string& key) {
  std::map<std::int64_t, TestRecord> found;
  const Ends ends = log.ends(partition).value();
  const Result<KeyRecords> records = log.read_key(partition, key, ends.start, ends.committed, 1u << 20);
  EXPECT_TRUE(records) << records.error();
  if (!records) return found;
  EXPECT_TRUE(records->done);
  for (const RecordView& record : records->records) found.emplace(record.offset.value(), decode(record));
  return found;
}

}  // namespace lungo::test
