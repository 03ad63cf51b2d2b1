// A partition that was killed with ten batches in it, and what holds of one with damage.
#pragma once

#include <map>

#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

inline std::vector<TestRecord> numbered(int begin, int end) {
  std::vector<TestRecord> records;
  for (int i = begin; i < end; ++i) records.push_back({.key = "k" + std::to_string(i % 5), .value = std::to_string(i)});
  return records;
}

// A log of ten batches of three records, of which the first `synced` batches were synced; crashed, not closed.
struct CrashedLog : PartitionFixture {
  explicit CrashedLog(int synced, std::uint64_t segment_bytes = 64u << 20, bool streams = false) {
    options.segment_bytes = segment_bytes;
    options.streams = streams;
    const auto log = opened();
    for (int batch = 0; batch < 10; ++batch) {
      borders.push_back(file_size(kFirstLog));
      EXPECT_TRUE(append(*log, numbered(3 * batch, 3 * batch + 3)));
      if (batch + 1 == synced) {
        EXPECT_TRUE(log->sync());
      }
    }
    borders.push_back(file_size(kFirstLog));
  }
  /// The same one on another disk.
  CrashedLog(const CrashedLog& other, std::unique_ptr<SimDisk> disk) : borders(other.borders) {
    options = other.options;
    simulation = std::make_unique<Simulation>(1, std::move(disk));
  }
  std::map<std::string, Bytes> files() {
    std::map<std::string, Bytes> found;
    for (const std::string& name : names()) {
      if (name.ends_with(".log")) found[name] = *read_file(simulation->disk, path(name), 1 << 20);
    }
    return found;
  }
  /// Batches [begin, end) of a log in one segment, as they would be damaged.
  [[nodiscard]] DamagedRange batches(std::size_t begin, std::size_t end) const {
    return {Offset{3 * static_cast<std::int64_t>(begin)}, Offset{3 * static_cast<std::int64_t>(end)}, kFirstLog, borders[begin],
            borders[end] - borders[begin]};
  }
  void remove_mark() { EXPECT_TRUE(simulation->disk.remove(path("synced-end"))); }

  std::vector<std::uint64_t> borders;  // where each batch begins, and the end
};

/// Bytes of a file's first batch.
inline std::uint64_t batch_size(PartitionFixture& fixture, const std::string& name) {
  return parse_batch_header(*read_file(fixture.simulation->disk, fixture.path(name), 1 << 20))->size_bytes();
}

/// Each record below `end` is read as it was written, from any offset on, forwards and backwards; but no read enters what is
/// known to be lost, or becomes known by this.
inline void expect_all_but_holes(PartitionLog& log, int end) {
  ASSERT_EQ(log.written_end(), Offset{end});
  const auto hole_at = [&log](Offset offset) -> std::optional<DamagedRange> {
    for (const DamagedRange& range : log.damage()) {
      if (range.from <= offset && offset < range.end) return range;
    }
    return std::nullopt;
  };
  const auto expect_names = [](const Error& error, const DamagedRange& hole) {
    ASSERT_EQ(error, Errc::corrupt);
    const std::string range = "[" + std::to_string(hole.from.value()) + ", " + std::to_string(hole.end.value()) + ")";
    ASSERT_NE(error.text().find(range), std::string_view::npos) << error;
    ASSERT_NE(error.text().find(hole.file + ", byte " + std::to_string(hole.position)), std::string_view::npos) << error;
  };
  for (int i = 0; i < end; ++i) {
    SCOPED_TRACE(i);
    const Offset from{i};
    const Result<Fetched> fetched = log.read(from, Offset{end}, 250, {}, {});
    if (!fetched) {
      const std::optional<DamagedRange> hole = hole_at(from);
      ASSERT_TRUE(hole) << fetched.error();
      ASSERT_NO_FATAL_FAILURE(expect_names(fetched.error(), *hole));
      continue;
    }
    ASSERT_FALSE(hole_at(from));
    RecordCursor cursor = fetched->records();
    int expected = i;
    while (const RecordView* record = cursor.next()) {
      ASSERT_EQ(record->offset, Offset{expected});
      ASSERT_FALSE(hole_at(record->offset));
      ASSERT_EQ(decode(*record), numbered(expected, expected + 1).front());
      ++expected;
    }
    ASSERT_FALSE(cursor.error());
    ASSERT_GT(expected, i);
  }
  for (int i = end; i > 0; --i) {
    SCOPED_TRACE("back from " + std::to_string(i));
    const Result<Fetched> fetched = log.read_back(Offset{i}, Offset{end}, 250, {}, {});
    if (!fetched) {
      ASSERT_EQ(fetched.error(), Errc::corrupt);
      ASSERT_TRUE(hole_at(Offset{i - 1}) || hole_at(Offset{i - 1 - (i - 1) % 3 - 1})) << fetched.error();
      continue;
    }
    if (fetched->empty()) continue;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      ASSERT_FALSE(hole_at(record->offset));
      ASSERT_EQ(decode(*record), numbered(static_cast<int>(record->offset.value()), end).front());
    }
  }
}

inline void expect_writes_are_refused(PartitionLog& log) {
  ASSERT_TRUE(log.refused_since_opening());
  const Result<Appended> refused = append(log, numbered(0, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::partition_failed);
  EXPECT_NE(refused.error().text().find("damaged"), std::string_view::npos) << refused.error();
  EXPECT_FALSE(log.close());
}

}  // namespace lungo::test
