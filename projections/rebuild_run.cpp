#include "rebuild_run.hpp"

#include <algorithm>
#include <utility>

namespace lungo {

void RebuildRun::finish(Result<void> outcome) {
  const std::lock_guard lock{mutex_};
  if (outcome_) return;
  outcome_ = std::move(outcome);
  took_ = clock_.monotonic() - begun_;
}

bool RebuildRun::is_over() const {
  const std::lock_guard lock{mutex_};
  return outcome_.has_value();
}

std::optional<Result<RebuildReport>> RebuildRun::outcome() const {
  const std::lock_guard lock{mutex_};
  if (!outcome_) return std::nullopt;
  if (!*outcome_) return Result<RebuildReport>{outcome_->error()};
  return Result<RebuildReport>{RebuildReport{projections, events, took_, resumed}};
}

RebuildProgress RebuildRun::progress() const {
  RebuildProgress progress;
  progress.events = events;
  progress.total = std::max<std::uint64_t>(total, progress.events);
  {
    const std::lock_guard lock{mutex_};
    progress.elapsed = outcome_ ? took_ : clock_.monotonic() - begun_;
  }
  const double seconds = std::chrono::duration<double>(progress.elapsed).count();
  progress.events_per_second = seconds > 0 ? static_cast<double>(progress.events) / seconds : 0;
  if (progress.events_per_second > 0) {
    const double left = static_cast<double>(progress.total - progress.events) / progress.events_per_second;
    progress.left = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(left));
  }
  return progress;
}

RebuildProgress Rebuild::progress() const { return run_->progress(); }
void Rebuild::cancel() { run_->cancel(); }
std::optional<Result<RebuildReport>> Rebuild::outcome() const { return run_->outcome(); }

}  // namespace lungo
