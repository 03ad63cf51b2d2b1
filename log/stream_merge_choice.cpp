#include "stream_merge_choice.hpp"

#include <algorithm>
#include <limits>

namespace lungo {
namespace {

constexpr std::size_t kSmallRunsMin = 4;
constexpr std::size_t kLargeRunsMin = 2;
constexpr std::uint64_t kLargeBytes = 32u << 20;

bool is_worth_it(std::size_t count, std::uint64_t largest, std::uint64_t others) {
  if (largest < kLargeBytes) return count >= kSmallRunsMin && others >= 2 * largest;
  return count >= kLargeRunsMin && 2 * others >= largest;
}

}  // namespace

MergeChoice choose_merge(std::span<const std::uint64_t> bytes) {
  MergeChoice best;
  std::uint64_t best_bytes = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t first = 0; first < bytes.size(); ++first) {
    std::uint64_t sum = 0;
    std::uint64_t largest = 0;
    for (std::size_t count = 1; count <= std::min(kMergedRunsMax, bytes.size() - first); ++count) {
      const std::uint64_t next = bytes[first + count - 1];
      if (next == 0) break;
      sum += next;
      largest = std::max(largest, next);
      if (sum >= best_bytes || !is_worth_it(count, largest, sum - largest)) continue;
      best = {first, count};
      best_bytes = sum;
    }
  }
  return best;
}

}  // namespace lungo
