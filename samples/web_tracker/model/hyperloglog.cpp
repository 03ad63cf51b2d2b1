#include "model/hyperloglog.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tracker {

bool sketch_add(Sketch& sketch, std::uint64_t hash) {
  if (sketch.empty()) sketch.resize(kSketchRegisters);
  const std::size_t index = static_cast<std::size_t>(hash >> (64 - kSketchBits));
  // Rank of the first 1 in the bits behind the index; the added 1 bounds it.
  const std::uint64_t rest = (hash << kSketchBits) | (std::uint64_t{1} << (kSketchBits - 1));
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
  if (sketch[index] >= rank) return false;
  sketch[index] = rank;
  return true;
}

void sketch_merge(Sketch& into, const Sketch& other) {
  if (other.empty()) return;
  if (into.empty()) into.resize(kSketchRegisters);
  for (std::size_t i = 0; i < std::min(into.size(), other.size()); ++i) into[i] = std::max(into[i], other[i]);
}

double sketch_estimate(const Sketch& sketch) {
  if (sketch.empty()) return 0;
  const auto registers = static_cast<double>(sketch.size());
  double sum = 0;
  std::size_t zeros = 0;
  for (const std::uint8_t rank : sketch) {
    sum += std::ldexp(1.0, -rank);
    if (rank == 0) ++zeros;
  }
  const double alpha = 0.7213 / (1.0 + 1.079 / registers);
  const double raw = alpha * registers * registers / sum;
  if (raw <= 2.5 * registers && zeros > 0) return registers * std::log(registers / static_cast<double>(zeros));
  return raw;
}

}  // namespace tracker
