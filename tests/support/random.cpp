#include "tests/support/random.hpp"

#include <cstdlib>

namespace lungo::test {

std::uint64_t Random::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void SeededRandomness::fill(std::span<std::byte> out) {
  for (std::byte& byte : out) byte = static_cast<std::byte>(random_.next() & 0xff);
}

std::uint64_t test_seed(std::uint64_t fallback) {
  const char* const text = std::getenv("LUNGO_TEST_SEED");
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

}  // namespace lungo::test
