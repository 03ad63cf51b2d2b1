// Which stream runs of a partition are to become one. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lungo {

/// Runs [first, first + count) of all; none with count 0.
struct MergeChoice {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// So many runs are merged at once, at most.
inline constexpr std::size_t kMergedRunsMax = 16;

/// The smallest merge that is worth it, for runs of these sizes that lie side by side; where a size is 0 there is no run.
/// Small runs: four or more, of which the largest is no more than half of the others together. So a merge makes the run of each
/// record three times as large, and some small ones between large ones are not left alone for ever. Above 32 MiB: two or more,
/// of which the largest is no more than twice the others together, as many streams have an entry in each of them.
MergeChoice choose_merge(std::span<const std::uint64_t> bytes);

}  // namespace lungo
