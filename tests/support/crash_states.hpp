// Every state that a crash may leave on a simulated disk, around and inside every step of what runs on it.
//
// At each step: before and after it, and inside a write after each of its bytes (of a long one: near its ends and the sectors,
// and in strides), the process is killed, or the power fails. After a kill all that was written is there, and a power cut that
// comes later may still take what was not synced. After a power cut any of it may be missing: see SimDisk::for_each_survivor.
//
// A state is looked at once per promise: that is what the log has answered for meanwhile. Distinct states are counted by a hash
// of their names and bytes alone.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <unordered_set>

#include "tests/support/sim_disk.hpp"

namespace lungo::test {

/// Tests of each of the two suites (storage_crash_test.cpp, storage_log_crash_test.cpp), so that ctest runs them side by side.
inline constexpr std::uint64_t kCrashShards = 3;

class CrashStates {
 public:
  struct Situation {
    bool nothing_lost;  // the process was killed between two steps, and the power was never off
    bool deep;          // this one of many gets the long check
  };
  /// Checks a state.
  using Look = std::function<void(std::unique_ptr<SimDisk> found, const Situation& situation)>;

  /// How closely it looks.
  struct Options {
    std::size_t survivors_per_step = 16;  // of a power cut before or after it
    std::uint64_t deep_one_in = 60;
    bool every_byte = true;  // of a write; otherwise somewhere inside, and just before the end
  };

  CrashStates(std::uint64_t seed, std::size_t wanted, const Options& options)
      : random_(seed), wanted_(wanted), options_(options) {}

  /// Looks around every step of `disk` until watching ends. `promise` numbers what the log has answered for so far.
  void watch(SimDisk& disk, const std::function<std::uint64_t()>& promise, const Look& look);
  /// The same for a recovery inside a long check: a few states of each step, none of them deep.
  void watch_recovery(SimDisk& disk, std::uint64_t promise, const Look& look);
  static void unwatch(SimDisk& disk);

  [[nodiscard]] std::size_t distinct() const { return distinct_.size(); }
  [[nodiscard]] std::size_t looked_at() const { return looked_at_.size(); }
  /// Asked between two scripts: each is seen through.
  [[nodiscard]] bool enough() const { return distinct() >= wanted_ || testing::Test::HasFailure(); }

 private:
  void look_around(const SimDisk& disk, std::size_t survivors, const std::set<std::size_t>& bytes_done, std::uint64_t promise,
                   const Look& look);
  enum class Cut { killed, killed_inside_write, power };
  void look_at(std::unique_ptr<SimDisk> found, std::uint64_t promise, Cut cut, const Look& look);

  Random random_;
  const std::size_t wanted_;
  const Options options_;
  std::unordered_set<std::size_t> distinct_;
  std::unordered_set<std::size_t> looked_at_;
};

/// Runs scripts of the seeds that belong to `shard`, as long as it takes to see its part of the distinct states: of
/// LUNGO_CRASH_STATES in the environment, otherwise of 120,000. Long run: LUNGO_CRASH_STATES=2000000 LUNGO_CRASH_STRIDE=1,
/// which cuts long writes at every byte too.
void see_crash_states(std::uint64_t shard, const CrashStates::Options& options,
                      const std::function<void(std::uint64_t seed, CrashStates& states)>& run_script);

}  // namespace lungo::test
