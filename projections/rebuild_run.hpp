// One rebuild that was asked for, shared between whoever holds its handle and the loop, which works.
//
// Threads: the atomics and the functions belong to both sides; the rest is set before the loop sees it.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/engine.hpp>

namespace lungo {

class RebuildRun {
 public:
  /// `clock` is asked until the run is finished, which it is at the latest when the loop goes. `wake` asks the loop for a step
  /// and may be called when there is none any more.
  RebuildRun(std::vector<std::string> names, const RebuildOptions& options, Clock& clock, std::function<void()> wake)
      : projections(std::move(names)),
        from(options.from),
        resume(options.resume),
        clock_(clock),
        begun_(clock.monotonic()),
        wake_(std::move(wake)) {}

  const std::vector<std::string> projections;
  const ReplayFrom from;
  const bool resume;

  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> total{0};
  std::atomic<bool> resumed{false};

  /// What it has committed stays for the next one.
  void cancel() {
    canceled_ = true;
    wake_();
  }
  [[nodiscard]] bool is_canceled() const { return canceled_; }

  /// Ends the run; the first outcome counts.
  void finish(Result<void> outcome);
  /// Nothing while it goes on.
  [[nodiscard]] std::optional<Result<RebuildReport>> outcome() const;
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] RebuildProgress progress() const;

 private:
  Clock& clock_;
  const Instant begun_;
  const std::function<void()> wake_;
  std::atomic<bool> canceled_{false};

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Result<void>> outcome_;
  Duration took_{};
};

}  // namespace lungo
