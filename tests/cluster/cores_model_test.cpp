// Goal: whatever fails, and in whatever order, the promises of owners hold against the logs of the brokers: no committed record
// of an owner lies behind what a later one had read when it opened the partition, no append that was answered as written is
// lost, none is there twice, conditions held in the log's order, what is let go has nothing open; and when faults end, all
// gets through. Thousands of seeds; LUNGO_TEST_SEED for others, LUNGO_MODEL_SEEDS for more.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/cluster/cores_run.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {
namespace {

constexpr int kSteps = 2'000;

TEST(CoresModel, KeepsItsPromisesWhateverFails) {
  const char* const wanted = std::getenv("LUNGO_MODEL_SEEDS");
  const std::uint64_t count = wanted == nullptr ? 2'000 : std::strtoull(wanted, nullptr, 10);
  const std::uint64_t first = test_seed(1);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::vector<std::string> faults = CoresRun(seed).run(kSteps);
    for (const std::string& fault : faults) ADD_FAILURE() << "LUNGO_TEST_SEED=" << seed << ": " << fault;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace lungo::test
