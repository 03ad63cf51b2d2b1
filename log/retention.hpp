// Which segments of a partition have to go by age and size.
//
// Pure: facts in, the new start out. Times are those of the records, against the wall clock.
#pragma once

#include <span>

#include <lungo/log/partition_log.hpp>

namespace lungo {

/// Where the partition starts when those segments are gone that go by the topic's limits: the oldest ones, none that is still
/// written (the last), and none with records at or above `limit`. A segment whose newest time is negative has no age.
Offset retention_target(std::span<const SegmentFacts> segments, const TopicSpec& spec, Offset limit, Timestamp now);

/// Whether `since`, the time of a segment's first record, makes it old enough to be followed by another.
bool is_past(std::optional<Timestamp> since, std::optional<std::chrono::milliseconds> age, Timestamp now);

}  // namespace lungo
