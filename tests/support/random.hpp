// Seeded random numbers for tests: the same seed gives the same numbers on every machine and compiler.
//
// A random test prints its seed (`SCOPED_TRACE(seed)`) and takes another one from the environment through test_seed().
#pragma once

#include <cstdint>
#include <lungo/log/clock.hpp>

namespace lungo::test {

/// SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, good enough to draw test cases from.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Evenly in [0, end); 0 when `end` is 0.
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : next() % end; }
  /// True once in `times` calls on average.
  bool one_in(std::uint64_t times) { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

/// The Randomness port over a seed.
class SeededRandomness : public Randomness {
 public:
  explicit SeededRandomness(std::uint64_t seed) : random_(seed) {}
  void fill(std::span<std::byte> out) override;

 private:
  Random random_;
};

/// LUNGO_TEST_SEED of the environment when it is set, otherwise `fallback`.
std::uint64_t test_seed(std::uint64_t fallback);

}  // namespace lungo::test
