// Goal: whatever sizes stream runs come in, few of them are left, and no record is written too often.

#include "stream_merge_choice.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <numeric>
#include <vector>

#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

using Sizes = std::vector<std::uint64_t>;

std::pair<std::size_t, std::size_t> chosen(const Sizes& bytes) {
  const MergeChoice choice = choose_merge(bytes);
  return {choice.first, choice.count};
}

TEST(MergeChoice, TakesTheSmallestThatIsWorthIt) {
  using Range = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(chosen({}), Range(0, 0));
  EXPECT_EQ(chosen({8, 8, 8}), Range(0, 0));
  EXPECT_EQ(chosen({8, 8, 8, 8}), Range(0, 4));
  EXPECT_EQ(chosen({32, 8, 8, 8}), Range(0, 0));
  EXPECT_EQ(chosen({32, 8, 8, 8, 8}), Range(1, 4));
  EXPECT_EQ(chosen({32, 32, 32, 32, 8, 8, 8, 8}), Range(4, 4));
  EXPECT_EQ(chosen({8, 8, 0, 8, 8}), Range(0, 0)) << "not over a hole";
  EXPECT_EQ(chosen({64 << 20, 16 << 20, 8 << 20}), Range(0, 0));
  EXPECT_EQ(chosen({64 << 20, 20 << 20, 12 << 20}), Range(0, 3)) << "large ones share their streams";
}

// Tables as they come, with some that a clean stop cut short.
TEST(MergeChoice, LeavesFewAndWritesNoneTooOften) {
  for (const std::uint64_t short_one_in : {0u, 1u, 2u, 5u}) {
    Random random{7};
    Sizes runs;
    std::uint64_t came = 0;
    std::uint64_t written = 0;
    std::size_t most = 0;
    for (int i = 0; i < 5'000; ++i) {
      const bool is_short = short_one_in > 0 && random.one_in(short_one_in);
      runs.push_back(is_short ? 8'192 + random.below(20'000) : 2u << 20);
      came += runs.back();
      for (MergeChoice choice = choose_merge(runs); choice.count > 0; choice = choose_merge(runs)) {
        const auto first = runs.begin() + static_cast<std::ptrdiff_t>(choice.first);
        const auto end = first + static_cast<std::ptrdiff_t>(choice.count);
        *first = std::accumulate(first, end, std::uint64_t{0});
        written += *first;
        runs.erase(first + 1, end);
      }
      most = std::max(most, runs.size());
    }
    EXPECT_LE(most, 24u) << short_one_in;
    EXPECT_LE(written, 14 * came) << short_one_in;
    std::cout << "runs: " << most << " at most, each byte written " << static_cast<double>(written) / static_cast<double>(came)
              << " times\n";
  }
}

}  // namespace
}  // namespace lungo::test
