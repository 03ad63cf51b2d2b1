// Goal: as partition_model_test.cpp, 100,000 sequences a run, in two halves for two cores, a quarter of them on a compacted
// partition, whose model is another one. By LUNGO_TEST_SEED others.
#include "tests/log/compaction_model.hpp"
#include "tests/log/partition_model.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

class PartitionModels : public testing::TestWithParam<std::uint64_t> {};

constexpr std::uint64_t kSequences = 50'000;
constexpr std::uint64_t kCompacted = kSequences / 4;
constexpr int kOperations = 30;

TEST_P(PartitionModels, FiftyThousandSequencesGiveWhatTheirModelsGive) {
  const SilentLog silent;
  const std::uint64_t first = test_seed(1'000'000) + GetParam() * kSequences;
  run_partition_models(first, kSequences - kCompacted, kOperations);
  run_compaction_models(first, kCompacted, kOperations);
}

INSTANTIATE_TEST_SUITE_P(Halves, PartitionModels, testing::Values(0, 1));

}  // namespace
}  // namespace lungo::test
