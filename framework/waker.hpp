// Wakes an activity from callbacks that may outlive it: completions and notifications.
//
// For the loops of subscriptions and processes. Callbacks hold the waker by shared_ptr; after disarm() they find nothing to
// wake. Threads: any.
#pragma once

#include <mutex>

#include <lungo/log/executor.hpp>

namespace lungo {

class Waker {
 public:
  /// Wakes it too: whoever came between its first step and this found nothing to wake. `activity` must live until disarm().
  void arm(RunningActivity& activity) {
    const std::lock_guard lock(mutex_);
    activity_ = &activity;
    activity_->wake();
  }
  void disarm() {
    const std::lock_guard lock(mutex_);
    activity_ = nullptr;
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    if (activity_ != nullptr) activity_->wake();
  }

 private:
  std::mutex mutex_;
  RunningActivity* activity_ = nullptr;
};

}  // namespace lungo
