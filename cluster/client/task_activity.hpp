// Calls that may block for long, one after the other on an activity of their own, so that whoever asks for them goes on.
//
// Promise: tasks run in the order in which they were posted, each once, none after stop(). A task may post another.
// Threads: post() and drain() from any; a task runs on the activity's thread and must not throw.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <lungo/log/executor.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

class TaskActivity final : private Activity {
 public:
  using Task = std::function<void()>;

  /// `name` is a literal. Errors: io, when the system has no thread left.
  static Result<std::unique_ptr<TaskActivity>> start(std::string_view name, const Ports& ports);
  ~TaskActivity() override { stop(); }

  void post(Task task);
  /// Waits until all that was posted before has run. False at `deadline`.
  bool drain(Instant deadline);
  /// Drops what waits. No post() has an effect from then on; the task that runs goes on.
  void drop();
  /// drop(), and waits for the task that runs.
  void stop();

 private:
  TaskActivity(std::string_view name, const Ports& ports) : name_(name), ports_(ports) {}

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] bool may_step_again() const override { return true; }

  const std::string_view name_;
  const Ports ports_;
  std::mutex mutex_;
  std::deque<Task> tasks_;
  std::size_t posted_ = 0;
  std::size_t done_ = 0;
  bool is_stopped_ = false;
  std::unique_ptr<RunningActivity> running_;  // set once, before the first post()
};

}  // namespace lungo
