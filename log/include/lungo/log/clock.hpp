// PORT: time and randomness.
//
// Real forms: PosixPorts in ports.hpp; tests drive a ManualClock and a seeded generator (tests/support). No wall clock in any
// fence.
#pragma once

#include <cstdint>
#include <span>

#include <lungo/log/types.hpp>

namespace lungo {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall-clock time, which may jump either way. For timestamps of records only.
  virtual Timestamp now() = 0;
  /// Never goes back. For deadlines and ages.
  virtual Instant monotonic() = 0;
};

class Randomness {
 public:
  virtual ~Randomness() = default;
  virtual void fill(std::span<std::byte> out) = 0;
};

}  // namespace lungo
