// Goal: any sequence of operations gives what a plain vector of records gives. A few long sequences; many short ones are in
// partition_model_crash_test.cpp.
#include "tests/log/partition_model.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

TEST(PartitionModel, RandomOperationsGiveWhatAVectorGives) {
  const SilentLog silent;
  run_partition_models(test_seed(100), 30, 150);
}

}  // namespace
}  // namespace lungo::test
