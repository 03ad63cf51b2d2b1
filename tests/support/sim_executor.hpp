// The Executor port on one thread and a manual clock: whoever waits steps the due activities meanwhile.
//
// Which of several due activities comes first is drawn from the seed, and every step costs a microsecond of the clock. The
// same seed and the same calls give the same history(); when nothing is due, time jumps to the next moment that matters.
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include <lungo/log/executor.hpp>
#include "tests/support/manual_clock.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

class SimExecutor : public Executor {
 public:
  SimExecutor(ManualClock& clock, std::uint64_t seed) : clock_(clock), random_(seed) {}

  std::unique_ptr<RunningActivity> start(Activity& activity) override;
  /// As the port says. Throws std::logic_error when the predicate can never hold: nothing is due, ever, and no deadline.
  bool wait_until(const std::function<bool()>& predicate, Instant deadline) override;
  void notify() override {}
  /// Parking steps what is due, as wait_until() does, and returns after each step.
  std::shared_ptr<Parker> parker() override;

  /// Steps one due activity; false when none is due now.
  bool step_one();
  /// Lets `span` of time pass, stepping what becomes due.
  void run_for(Duration span);
  /// Steps what is due until nothing is, without moving the clock past the steps' own microseconds.
  void run_due();

  /// A digest of every step made: which activity, when.
  [[nodiscard]] std::uint64_t history() const { return history_; }

 private:
  struct Entry;
  class Handle;
  class SteppingParker;

  void step(const std::shared_ptr<Entry>& entry);
  void step_or_jump(Instant deadline);
  [[nodiscard]] Instant next_due() const;

  ManualClock& clock_;
  Random random_;
  std::vector<std::shared_ptr<Entry>> entries_;
  std::uint64_t history_ = 0;
};

}  // namespace lungo::test
