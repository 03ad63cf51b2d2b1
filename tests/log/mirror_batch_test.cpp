// Goal: what a fetch brings is encoded as batches that every reader takes, each record at its offset and nothing missing
// between them, and a partition takes them as they are.
#include <gtest/gtest.h>

#include <limits>

#include <lungo/log/mirror_batch.hpp>
#include <lungo/log/record_proof.hpp>

#include "key_hash.hpp"
#include "tests/log/foreign_batches.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

Timestamp time_of(std::int64_t milliseconds) { return Timestamp{std::chrono::milliseconds{milliseconds}}; }

/// A record with all that may be null.
struct FullRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t time = 1000;
  friend bool operator==(const FullRecord&, const FullRecord&) = default;

  [[nodiscard]] RecordFields fields(std::vector<HeaderView>& views) const {
    for (const auto& [name, value_of_it] : headers) {
      views.push_back(
          {.name = name, .value = value_of_it ? as_bytes(*value_of_it) : BytesView{}, .has_value = value_of_it.has_value()});
    }
    return {.timestamp = time_of(time),
            .key = key ? std::optional{as_bytes(*key)} : std::nullopt,
            .value = value ? std::optional{as_bytes(*value)} : std::nullopt,
            .headers = views};
  }
};

using FullRecords = std::map<std::int64_t, FullRecord>;

void add_to(MirrorBatches& batches, std::int64_t offset, const FullRecord& record) {
  std::vector<HeaderView> views;
  const Result<void> added = batches.add(Offset{offset}, record.fields(views));
  ASSERT_TRUE(added) << added.error();
}

MirrorBatches batches_of(std::int64_t base, const FullRecords& records, std::int64_t end,
                         std::size_t batch_bytes = MirrorBatches::kBatchBytes) {
  MirrorBatches batches{Offset{base}, batch_bytes};
  for (const auto& [offset, record] : records) add_to(batches, offset, record);
  EXPECT_TRUE(batches.end_at(Offset{end}));
  return batches;
}

FullRecord full_record(const RecordView& record) {
  FullRecord found{.key = {}, .value = {}, .headers = {}, .time = record.timestamp.time_since_epoch().count()};
  if (record.has_key) found.key = as_text(record.key);
  if (record.has_value) found.value = as_text(record.value);
  HeaderCursor headers{record};
  while (const HeaderView* header = headers.next()) {
    found.headers.emplace_back(header->name,
                               header->has_value ? std::optional<std::string>{as_text(header->value)} : std::nullopt);
  }
  EXPECT_TRUE(headers.ok());
  return found;
}

/// Reads them as everybody does; they have to lie side by side from `base` to `end`, and to say the same of themselves.
FullRecords records_in(const MirrorBatches& batches, std::int64_t base, std::int64_t end) {
  FullRecords found;
  Offset expected{base};
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < batches.count(); ++i) {
    const CopiedBatch batch = batches.batch(i);
    const Result<BatchHeader> header = verify_batch(batch.bytes);
    EXPECT_TRUE(header) << header.error();
    if (!header) return found;
    EXPECT_EQ(header->size_bytes(), batch.bytes.size());
    EXPECT_EQ(header->base_offset, expected);
    EXPECT_EQ(batch.base, expected);
    EXPECT_EQ(header->end_offset(), batch.end);
    EXPECT_EQ(header->epoch, kMirrorEpoch);
    EXPECT_EQ(header->producer, kNoProducer);
    EXPECT_EQ(batch.newest.has_value(), header->records_count > 0);
    EXPECT_EQ(header->max_timestamp, batch.newest.value_or(time_of(-1)));
    EXPECT_EQ(batch.key_hashes.size(), static_cast<std::size_t>(header->records_count));
    std::size_t number = 0;
    RecordCursor cursor{batch.bytes, Offset{0}};
    while (const RecordView* record = cursor.next()) {
      EXPECT_LE(record->timestamp, header->max_timestamp);
      EXPECT_EQ(record->offset, batch.base.plus(batch.offset_deltas[number]));
      EXPECT_EQ(batch.key_hashes[number], record->has_key ? key_hash(as_text(record->key)) : kNoKeyHash);
      EXPECT_TRUE(found.emplace(record->offset.value(), full_record(*record)).second);
      ++number;
    }
    EXPECT_FALSE(cursor.error());
    EXPECT_EQ(number, batch.key_hashes.size());
    expected = header->end_offset();
    bytes += batch.bytes.size();
  }
  EXPECT_EQ(expected, Offset{end});
  EXPECT_EQ(bytes, batches.bytes().size());
  return found;
}

TEST(MirrorBatch, HolesLieInsideBatches) {
  const FullRecords records{{12, {"a", "x", {}, 5}}, {13, {"b", "y", {}, 7}}, {17, {"c", "z", {}, 6}}};
  const MirrorBatches batches = batches_of(10, records, 20);
  ASSERT_EQ(batches.count(), 1u);
  const BatchHeader header = verify_batch(batches.bytes()).value();
  EXPECT_EQ(header.base_offset, Offset{10});
  EXPECT_EQ(header.last_offset_delta, 9);
  EXPECT_EQ(header.records_count, 3);
  EXPECT_EQ(header.base_timestamp, time_of(5));
  EXPECT_EQ(header.max_timestamp, time_of(7));
  EXPECT_EQ(records_in(batches, 10, 20), records);
}

TEST(MirrorBatch, ARangeWithoutRecordsIsABatchWithoutRecords) {
  const MirrorBatches batches = batches_of(7, {}, 9);
  ASSERT_EQ(batches.count(), 1u);
  const BatchHeader header = verify_batch(batches.bytes()).value();
  EXPECT_EQ(header.size_bytes(), kBatchHeaderBytes);
  EXPECT_EQ(header.records_count, 0);
  EXPECT_EQ(header.last_offset_delta, 1);
  EXPECT_EQ(header.base_timestamp, time_of(-1));
  EXPECT_EQ(records_in(batches, 7, 9), FullRecords{});
}

TEST(MirrorBatch, AFetchOfNothingIsNone) {
  EXPECT_EQ(batches_of(7, {}, 7).count(), 0u);
  EXPECT_TRUE(batches_of(7, {}, 7).bytes().empty());
}

TEST(MirrorBatch, NullAndEmptyStayWhatTheyAre) {
  const FullRecords records{
      {0, {std::nullopt, std::nullopt, {}, 1000}},
      {1, {"", "", {}, 900}},
      {2, {std::nullopt, "", {{"", std::nullopt}, {"h", ""}, {"h", "again"}}, std::numeric_limits<std::int64_t>::min()}},
      {4, {"", std::nullopt, {{"empty", ""}, {"null", std::nullopt}}, std::numeric_limits<std::int64_t>::max()}},
      {5,
       {std::string(1, '\0'), std::string(300, 'v'),
        std::vector(70, std::pair{std::string("n"), std::optional<std::string>("v")}), -1}}};
  EXPECT_EQ(records_in(batches_of(0, records, 6), 0, 6), records);
}

TEST(MirrorBatch, WhatIsTooLargeForOneBecomesSeveral) {
  FullRecords records;
  for (std::int64_t i = 0; i < 40; ++i) records[3 * i] = {"key " + std::to_string(i), std::string(20, 'v'), {}, i};
  records[50] = {"large", std::string(5000, 'l'), {}, 50};
  const MirrorBatches batches = batches_of(0, records, 130, 300);
  EXPECT_EQ(records_in(batches, 0, 130), records);
  std::size_t larger = 0;
  for (std::size_t i = 0; i < batches.count(); ++i) {
    const CopiedBatch batch = batches.batch(i);
    if (batch.bytes.size() <= 300) continue;
    ++larger;
    EXPECT_EQ(batch.key_hashes.size(), 1u) << "a record that is larger is alone";
  }
  EXPECT_EQ(larger, 1u);
  EXPECT_GT(batches.count(), 5u);
  // Each ends where the next one's first record is: a hole in front of it belongs to the one before.
  for (std::size_t i = 1; i < batches.count(); ++i) EXPECT_EQ(batches.batch(i).offset_deltas.front(), 0);
}

TEST(MirrorBatch, AHoleMayBeWiderThanABatch) {
  constexpr std::int64_t kWide = std::int64_t{1} << 31;
  const FullRecords records{{0, {"a", "x", {}, 1}}, {kWide - 1, {"b", "y", {}, 2}}, {3 * kWide + 5, {"c", "z", {}, 3}}};
  const MirrorBatches batches = batches_of(0, records, 5 * kWide);
  EXPECT_EQ(records_in(batches, 0, 5 * kWide), records);
  ASSERT_EQ(batches.count(), 5u);
  EXPECT_EQ(batches.batch(0).offset_deltas.back(), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(batches.batch(1).key_hashes.size(), 0u);
  EXPECT_EQ(batches.batch(3).key_hashes.size(), 1u);
}

TEST(MirrorBatch, RefusesWhatNoLogHas) {
  MirrorBatches batches{Offset{10}};
  const std::string value(kRecordBytesMax, 'v');
  add_to(batches, 12, {"a", "x", {}, 1});
  EXPECT_EQ(batches.add(Offset{12}, {.timestamp = time_of(1), .key = {}, .value = {}, .headers = {}}).error(),
            Errc::invalid_argument);
  EXPECT_EQ(batches.add(Offset{9}, {.timestamp = time_of(1), .key = {}, .value = {}, .headers = {}}).error(),
            Errc::invalid_argument);
  EXPECT_EQ(
      batches.add(Offset{std::int64_t{1} << 41}, {.timestamp = time_of(1), .key = {}, .value = {}, .headers = {}}).error(),
      Errc::invalid_argument);
  const Result<void> large =
      batches.add(Offset{13}, {.timestamp = time_of(1), .key = {}, .value = as_bytes(value), .headers = {}});
  EXPECT_EQ(large.error(), Errc::too_large);
  EXPECT_EQ(large.error().offset(), Offset{13});
  EXPECT_EQ(batches.end_at(Offset{12}).error(), Errc::invalid_argument);
  EXPECT_EQ(batches.end(), Offset{13});
  ASSERT_TRUE(batches.end_at(Offset{13}));
  EXPECT_EQ(records_in(batches, 10, 13), (FullRecords{{12, {"a", "x", {}, 1}}}));
}

TEST(MirrorBatch, BeginsAnewWithNothingOfBefore) {
  MirrorBatches batches = batches_of(0, {{0, {"a", "x", {}, 1}}, {5, {"b", "y", {}, 2}}}, 9, 100);
  batches.begin(Offset{9});
  EXPECT_EQ(batches.records(), 0u);
  add_to(batches, 11, {"c", "z", {}, 3});
  ASSERT_TRUE(batches.end_at(Offset{12}));
  EXPECT_EQ(records_in(batches, 9, 12), (FullRecords{{11, {"c", "z", {}, 3}}}));
}

TEST(MirrorBatch, WhateverAFetchBringsIsReadBack) {
  const std::uint64_t first = test_seed(1);
  for (std::uint64_t seed = first; seed < first + 300; ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    Random random(seed);
    const auto text = [&](std::size_t most) -> std::optional<std::string> {
      if (random.one_in(5)) return std::nullopt;
      return std::string(random.below(most), static_cast<char>(random.below(256)));
    };
    const auto base = static_cast<std::int64_t>(random.below(1000));
    std::int64_t end = base;
    FullRecords records;
    for (std::uint64_t left = random.below(60); left > 0; --left) {
      end += random.one_in(3) ? static_cast<std::int64_t>(random.below(500)) : 0;
      FullRecord record{
          .key = text(20), .value = text(200), .headers = {}, .time = static_cast<std::int64_t>(random.below(5000)) - 100};
      for (std::uint64_t headers = random.below(3); headers > 0; --headers)
        record.headers.emplace_back(text(5).value_or(""), text(9));
      records[end++] = record;
    }
    end += static_cast<std::int64_t>(random.below(3));
    ASSERT_EQ(records_in(batches_of(base, records, end, 61 + random.below(2000)), base, end), records);
  }
}

// ---- in a partition ----

TEST(MirrorBatch, APartitionTakesThemAndReadsThemFromEveryOffset) {
  for (const std::uint64_t segment_bytes : {300u, 64u << 20}) {
    PartitionFixture partition;
    partition.options.gaps = true;
    partition.options.gaps_inside = segment_bytes == 300;
    partition.options.segment_bytes = segment_bytes;
    auto log = partition.opened();
    std::map<std::int64_t, TestRecord> expected;
    std::int64_t next = 0;
    for (int fetch = 0; fetch < 20; ++fetch) {
      FullRecords records;
      if (fetch % 4 != 3) {
        for (const std::int64_t offset : {next + 2, next + 3, next + 6}) {
          const std::string value = std::to_string(offset);
          records[offset] = {"key " + std::to_string(offset % 5), value, {}, 1000 + offset};
          expected[offset] = {"key " + std::to_string(offset % 5), value, 1000 + offset};
        }
      }
      const MirrorBatches batches = batches_of(next, records, next + 9);
      for (std::size_t i = 0; i < batches.count(); ++i) ASSERT_TRUE(log->append_copy(batches.batch(i)));
      next += 9;
    }
    const auto expect_all = [&](PartitionLog& found) {
      ASSERT_EQ(found.written_end(), Offset{next});
      for (std::int64_t from = 0; from <= next; ++from) {
        const std::map<std::int64_t, TestRecord> rest(expected.lower_bound(from), expected.end());
        ASSERT_EQ(records_by_offset(found, Offset{from}, 1), rest) << from;
      }
      for (std::int64_t time = 1000; time < 1000 + next; time += 7) {
        const auto holder = expected.lower_bound(time - 1000);
        const std::optional<Offset> wanted = holder == expected.end() ? std::nullopt : std::optional{Offset{holder->first}};
        ASSERT_EQ(found.offset_at(Timestamp{std::chrono::milliseconds{time}}, found.written_end()).value(), wanted) << time;
      }
    };
    expect_all(*log);
    log = partition.opened();  // as after a kill: read in full
    expect_all(*log);
    const CleanEnd clean = log->close().value();
    log = partition.opened(clean, clean.end);
    EXPECT_EQ(log->recovery().bytes_scanned, 0u);
    expect_all(*log);
  }
}

TEST(MirrorBatch, APartitionRefusesThoseThatBeginElsewhere) {
  PartitionFixture partition;
  partition.options.gaps = true;
  const auto log = partition.opened();
  const MirrorBatches front = batches_of(0, {{1, {"a", "x", {}, 1}}}, 4);
  ASSERT_TRUE(log->append_copy(front.batch(0)));
  for (const std::int64_t base : {0, 3, 5}) {
    const MirrorBatches other = batches_of(base, {}, base + 1);
    const Result<void> refused = log->append_copy(other.batch(0));
    EXPECT_EQ(refused.error(), Errc::invalid_argument) << base;
    EXPECT_EQ(refused.error().offset(), Offset{4});
  }
  partition.options.gaps = false;
  partition.directory = "other-0";
  EXPECT_EQ(partition.opened()->append_copy(front.batch(0)).error(), Errc::unsupported);
}

// Tables of a few records, so that runs and holes of the index come of them as well.
TEST(MirrorBatch, TheStreamIndexFindsTheirKeys) {
  PartitionFixture partition;
  partition.options.gaps = true;
  partition.options.streams = true;
  partition.options.stream_table_records = 8;
  partition.options.segment_bytes = 2000;
  auto log = partition.opened();
  std::map<std::string, std::vector<std::int64_t>> expected;
  std::int64_t next = 0;
  for (int fetch = 0; fetch < 30; ++fetch) {
    FullRecords records;
    for (const std::int64_t offset : {next, next + 4, next + 5, next + 11}) {
      const std::string key = "key " + std::to_string(offset % 7);
      records[offset] = {key, std::to_string(offset), {}, 1};
      expected[key].push_back(offset);
    }
    records[next + 2] = {std::nullopt, "no key", {}, 1};
    const MirrorBatches batches = batches_of(next, records, next + 15, 150);
    for (std::size_t i = 0; i < batches.count(); ++i) ASSERT_TRUE(log->append_copy(batches.batch(i)));
    next += 15;
    const bool chores_done = fetch % 3 != 0 || log->do_chores();
    ASSERT_TRUE(chores_done);
  }
  const auto expect_all = [&](PartitionLog& found) {
    for (const auto& [key, offsets] : expected) {
      const Result<KeyRecords> records = found.read_key(key, Offset{0}, found.written_end(), 1000);
      ASSERT_TRUE(records) << records.error();
      std::vector<std::int64_t> at_offsets;
      for (const RecordView& record : records->records) at_offsets.push_back(record.offset.value());
      EXPECT_EQ(at_offsets, offsets) << key;
    }
  };
  expect_all(*log);
  const CleanEnd clean = log->close().value();
  log = partition.opened(clean, clean.end);
  expect_all(*log);
  log.reset();
  log = partition.opened();
  expect_all(*log);
}

// ---- proofs ----

TEST(RecordProof, IsEqualForOneRecordAndDiffersInEachPart) {
  const FullRecord record{"key", "value", {{"name", "v"}}, 7};
  const auto proof = [](std::int64_t offset, const FullRecord& of) {
    std::vector<HeaderView> views;
    return record_proof(Offset{offset}, of.fields(views));
  };
  const RecordProof known = proof(3, record);
  const MirrorBatches batches = batches_of(0, {{3, record}}, 9);
  RecordCursor cursor{batches.bytes(), Offset{0}};
  const RecordView* const view = cursor.next();
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(record_proof(*view), known);
  const EncodedRecords alone = test::encode(std::vector<TestRecord>{{.key = "key", .value = "value", .time = 7}});
  EXPECT_EQ(proof(3, {"key", "value", {}, 7}).crc, crc32c(alone.body(0))) << "of the body as it lies in a log";

  EXPECT_NE(proof(4, record), known);
  for (const FullRecord& other :
       {FullRecord{"key", "value", {{"name", "v"}}, 8}, FullRecord{"kez", "value", {{"name", "v"}}, 7},
        FullRecord{"key", "valuf", {{"name", "v"}}, 7}, FullRecord{"key", "value", {{"nama", "v"}}, 7},
        FullRecord{"key", "value", {{"name", std::nullopt}}, 7}, FullRecord{"key", "value", {}, 7},
        FullRecord{std::nullopt, "value", {{"name", "v"}}, 7}, FullRecord{"key", std::nullopt, {{"name", "v"}}, 7}}) {
    EXPECT_NE(proof(3, other), known);
  }
}

}  // namespace
}  // namespace lungo::test
