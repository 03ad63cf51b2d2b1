// Counts of durations in buckets as HdrHistogram has them: 64 equal ones for each power of two, so that what is read out is at
// most 1.6 % above what was recorded.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace lungo::bench {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[bucket_of(nanoseconds)];
    ++count_;
    max_ = std::max(max_, nanoseconds);
  }
  /// The smallest bucket's upper end at or below which `share` of the durations lie; 0 when there are none.
  [[nodiscard]] std::uint64_t at(double share) const {
    const double wanted = share * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return std::min(upper_end_of(bucket), max_);
    }
    return max_;
  }
  [[nodiscard]] std::uint64_t max() const { return max_; }

 private:
  static constexpr int kBits = 6;
  static constexpr std::uint64_t kParts = 1u << kBits;

  // Below 64 one bucket a nanosecond; then the six bits behind the leading one choose among the 64 of its power.
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kParts) return value;
    const int power = std::bit_width(value) - 1 - kBits;
    return static_cast<std::size_t>(power) * kParts + (value >> power);
  }
  static std::uint64_t upper_end_of(std::size_t bucket) {
    if (bucket < kParts) return bucket;
    const std::uint64_t power = bucket / kParts - 1;
    return ((bucket - power * kParts + 1) << power) - 1;
  }

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>((64 - kBits + 1) * kParts);
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace lungo::bench
