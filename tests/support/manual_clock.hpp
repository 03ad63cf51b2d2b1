// The Clock port moved by hand. Both of its times start at a fixed point and move together unless the wall clock is set.
#pragma once

#include <atomic>
#include <lungo/log/clock.hpp>

namespace lungo::test {

class ManualClock : public Clock {
 public:
  Timestamp now() override {
    return kStart + std::chrono::duration_cast<std::chrono::milliseconds>(since_start()) + wall_shift_.load();
  }
  Instant monotonic() override { return Instant{std::chrono::hours{1}} + since_start(); }

  void advance(Duration by) { elapsed_.fetch_add(by.count()); }
  /// Moves to `to` unless that lies in the past.
  void advance_to(Instant to) {
    if (to > monotonic()) advance(to - monotonic());
  }
  /// Makes the wall clock jump, as an operator or NTP may; monotonic time goes on.
  void set_wall(Timestamp to) { wall_shift_ = wall_shift_.load() + (to - now()); }

 private:
  static constexpr Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

  Duration since_start() const { return Duration{elapsed_.load()}; }

  std::atomic<Duration::rep> elapsed_{0};
  std::atomic<std::chrono::milliseconds> wall_shift_{std::chrono::milliseconds{0}};
};

}  // namespace lungo::test
