#include "span_list.hpp"

#include <algorithm>

namespace lungo::exporting {

void SpanList::add(Range span) { ++spans_[span]; }

std::optional<Offset> SpanList::end() const {
  const auto last = std::ranges::max_element(spans_, {}, [](const auto& entry) { return entry.first.end; });
  if (last == spans_.end()) return std::nullopt;
  return last->first.end;
}

std::vector<SpanList::Range> SpanList::gaps() const {
  std::vector<Range> gaps;
  std::optional<Offset> covered;
  for (const auto& [span, files] : spans_) {
    if (covered && span.first > *covered) gaps.push_back({*covered, span.first});
    covered = std::max(covered, std::optional{span.end});
  }
  return gaps;
}

std::vector<SpanList::Range> SpanList::overlaps() const {
  std::vector<Range> overlaps;
  std::optional<Offset> covered;
  for (const auto& [span, files] : spans_) {
    if (covered && span.first < *covered) {
      const Range twice{span.first, std::min(span.end, *covered)};
      if (!overlaps.empty() && twice.first <= overlaps.back().end) {
        overlaps.back().end = std::max(overlaps.back().end, twice.end);
      } else {
        overlaps.push_back(twice);
      }
    }
    covered = std::max(covered, std::optional{span.end});
  }
  return overlaps;
}

}  // namespace lungo::exporting
