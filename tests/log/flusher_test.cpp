// Goal: a queue that asks for the flusher while it stops does no harm.
#include "flusher.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace lungo {
namespace {

/// Starts nothing. Its one handle, once `wakes_linger` is set, stays in wake() until it is being destroyed or 200 ms are over.
class LingeringExecutor : public Executor {
 public:
  std::unique_ptr<RunningActivity> start(Activity& /*activity*/) override { return std::make_unique<Handle>(*this); }
  bool wait_until(const std::function<bool()>& predicate, Instant /*deadline*/) override { return predicate(); }
  void notify() override {}

  void wait_for_wake() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waking_; });
  }
  [[nodiscard]] bool was_destroyed_in_use() const { return destroyed_in_use_; }

 private:
  class Handle : public RunningActivity {
   public:
    explicit Handle(LingeringExecutor& executor) : executor_(executor) {}
    ~Handle() override {
      const std::lock_guard lock(executor_.mutex_);
      executor_.destroyed_in_use_ = executor_.waking_;
      executor_.destroyed_ = true;
      executor_.changed_.notify_all();
    }
    void wake() override {
      LingeringExecutor& executor = executor_;
      std::unique_lock lock(executor.mutex_);
      executor.waking_ = true;
      executor.changed_.notify_all();
      executor.changed_.wait_for(lock, std::chrono::milliseconds{200}, [&] { return executor.destroyed_; });
      executor.waking_ = false;
    }

   private:
    LingeringExecutor& executor_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  bool waking_ = false;
  bool destroyed_ = false;
  bool destroyed_in_use_ = false;
};

TEST(Flusher, ItsActivityIsNotDestroyedWhileAQueueWakesIt) {
  LingeringExecutor executor;
  Flusher flusher{executor};
  Flusher::Slot& slot = flusher.add_slot();
  std::thread appender{[&] { slot.mark(); }};
  executor.wait_for_wake();
  flusher.stop();
  appender.join();
  EXPECT_FALSE(executor.was_destroyed_in_use());
  flusher.add_slot().mark();  // too late to be flushed, which close() does for it
}

}  // namespace
}  // namespace lungo
