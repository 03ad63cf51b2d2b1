// What holds of every partition directory that a crash left and opening recovered.
#pragma once

#include <algorithm>
#include <map>

#include "base/byte_order.hpp"
#include "segment.hpp"
#include "segment_digest.hpp"
#include "segment_directory.hpp"
#include "tests/log/partition_fixture.hpp"

namespace lungo::test {

template <class Entry>
std::vector<Entry> entries_of(SimDisk& disk, const std::string& path) {
  const Bytes bytes = read_file(disk, path, 1 << 20).value();
  EXPECT_EQ(bytes.size() % Entry::kBytes, 0u) << path;
  std::vector<Entry> entries;
  for (std::size_t at = 0; at + Entry::kBytes <= bytes.size(); at += Entry::kBytes) {
    entries.push_back(Entry::load(bytes.data() + at));
  }
  return entries;
}

template <class Entry>
std::vector<std::pair<std::int64_t, std::int64_t>> pairs_of(SimDisk& disk, const std::string& path) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (const Entry& entry : entries_of<Entry>(disk, path)) {
    if constexpr (std::is_same_v<Entry, OffsetEntry>) {
      pairs.emplace_back(entry.relative_offset, entry.position);
    } else {
      pairs.emplace_back(entry.timestamp, entry.relative_offset);
    }
  }
  return pairs;
}

/// Each digest is that of its segment, which another one follows. Returns how many there are.
inline int expect_digests_of_segments(SimDisk& disk, const std::string& directory, const PartitionOptions& options) {
  int found = 0;
  const std::vector<Offset> bases = list_segments(disk, directory, false).value();
  for (const DirEntry& entry : disk.list(directory).value()) {
    if (!entry.name.ends_with(kDigestSuffix)) continue;
    const std::optional<Offset> base = segment_base(entry.name, kDigestSuffix);
    EXPECT_TRUE(base && std::ranges::binary_search(bases, *base) && *base != bases.back()) << entry.name;
    if (!base || !std::ranges::binary_search(bases, *base)) continue;
    const Result<std::optional<SegmentDigest>> noted = read_digest(disk, directory, *base);
    EXPECT_TRUE(noted && *noted) << entry.name;
    if (!noted || !*noted) continue;
    PartitionOptions reading = options;
    reading.read_only = true;
    const std::shared_ptr<Segment> segment = Segment::open(disk, directory, *base, reading).value();
    HeaderDigest digest{*base};
    BatchScanner scan = segment->scan_all(BatchScanner::Depth::checked);
    for (;;) {
      const Result<std::optional<ScannedBatch>> batch = scan.next();
      EXPECT_TRUE(batch) << batch.error();
      if (!batch || !*batch) break;
      digest.add((*batch)->header, (*batch)->head);
    }
    EXPECT_EQ(difference(noted->value(), digest.finish()), "") << entry.name;
    ++found;
  }
  return found;
}

/// The indexes are those that reading the log makes. The time index may have more: a segment that is sealed or closed ends it
/// with its largest time.
inline void expect_indexes_as_rebuilt(const SimDisk& disk, const std::string& directory, const PartitionOptions& options) {
  const std::unique_ptr<SimDisk> found = disk.after_kill();
  const std::unique_ptr<SimDisk> rebuilt = disk.after_kill();
  expect_digests_of_segments(*found, directory, options);
  for (const Offset base : list_segments(*rebuilt, directory, false).value()) {
    const std::shared_ptr<Segment> segment = Segment::open(*rebuilt, directory, base, options).value();
    std::vector<std::pair<std::int64_t, std::int64_t>> largest_times;  // each new largest time and its batch's last offset
    const SegmentScan scan = segment
                                 ->rebuild(true, kNoEpoch,
                                           [&](const BatchHeader& header) {
                                             const std::int64_t time = header.max_timestamp.time_since_epoch().count();
                                             if (!largest_times.empty() && time <= largest_times.back().first) return;
                                             largest_times.emplace_back(time, header.end_offset() - base - 1);
                                           })
                                 .value();
    ASSERT_FALSE(scan.damage) << *scan.damage;
    const std::string offsets = directory + "/" + segment_file_name(base, kIndexSuffix);
    ASSERT_EQ(pairs_of<OffsetEntry>(*found, offsets), pairs_of<OffsetEntry>(*rebuilt, offsets)) << offsets;
    const std::string times = directory + "/" + segment_file_name(base, kTimeIndexSuffix);
    const auto found_times = pairs_of<TimeEntry>(*found, times);
    ASSERT_TRUE(std::ranges::includes(found_times, pairs_of<TimeEntry>(*rebuilt, times))) << times;
    ASSERT_TRUE(std::ranges::includes(largest_times, found_times)) << times;
  }
}

/// The stream index finds of each key exactly the records that have it. They are those from the log's start on.
inline void expect_streams_of(PartitionLog& log, const std::vector<TestRecord>& records) {
  std::map<std::string, std::vector<std::int64_t>> by_key;
  for (std::size_t i = 0; i < records.size(); ++i) {
    by_key[records[i].key].push_back(log.start().value() + static_cast<std::int64_t>(i));
  }
  by_key["never written"];
  for (const auto& [key, offsets] : by_key) {
    const Result<KeyRecords> found = log.read_key(key, log.start(), log.written_end(), 10'000);
    ASSERT_TRUE(found) << found.error();
    std::vector<std::int64_t> found_offsets;
    for (const auto& record : found->records) found_offsets.push_back(record.offset.value());
    ASSERT_EQ(found_offsets, offsets) << key;
  }
}

/// The history of leader epochs is that of the records, whose epochs are given one by one, from offset 0 on. Of those that
/// ended below the log's start nothing is asked.
inline void expect_epochs_of(const PartitionLog& log, const std::vector<LeaderEpoch>& epochs) {
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    if (i + 1 < epochs.size() && epochs[i + 1] == epochs[i]) continue;
    if (static_cast<std::int64_t>(i) < log.start().value()) continue;
    ASSERT_EQ(log.end_of_epoch(epochs[i]), Offset{static_cast<std::int64_t>(i) + 1}) << "epoch " << epochs[i].value();
  }
  if (!epochs.empty() && log.start() == log.written_end()) return;
  ASSERT_EQ(log.last_epoch(), epochs.empty() ? kNoEpoch : epochs.back());
}

}  // namespace lungo::test
