// The segments of one partition, ascending, as readers and those who change them share them.
//
// Threads: the owner adds and takes away, compaction exchanges; any thread takes a snapshot, which keeps its segments open for
// as long as it is held.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "segment.hpp"

namespace lungo {

using Segments = std::vector<std::shared_ptr<Segment>>;

/// Index of the segment that `offset` lies in, or would; nothing below the first.
inline std::optional<std::size_t> segment_index(const Segments& segments, Offset offset) {
  std::size_t begin = 0;
  std::size_t end = segments.size();
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (segments[middle]->base() <= offset) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  if (begin == 0) return std::nullopt;
  return begin - 1;
}

/// Tells each segment where the next one begins.
inline void bound(const Segments& segments) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    segments[i]->set_end_max(i + 1 < segments.size() ? segments[i + 1]->base() : kNoEndMax);
  }
}

class SegmentList {
 public:
  [[nodiscard]] std::shared_ptr<const Segments> snapshot() const {
    const std::lock_guard lock(mutex_);
    return list_;
  }
  void assign(Segments segments) {
    bound(segments);
    auto list = std::make_shared<const Segments>(std::move(segments));
    const std::lock_guard lock(mutex_);
    list_.swap(list);
  }
  void add(std::shared_ptr<Segment> segment) {
    change([&](Segments& segments) { segments.push_back(std::move(segment)); });
  }
  /// Those below the one that `offset` lies in leave; returns them.
  Segments remove_below(Offset offset) {
    Segments removed;
    change([&](Segments& segments) {
      const auto kept = segments.begin() + static_cast<std::ptrdiff_t>(segment_index(segments, offset).value_or(0));
      removed.assign(segments.begin(), kept);
      segments.erase(segments.begin(), kept);
    });
    return removed;
  }
  /// Puts one in the place of neighbours. Some of them, the first ones, may have left; false, when all have.
  bool exchange(const Segments& replaced, const std::shared_ptr<Segment>& by) {
    const auto is_replaced = [&](const auto& segment) { return std::ranges::find(replaced, segment) != replaced.end(); };
    bool found = false;
    change([&](Segments& segments) {
      const auto first = std::ranges::find_if(segments, is_replaced);
      found = first != segments.end();
      if (!found) return;
      *first = by;
      segments.erase(std::remove_if(first + 1, segments.end(), is_replaced), segments.end());
    });
    return found;
  }

 private:
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex_);
    auto list = std::make_shared<Segments>(*list_);
    change(*list);
    bound(*list);
    list_ = std::move(list);
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const Segments> list_ = std::make_shared<const Segments>();
};

}  // namespace lungo
