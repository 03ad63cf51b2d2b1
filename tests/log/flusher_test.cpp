// Goal: a queue that asks for the flusher while it stops does no harm, and many that wait cost no more than each its turn.
#include "flusher.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

/// Starts nothing. Its one handle, once `wakes_linger` is set, stays in wake() until it is being destroyed or 200 ms are over.
class LingeringExecutor : public Executor {
 public:
  std::unique_ptr<RunningActivity> start(Activity& /*activity*/) override { return std::make_unique<Handle>(*this); }
  bool wait_until(const std::function<bool()>& predicate, Instant /*deadline*/) override { return predicate(); }
  void notify() override {}
  std::shared_ptr<Parker> parker() override { return nullptr; }  // nobody waits

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

/// Starts nothing and wakes nobody: the test steps, and may look how often somebody wanted to wake it.
class StandingExecutor : public Executor {
 public:
  std::unique_ptr<RunningActivity> start(Activity& /*activity*/) override { return std::make_unique<Handle>(wakes); }
  bool wait_until(const std::function<bool()>& predicate, Instant /*deadline*/) override { return predicate(); }
  void notify() override {}
  std::shared_ptr<Parker> parker() override { return nullptr; }  // nobody waits

  int wakes = 0;

 private:
  class Handle : public RunningActivity {
   public:
    explicit Handle(int& wakes) : wakes_(wakes) {}
    void wake() override { ++wakes_; }

   private:
    int& wakes_;
  };
};

Duration thread_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// What a step takes with `count` slots that all wait for their time and are all marked again; the least of three.
Duration step_time(std::size_t count, AppendQueue& queue) {
  StandingExecutor executor;
  Flusher flusher{executor};
  std::vector<Flusher::Slot*> slots;
  for (std::size_t i = 0; i < count; ++i) {
    slots.push_back(&flusher.add_slot());
    Flusher::set_queue(*slots.back(), queue);
  }
  Duration least = Duration::max();
  for (int turn = 0; turn < 4; ++turn) {
    for (Flusher::Slot* slot : slots) slot->mark();
    const Duration before = thread_time();
    EXPECT_LT(flusher.step(Instant{}), Instant::max()) << "they wait";
    if (turn > 0) least = std::min(least, thread_time() - before);
  }
  return least;
}

// One queue stands for all: its tail is written and its flush is an hour away. Sixteen times the slots take sixteen times the
// time, give or take the caches; when each looks for itself among the others, they take 256 times.
TEST(Flusher, AStepTakesTimeInProportionToTheSlotsThatWait) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  const TopicPartition name{"events", PartitionId{0}};
  std::shared_ptr<PartitionLog> log = PartitionLog::open(ports, "events-0", {}, {}, Offset{0}).value();
  const auto partition = std::make_shared<OpenPartition>(name, TopicId{}, Offset{0});
  partition->replace_log(std::move(log));
  AppendQueue::Options options;
  options.ack_level = AckLevel::isr;
  options.flush_interval = std::chrono::hours{1};
  AppendQueue queue{partition, partition->log(), options, {.wake_flusher = [] {}, .publish_committed = [](Offset) {}}, ports};
  AppendRequest request = test::append_of(name, "k", "v");
  request.caller_waits = true;
  queue.append(std::move(request), [](const Result<Appended>& appended) { EXPECT_TRUE(appended); });

  const Duration few = step_time(4'000, queue);
  const Duration many = step_time(64'000, queue);
  EXPECT_LT(many, few * 64);
  EXPECT_TRUE(queue.close());
}

// A stream of appends costs one wake-up, however long it is: while it lasts the flusher looks again by itself.
TEST(Flusher, AStreamOfAppendsWakesItOnce) {
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  const TopicPartition name{"events", PartitionId{0}};
  std::shared_ptr<PartitionLog> log = PartitionLog::open(ports, "events-0", {}, {}, Offset{0}).value();
  const auto partition = std::make_shared<OpenPartition>(name, TopicId{}, Offset{0});
  partition->replace_log(std::move(log));
  StandingExecutor executor;
  Flusher flusher{executor};
  Flusher::Slot& slot = flusher.add_slot();
  AppendQueue::Options options;
  options.ack_level = AckLevel::isr;
  options.flush_interval = kFlushNever;
  AppendQueue queue{
      partition, partition->log(), options, {.wake_flusher = [&] { slot.mark(); }, .publish_committed = [](Offset) {}}, ports};
  Flusher::set_queue(slot, queue);
  int completed = 0;
  const auto append_some = [&] {
    for (int i = 0; i < 20; ++i) {
      queue.append({.timestamp = {}, .key = {}, .value = as_bytes("v"), .headers = {}}, Durability::committed,
                   [&](const Result<Appended>&) { ++completed; });
    }
  };

  Instant now{};
  for (int turn = 0; turn < 50; ++turn) {
    append_some();
    const Instant again = flusher.step(now);
    EXPECT_EQ(completed, (turn + 1) * 20);
    ASSERT_LE(again - now, std::chrono::microseconds{200});
    now = again;
  }
  EXPECT_EQ(executor.wakes, 1);
  EXPECT_EQ(flusher.step(now), Instant::max()) << "nothing came: it sleeps";
  append_some();
  EXPECT_EQ(executor.wakes, 2);
  flusher.step(now);
  EXPECT_TRUE(queue.close());
}

}  // namespace
}  // namespace lungo
