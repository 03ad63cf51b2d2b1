#include "client/task_activity.hpp"

#include <lungo/log/start_activity.hpp>

namespace lungo {

Result<std::unique_ptr<TaskActivity>> TaskActivity::start(std::string_view name, const Ports& ports) {
  std::unique_ptr<TaskActivity> made(new TaskActivity(name, ports));
  Result<std::unique_ptr<RunningActivity>> running = start_activity(ports.executor, *made);
  if (!running) return running.error();
  made->running_ = std::move(*running);
  return made;
}

void TaskActivity::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (is_stopped_) return;
  tasks_.push_back(std::move(task));
  ++posted_;
  running_->wake();
}

bool TaskActivity::drain(Instant deadline) {
  std::size_t goal = 0;
  {
    const std::lock_guard lock(mutex_);
    goal = posted_;
  }
  const auto has_run = [this, goal] {
    const std::lock_guard lock(mutex_);
    return done_ >= goal || is_stopped_;
  };
  return ports_.executor.wait_until(has_run, deadline);
}

void TaskActivity::drop() {
  std::deque<Task> dropped;  // what they hold goes without the lock
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    dropped.swap(tasks_);
  }
  ports_.executor.notify();
}

void TaskActivity::stop() {
  drop();
  std::unique_ptr<RunningActivity> ending;  // waits for the task, without the lock
  const std::lock_guard lock(mutex_);
  ending.swap(running_);
}

Instant TaskActivity::step(Instant now) {
  Task task;
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return Instant::max();
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  task();
  {
    const std::lock_guard lock(mutex_);
    ++done_;
  }
  ports_.executor.notify();
  return now;
}

}  // namespace lungo
