// What of a partition compaction looks at, and when it is worth while.
//
// Pure: facts in. Kafka's rules (its LogCleanerManager): settings of the same names.
#pragma once

#include <span>

#include <lungo/log/partition_log.hpp>

namespace lungo {

/// [begin, end) was not compacted yet and may be.
struct DirtyRange {
  Offset begin;
  Offset end;
  std::uint64_t clean_bytes = 0;  // of the segments below it
  std::uint64_t dirty_bytes = 0;  // of its own

  [[nodiscard]] bool empty() const { return dirty_bytes == 0; }
  /// 0 to 1.
  [[nodiscard]] double ratio() const {
    return empty() ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes);
  }
};

/// `segments` are all of the partition, the last one being written; `cleaned_end` is where the round before ended. What is
/// taken are whole segments up to the first one that reaches above `limit`, or whose newest record lies less than the topic's
/// compaction_lag behind `now`; never the last one.
DirtyRange dirty_range(std::span<const SegmentFacts> segments, const TopicSpec& spec, Offset cleaned_end, Offset limit,
                       Timestamp now);

}  // namespace lungo
