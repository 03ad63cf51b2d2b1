#include "runner_posix.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include <lungo/log/check.hpp>

#include "base/logger.hpp"

namespace lungo {

namespace {

/// Blocks every signal in the calling thread for its lifetime, so that a thread started meanwhile never runs the
/// application's handlers.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

/// A third of what a thread beside it gets of a processor that both want: it stays behind, and never stands still. On Linux
/// nice values are a thread's own.
void lower_own_priority() {
  constexpr int kNiceBelow = 5;
  const auto self = static_cast<id_t>(gettid());
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, self);
  if (errno == 0) static_cast<void>(setpriority(PRIO_PROCESS, self, nice + kNiceBelow));
}

class ActivityThread : public RunningActivity {
 public:
  explicit ActivityThread(Activity& activity) : activity_(activity) {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  }

  ~ActivityThread() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  void wake() override {
    if (woken_.exchange(true, std::memory_order_acq_rel)) return;  // a step is due already
    { const std::lock_guard lock(mutex_); }  // the thread is now before its check of woken_, or waiting: no wake is lost
    changed_.notify_one();
  }

 private:
  void run() {
    constexpr std::size_t kNameBytesMax = 15;  // the kernel's limit
    pthread_setname_np(pthread_self(), std::string(activity_.name().substr(0, kNameBytesMax)).c_str());
    if (activity_.gives_way()) lower_own_priority();
    std::unique_lock lock(mutex_);
    while (!stop_) {
      lock.unlock();
      woken_.exchange(false, std::memory_order_acq_rel);  // before the step: what wakes from here on wants another one
      const Instant next = step();
      lock.lock();
      const auto due = [this] { return stop_ || woken_.load(std::memory_order_acquire); };
      if (next == Instant::max()) {
        changed_.wait(lock, due);
      } else {
        changed_.wait_until(lock, next, due);
      }
    }
  }

  Instant step() {
    constexpr Duration kPauseWithoutMemory = std::chrono::milliseconds{10};
    if (broken_) return Instant::max();
    const Instant now = std::chrono::steady_clock::now();
    try {
      return activity_.step(now);
    } catch (const std::bad_alloc&) {
      if (activity_.may_step_again()) return now + kPauseWithoutMemory;
      stop_for_good();
    } catch (...) {
      stop_for_good();
    }
    return Instant::max();
  }

  /// In a handler.
  void stop_for_good() {
    logger()->error("activity {} stopped by a broken invariant: {}", activity_.name(), current_exception_text());
    broken_ = true;
  }

  Activity& activity_;
  std::atomic<bool> woken_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;    // under mutex_
  bool broken_ = false;  // the thread's own
  std::thread thread_;
};

class ThreadParker : public Parker {
 public:
  void park() override {
    unparked_.wait(0, std::memory_order_acquire);
    // A read-modify-write: what was published before the unpark() that it takes is seen from here on.
    unparked_.exchange(0, std::memory_order_acq_rel);
  }
  void unpark() override {
    unparked_.store(1, std::memory_order_release);
    unparked_.notify_one();
  }

 private:
  std::atomic<std::uint32_t> unparked_{0};
};

class ThreadExecutor : public Executor {
 public:
  std::unique_ptr<RunningActivity> start(Activity& activity) override { return std::make_unique<ActivityThread>(activity); }

  bool wait_until(const std::function<bool()>& predicate, Instant deadline) override {
    const Waiting waiting(waiters_);
    std::unique_lock lock(mutex_);
    while (true) {
      const std::uint64_t seen = generation_;
      lock.unlock();
      if (predicate()) return true;
      lock.lock();
      const auto notified = [&] { return generation_ != seen; };
      if (deadline == Instant::max()) {
        changed_.wait(lock, notified);
      } else if (!changed_.wait_until(lock, deadline, notified)) {
        lock.unlock();
        return predicate();
      }
    }
  }

  void notify() override {
    // A read-modify-write, not a load: either it comes after a waiter's increment and sees it, or that increment comes after
    // it and then the waiter's predicate sees what was published before this call.
    if (waiters_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
    {
      const std::lock_guard lock(mutex_);
      ++generation_;
    }
    changed_.notify_all();
  }

  std::shared_ptr<Parker> parker() override {
    thread_local const std::shared_ptr<Parker> parker = std::make_shared<ThreadParker>();
    return parker;
  }

 private:
  class Waiting {
   public:
    explicit Waiting(std::atomic<int>& count) : count_(count) { count_.fetch_add(1, std::memory_order_acq_rel); }
    ~Waiting() { count_.fetch_sub(1, std::memory_order_acq_rel); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    std::atomic<int>& count_;
  };

  std::atomic<int> waiters_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t generation_ = 0;  // under mutex_; counts the notifications that somebody may have waited for
};

}  // namespace

std::unique_ptr<Executor> make_thread_executor() { return std::make_unique<ThreadExecutor>(); }

}  // namespace lungo
