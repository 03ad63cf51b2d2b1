// All simulated ports under one seed: what a test of crashes and time runs real code on.
#pragma once

#include <lungo/log/ports.hpp>
#include "tests/support/manual_clock.hpp"
#include "tests/support/random.hpp"
#include "tests/support/sim_disk.hpp"
#include "tests/support/sim_executor.hpp"

namespace lungo::test {

struct Simulation {
  explicit Simulation(std::uint64_t seed) : Simulation(seed, std::make_unique<SimDisk>(seed)) {}
  /// A machine with a disk that has a past, e.g. from SimDisk::after_power_cut().
  Simulation(std::uint64_t seed, std::unique_ptr<SimDisk> with_disk)
      : random(seed), executor(clock, seed), owned_disk(std::move(with_disk)), disk(*owned_disk) {}

  [[nodiscard]] Ports ports() { return {disk, clock, executor, random}; }

  ManualClock clock;
  SeededRandomness random;
  SimExecutor executor;
  const std::unique_ptr<SimDisk> owned_disk;
  SimDisk& disk;
};

}  // namespace lungo::test
