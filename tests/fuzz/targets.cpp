#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <array>

namespace lungo::test {
namespace {

constexpr std::array kTargets{
    FuzzTarget{"record_batch", fuzz_record_batch},
    FuzzTarget{"compression", fuzz_compression},
    FuzzTarget{"partition", fuzz_partition},
    FuzzTarget{"sparse_index", fuzz_sparse_index},
    FuzzTarget{"text_files", fuzz_text_files},
    FuzzTarget{"slot_files", fuzz_slot_files},
    FuzzTarget{"directory", fuzz_directory},
    FuzzTarget{"stream_run", fuzz_stream_run},
    FuzzTarget{"producer_snapshot", fuzz_producer_snapshot},
    FuzzTarget{"mirror_batch", fuzz_mirror_batch},
};

}  // namespace

std::span<const FuzzTarget> fuzz_targets() { return kTargets; }

const FuzzTarget* fuzz_target(std::string_view name) {
  const auto found = std::ranges::find(kTargets, name, &FuzzTarget::name);
  return found == kTargets.end() ? nullptr : &*found;
}

}  // namespace lungo::test
