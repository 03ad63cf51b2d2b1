#include "parallel.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace lungo {

namespace {

class Jobs {
 public:
  Jobs(std::size_t count, const std::function<void(std::size_t)>& job) : count_(count), job_(job) {}

  /// Does the next one; false when there is none.
  bool do_one() {
    const std::optional<std::size_t> taken = take();
    if (!taken) return false;
    std::exception_ptr failure;
    try {
      job_(*taken);
    } catch (...) {
      failure = std::current_exception();
    }
    give_back(std::move(failure));
    return true;
  }

  [[nodiscard]] bool are_done() const {
    const std::lock_guard lock(mutex_);
    return next_ == count_ && running_ == 0;
  }

  void rethrow() const {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::optional<std::size_t> take() {
    const std::lock_guard lock(mutex_);
    if (next_ == count_) return std::nullopt;
    ++running_;
    return next_++;
  }

  void give_back(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    --running_;
    if (!failure) return;
    next_ = count_;
    if (!failure_) failure_ = std::move(failure);
  }

  const std::size_t count_;
  const std::function<void(std::size_t)>& job_;
  mutable std::mutex mutex_;
  std::size_t next_ = 0;        // under mutex_
  std::size_t running_ = 0;     // under mutex_
  std::exception_ptr failure_;  // under mutex_
};

class Worker : public Activity {
 public:
  Worker(Executor& executor, Jobs& jobs) : executor_(executor), jobs_(jobs) {}

  Instant step(Instant now) override {
    const bool is_more = jobs_.do_one();
    if (jobs_.are_done()) executor_.notify();
    return is_more ? now : Instant::max();
  }
  std::string_view name() const override { return "lungo-parallel"; }

 private:
  Executor& executor_;
  Jobs& jobs_;
};

}  // namespace

void run_in_parallel(Executor& executor, std::size_t width, std::size_t count, const std::function<void(std::size_t)>& job) {
  Jobs jobs{count, job};
  const std::size_t workers = std::min(width, count);
  if (workers <= 1) {
    while (jobs.do_one()) continue;
  } else {
    std::vector<std::unique_ptr<Worker>> activities;
    std::vector<std::unique_ptr<RunningActivity>> running;  // behind what they step: gone first
    for (std::size_t i = 0; i < workers; ++i) {
      activities.push_back(std::make_unique<Worker>(executor, jobs));
      running.push_back(executor.start(*activities.back()));
    }
    executor.wait_until([&] { return jobs.are_done(); }, Instant::max());
  }
  jobs.rethrow();
}

}  // namespace lungo
