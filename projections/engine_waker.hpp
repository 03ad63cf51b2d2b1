// Wakes an engine's activity from notifications and completions. They hold it by shared_ptr, as they may run while the
// activity's handle is being destroyed, or later. Threads: any.
#pragma once

#include <mutex>

#include <lungo/log/executor.hpp>

namespace lungo {

class EngineWaker {
 public:
  /// What is woken from now on; null before it is destroyed.
  void set(RunningActivity* running) {
    const std::lock_guard lock{mutex_};
    running_ = running;
    if (running_ != nullptr) running_->wake();
  }
  void wake() {
    const std::lock_guard lock{mutex_};
    if (running_ != nullptr) running_->wake();
  }

 private:
  std::mutex mutex_;
  RunningActivity* running_ = nullptr;
};

}  // namespace lungo
