#include "compaction_plan.hpp"

#include <algorithm>

namespace lungo {

DirtyRange dirty_range(std::span<const SegmentFacts> segments, const TopicSpec& spec, Offset cleaned_end, Offset limit,
                       Timestamp now) {
  if (segments.empty()) return {};
  DirtyRange range;
  range.begin = range.end = std::max(cleaned_end, segments.front().base);
  if (range.begin > segments.back().end) range.begin = range.end = segments.front().base;  // it speaks of another history
  for (const SegmentFacts& segment : segments.first(segments.size() - 1)) {
    if (segment.end <= range.begin) {
      range.clean_bytes += segment.bytes;
      continue;
    }
    const bool is_young = spec.compaction_lag.count() > 0 && segment.newest && *segment.newest > now - spec.compaction_lag;
    if (segment.end > limit || is_young) break;
    range.dirty_bytes += segment.bytes;
    range.end = segment.end;
  }
  return range;
}

}  // namespace lungo
