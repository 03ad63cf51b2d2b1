// An Executor in front of another one, on a system that at times has no thread left.
#pragma once

#include <system_error>

#include <lungo/log/executor.hpp>

namespace lungo::test {

/// `executor` outlives it.
class FullSystem : public Executor {
 public:
  explicit FullSystem(Executor& executor) : executor_(executor) {}
  std::unique_ptr<RunningActivity> start(Activity& activity) override {
    if (is_full) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    return executor_.start(activity);
  }
  bool wait_until(const std::function<bool()>& predicate, Instant deadline) override {
    return executor_.wait_until(predicate, deadline);
  }
  void notify() override { executor_.notify(); }
  std::shared_ptr<Parker> parker() override { return executor_.parker(); }

  bool is_full = false;

 private:
  Executor& executor_;
};

}  // namespace lungo::test
