// The segments of one partition, ascending and without gaps, as readers and the owner share them.
//
// Threads: the owner replaces the list; any thread takes a snapshot, which keeps its segments open for as long as it is held.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "segment.hpp"

namespace lungo {

using Segments = std::vector<std::shared_ptr<Segment>>;

class SegmentList {
 public:
  [[nodiscard]] std::shared_ptr<const Segments> snapshot() const {
    const std::lock_guard lock(mutex_);
    return list_;
  }
  void assign(Segments segments) {
    auto list = std::make_shared<const Segments>(std::move(segments));
    const std::lock_guard lock(mutex_);
    list_.swap(list);
  }
  void add(std::shared_ptr<Segment> segment) {
    Segments segments = *snapshot();
    segments.push_back(std::move(segment));
    assign(std::move(segments));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Segments> list_ = std::make_shared<const Segments>();
};

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

}  // namespace lungo
