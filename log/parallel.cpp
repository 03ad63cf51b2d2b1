#include "parallel.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace lungo {

namespace {

class Jobs {
 public:
  Jobs(std::size_t count, std::size_t workers, const std::function<void(std::size_t)>& job) : job_(job) {
    for (std::size_t worker = 0; worker < workers; ++worker) lanes_.push_back({worker, count});
  }

  /// Does the next one of this worker's, or of another's when it has none left; false when nobody has.
  bool do_one(std::size_t worker) {
    const std::optional<std::size_t> taken = take(worker);
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
    return running_ == 0 && std::ranges::none_of(lanes_, &Lane::has_more);
  }

  void rethrow() const {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  /// The jobs are dealt out in turn: in a simulation their order is then that of the workers' steps, which its seed draws.
  struct Lane {
    std::size_t next;
    std::size_t end;

    [[nodiscard]] bool has_more() const { return next < end; }
  };

  std::optional<std::size_t> take(std::size_t worker) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[(worker + i) % lanes_.size()];
      if (!lane.has_more()) continue;
      ++running_;
      return std::exchange(lane.next, lane.next + lanes_.size());
    }
    return std::nullopt;
  }

  void give_back(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    --running_;
    if (!failure) return;
    for (Lane& lane : lanes_) lane.next = lane.end;
    if (!failure_) failure_ = std::move(failure);
  }

  const std::function<void(std::size_t)>& job_;
  mutable std::mutex mutex_;
  std::vector<Lane> lanes_;     // under mutex_; one for each worker
  std::size_t running_ = 0;     // under mutex_
  std::exception_ptr failure_;  // under mutex_
};

class Worker : public Activity {
 public:
  Worker(Executor& executor, Jobs& jobs, std::size_t number) : executor_(executor), jobs_(jobs), number_(number) {}

  Instant step(Instant now) override {
    const bool is_more = jobs_.do_one(number_);
    if (jobs_.are_done()) executor_.notify();
    return is_more ? now : Instant::max();
  }
  std::string_view name() const override { return "lungo-parallel"; }

 private:
  Executor& executor_;
  Jobs& jobs_;
  const std::size_t number_;
};

}  // namespace

void run_in_parallel(Executor& executor, std::size_t width, std::size_t count, const std::function<void(std::size_t)>& job) {
  const std::size_t workers = std::min(width, count);
  Jobs jobs{count, std::max<std::size_t>(workers, 1), job};
  if (workers <= 1) {
    while (jobs.do_one(0)) continue;
  } else {
    std::vector<std::unique_ptr<Worker>> activities;
    std::vector<std::unique_ptr<RunningActivity>> running;  // behind what they step: gone first
    for (std::size_t i = 0; i < workers; ++i) {
      activities.push_back(std::make_unique<Worker>(executor, jobs, i));
      running.push_back(executor.start(*activities.back()));
    }
    executor.wait_until([&] { return jobs.are_done(); }, Instant::max());
  }
  jobs.rethrow();
}

}  // namespace lungo
