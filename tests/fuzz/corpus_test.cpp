// Goal: what a fuzzer has found stays found. Method: every file of the corpora is run through its target, in each build of the
// fast suite and so under the sanitizers too; and through a few simple mutations, since these cost nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/targets.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

namespace fs = std::filesystem;

constexpr int kMutations = 20;  // of each file

std::string contents_of(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>(file), {}};
}

class FuzzCorpus : public testing::TestWithParam<std::string> {
 protected:
  void run(std::string_view input) const {
    // On the heap and exactly as long, so that a sanitizer sees who reads past the end.
    const Bytes bytes(as_bytes(input).begin(), as_bytes(input).end());
    ASSERT_NO_THROW(fuzz_target(GetParam())->run(bytes));
  }
  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> paths;
    for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(LUNGO_FUZZ_CORPUS) / GetParam())) {
      paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
  }
};

TEST_P(FuzzCorpus, HoldsNothingThatBreaksIt) {
  const SilentLog quiet;
  run("");
  ASSERT_FALSE(files().empty());
  for (const fs::path& path : files()) {
    SCOPED_TRACE(path.filename().string());
    run(contents_of(path));
  }
}

TEST_P(FuzzCorpus, NorDoWhatIsLikeIt) {
  const SilentLog quiet;
  const std::uint64_t seed = test_seed(20261126);
  for (const fs::path& path : files()) {
    const std::string contents = contents_of(path);
    for (int mutation = 0; mutation < kMutations; ++mutation) {
      Random random(seed + static_cast<std::uint64_t>(mutation));
      std::string input = contents;
      for (std::uint64_t changes = 1 + random.below(4); changes > 0 && !input.empty(); --changes) {
        input[random.below(input.size())] ^= static_cast<char>(1u << random.below(8));
      }
      if (random.one_in(4)) input.resize(random.below(input.size() + 1));
      SCOPED_TRACE(path.filename().string() + ", LUNGO_TEST_SEED=" + std::to_string(seed) + ", mutation " +
                   std::to_string(mutation));
      run(input);
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const FuzzTarget& target : fuzz_targets()) all.emplace_back(target.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, FuzzCorpus, testing::ValuesIn(names()),
                         [](const testing::TestParamInfo<std::string>& target) { return target.param; });

}  // namespace
}  // namespace lungo::test
