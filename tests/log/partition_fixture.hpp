// A partition on the simulated disk, and short words for what its tests do over and over.
#pragma once

#include <gtest/gtest.h>

#include <lungo/log/partition_log.hpp>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/simulation.hpp"

namespace lungo::test {

/// One record as a test writes and expects it.
struct TestRecord {
  std::string key;
  std::string value;
  std::int64_t time = 1000;
  std::string id = {};
  friend bool operator==(const TestRecord&, const TestRecord&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const TestRecord& record) {
  return out << record.key << "=" << record.value << "@" << record.time << "#" << record.id;
}

inline EncodedRecords encode(const std::vector<TestRecord>& records) {
  EncodedRecords encoded;
  for (const TestRecord& record : records) {
    const HeaderView id{.name = kIdHeader, .value = as_bytes(record.id)};
    const std::span<const HeaderView> headers = record.id.empty() ? std::span<const HeaderView>{} : std::span{&id, 1};
    EXPECT_TRUE(encoded.add({.timestamp = Timestamp{std::chrono::milliseconds{record.time}},
                             .key = as_bytes(record.key),
                             .value = as_bytes(record.value),
                             .headers = headers}));
  }
  return encoded;
}

inline TestRecord decode(const RecordView& record) {
  const std::optional<BytesView> id = find_header(record, kIdHeader);
  return {.key = std::string(as_text(record.key)),
          .value = std::string(as_text(record.value)),
          .time = record.timestamp.time_since_epoch().count(),
          .id = id ? std::string(as_text(*id)) : std::string{}};
}

/// Appends one group of one item.
inline Result<Appended> append(PartitionLog& log, const std::vector<TestRecord>& records, LeaderEpoch epoch = LeaderEpoch{0},
                               std::optional<Condition> condition = {}, std::optional<Offset> since = {}) {
  EncodedRecords encoded = encode(records);
  GroupItem item{.records = &encoded, .condition = condition ? &*condition : nullptr, .since = since, .outcome = {}};
  log.append({&item, 1}, epoch);
  EXPECT_TRUE(item.outcome.has_value());
  return *item.outcome;
}

/// All records in [from, end), read in pieces of about `bytes_max`.
inline Result<std::vector<TestRecord>> read_all(PartitionLog& log, Offset from, Offset end, std::size_t bytes_max = 4096) {
  std::vector<TestRecord> records;
  while (from < end) {
    const Result<Fetched> fetched = log.read(from, end, bytes_max, {}, {});
    if (!fetched) return fetched.error();
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      EXPECT_EQ(record->offset, from.plus(0)) << "offsets are dense";
      from = record->offset.next();
      records.push_back(decode(*record));
    }
    if (cursor.error()) return *cursor.error();
    EXPECT_EQ(fetched->next().offset, from);
  }
  return records;
}

/// Like read_all over everything, for a log that has to be whole.
inline std::vector<TestRecord> contents(PartitionLog& log) {
  const Result<std::vector<TestRecord>> records = read_all(log, log.start(), log.written_end());
  EXPECT_TRUE(records) << records.error();
  return records ? *records : std::vector<TestRecord>{};
}

/// The directory of one partition on a simulated machine.
struct PartitionFixture {
  explicit PartitionFixture(std::uint64_t seed = 1) : simulation(std::make_unique<Simulation>(seed)) {}

  Result<std::unique_ptr<PartitionLog>> open(std::optional<CleanEnd> clean = {}, Offset recovery_point = Offset{0}) {
    return PartitionLog::open(simulation->ports(), directory, options, clean, recovery_point);
  }
  /// Opens what has to open.
  std::unique_ptr<PartitionLog> opened(std::optional<CleanEnd> clean = {}, Offset recovery_point = Offset{0}) {
    Result<std::unique_ptr<PartitionLog>> log = open(clean, recovery_point);
    EXPECT_TRUE(log) << log.error();
    return log ? std::move(*log) : nullptr;
  }
  /// A machine that finds the disk as a power cut now would leave it.
  [[nodiscard]] PartitionFixture after_power_cut(std::uint64_t seed) const {
    PartitionFixture found;
    found.simulation = std::make_unique<Simulation>(seed, simulation->disk.after_power_cut(seed));
    found.options = options;
    return found;
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory + "/" + name; }
  std::unique_ptr<File> file(const std::string& name) {
    Result<std::unique_ptr<File>> opened_file = simulation->disk.open(path(name), OpenMode::read_write);
    EXPECT_TRUE(opened_file) << name;
    return std::move(*opened_file);
  }
  std::uint64_t file_size(const std::string& name) { return *file(name)->size(); }
  void flip(const std::string& name, std::uint64_t position, std::byte mask = std::byte{1}) {
    const std::unique_ptr<File> opened_file = file(name);
    std::byte byte{};
    EXPECT_EQ(*opened_file->read_at(position, {&byte, 1}), 1u);
    byte ^= mask;
    EXPECT_TRUE(opened_file->write_at(position, {&byte, 1}));
  }
  void write(const std::string& name, std::uint64_t position, BytesView bytes) {
    EXPECT_TRUE(file(name)->write_at(position, bytes));
  }
  void truncate(const std::string& name, std::uint64_t size) { EXPECT_TRUE(file(name)->truncate(size)); }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const DirEntry& entry : *simulation->disk.list(directory)) found.push_back(entry.name);
    return found;
  }

  std::string directory = "topic-0";
  PartitionOptions options;
  std::unique_ptr<Simulation> simulation;
};

inline constexpr const char* kFirstLog = "00000000000000000000.log";
inline constexpr const char* kFirstIndex = "00000000000000000000.index";
inline constexpr const char* kFirstTimeIndex = "00000000000000000000.timeindex";

}  // namespace lungo::test
