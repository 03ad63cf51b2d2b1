// One call of Engine::rebuild(), shared between the caller, who waits, and the loop, which works.
//
// Threads: the atomics and outcome() belong to both sides; the rest is set before the loop sees it.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/engine.hpp>

namespace lungo {

class RebuildRun {
 public:
  RebuildRun(std::vector<std::string> names, ReplayFrom begin, bool resumes)
      : projections(std::move(names)), from(begin), resume(resumes) {}

  const std::vector<std::string> projections;
  const ReplayFrom from;
  const bool resume;

  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> total{0};
  std::atomic<bool> resumed{false};
  std::atomic<bool> canceled{false};  // set by the caller

  /// Ends the run; the first outcome counts.
  void finish(Result<void> outcome) {
    const std::lock_guard lock{mutex_};
    if (!outcome_) outcome_ = std::move(outcome);
  }
  /// Nothing while it goes on.
  [[nodiscard]] std::optional<Result<void>> outcome() const {
    const std::lock_guard lock{mutex_};
    return outcome_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Result<void>> outcome_;
};

}  // namespace lungo
