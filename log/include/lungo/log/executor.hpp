// PORT: background work and waiting.
//
// Everything that runs beside the application (syncing, subscriptions, projection workers) is an `Activity`; every wait for a
// condition is `wait_until`. The real form gives each activity a thread (runner_posix.cpp, the only file in log/ that starts
// one); the simulated form steps the activities itself while somebody waits, so that one seed gives one history.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <lungo/log/types.hpp>

namespace lungo {

/// A piece of background work, stepped by one thread at a time.
class Activity {
 public:
  virtual ~Activity() = default;
  /// Does a bounded amount of work and returns when it wants to be stepped again: a time that has passed means at once,
  /// `Instant::max()` means not before wake(). Must not throw.
  virtual Instant step(Instant now) = 0;
  /// Short and fixed; names the thread and appears in time-outs.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Long work that nobody waits for: its thread gives way to others where processors are scarce.
  [[nodiscard]] virtual bool gives_way() const { return false; }
  /// A step that ran out of memory may be made again, wherever it stopped. Otherwise it was the last one.
  [[nodiscard]] virtual bool may_step_again() const { return false; }
};

/// An activity that was started. Its destructor waits for the step in progress and guarantees that no other begins.
class RunningActivity {
 public:
  virtual ~RunningActivity() = default;
  /// Asks for a step soon. From any thread; cheap when the activity is already due; never blocks on a step.
  virtual void wake() = 0;
};

/// Where one thread waits for another that knows it by name: no other thread is woken.
class Parker {
 public:
  virtual ~Parker() = default;
  /// Waits for unpark(); one that came before counts. May return early: the caller looks whether what it waits for is there.
  /// To be called by the thread it belongs to.
  virtual void park() = 0;
  /// From any thread. Publish what the other waits for before the call.
  virtual void unpark() = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Starts to step `activity`, which must outlive the returned handle. First step: at once. Throws std::system_error when the
  /// system has no thread left; start_activity() answers so.
  [[nodiscard]] virtual std::unique_ptr<RunningActivity> start(Activity& activity) = 0;
  /// Blocks until `predicate()` holds (true) or `deadline` has passed (false). The predicate is evaluated on the calling
  /// thread, without any lock of the executor held, at least after each notify(). Must not be called from a completion.
  virtual bool wait_until(const std::function<bool()>& predicate, Instant deadline) = 0;
  /// Tells the waiters that something which their predicates read has changed. From any thread; one atomic load when nobody
  /// waits. Publish the change before the call.
  virtual void notify() = 0;
  /// The calling thread's own.
  virtual std::shared_ptr<Parker> parker() = 0;
};

}  // namespace lungo
