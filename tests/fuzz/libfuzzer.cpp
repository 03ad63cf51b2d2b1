// LUNGO_FUZZ_TARGET=NAME lungo-fuzz [libFuzzer's options] CORPUS...: in the environment, since libFuzzer starts itself again
// with the arguments that it knows.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/targets.hpp"
#include "tests/support/quiet_log.hpp"

namespace {

const lungo::test::FuzzTarget* target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  static const lungo::test::SilentLog quiet;
  const char* const name = std::getenv("LUNGO_FUZZ_TARGET");
  if (name != nullptr) target = lungo::test::fuzz_target(name);
  if (target != nullptr) return 0;
  std::fprintf(stderr, "LUNGO_FUZZ_TARGET must be one of:\n");
  for (const lungo::test::FuzzTarget& one : lungo::test::fuzz_targets()) {
    std::fprintf(stderr, "  %s\n", std::string(one.name).c_str());
  }
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target->run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
