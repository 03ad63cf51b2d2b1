// Goal: as partition_model_test.cpp, 100,000 sequences a run, in two halves for two cores. By LUNGO_TEST_SEED others.
#include "tests/log/partition_model.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

class PartitionModels : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PartitionModels, FiftyThousandSequencesGiveWhatAVectorGives) {
  const SilentLog silent;
  run_partition_models(test_seed(1'000'000) + GetParam() * 50'000, 50'000, 30);
}

INSTANTIATE_TEST_SUITE_P(Halves, PartitionModels, testing::Values(0, 1));

}  // namespace
}  // namespace lungo::test
