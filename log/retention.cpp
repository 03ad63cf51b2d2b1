#include "retention.hpp"

namespace lungo {

bool is_past(std::optional<Timestamp> since, std::optional<std::chrono::milliseconds> age, Timestamp now) {
  if (!since || !age || since->time_since_epoch().count() < 0 || now < *since) return false;
  return now - *since > *age;
}

Offset retention_target(std::span<const SegmentFacts> segments, const TopicSpec& spec, Offset limit, Timestamp now) {
  std::uint64_t bytes = 0;
  for (const SegmentFacts& segment : segments) bytes += segment.bytes;
  Offset start = segments.empty() ? Offset{0} : segments.front().base;
  for (std::size_t i = 0; i + 1 < segments.size() && segments[i].end <= limit; ++i) {
    bytes -= segments[i].bytes;
    const bool too_much = spec.retention_bytes && bytes >= *spec.retention_bytes;
    if (!too_much && !segments[i].newest) continue;  // it has no records: it goes with those behind it
    if (!too_much && !is_past(segments[i].newest, spec.retention_age, now)) break;
    start = segments[i].end;
  }
  return start;
}

}  // namespace lungo
