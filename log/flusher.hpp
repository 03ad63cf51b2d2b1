// The activity that leads the append queues which no caller leads, and syncs tails that nobody waits for.
//
// Only queues that asked for it are looked at, so thousands of idle partitions cost nothing.
// Threads: Slot::mark() from any, also while stop() runs; step() as an Activity; add_slot() from any, set_queue() before the
// slot's first mark(); forget(), try_forget() and is_flushing() from any.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "append_queue.hpp"

namespace lungo {

class Flusher : public Activity {
 public:
  /// A queue's place here; lives as long as the flusher, also when the queue is forgotten, and may be another's then.
  class Slot {
   public:
    explicit Slot(Flusher& flusher) : flusher_(flusher) {}
    /// Asks for a flush() of the queue soon.
    void mark();

   private:
    friend class Flusher;
    Flusher& flusher_;
    AppendQueue* queue_ = nullptr;     // under the flusher's mutex
    AppendQueue* flushing_ = nullptr;  // under the flusher's mutex; set while its flush() runs
    std::atomic<bool> marked_{false};
    bool in_turn_ = false;  // the step's
  };

  explicit Flusher(Executor& executor) : running_(executor.start(*this)) {}

  /// A slot whose queue comes with set_queue(), before the first mark().
  Slot& add_slot();
  static void set_queue(Slot& slot, AppendQueue& queue);
  /// No flush() of the slot's queue begins after it returns; marks have no effect on it. One may be under way.
  void forget(Slot& slot);
  /// A flush() of the slot's queue is under way.
  [[nodiscard]] bool is_flushing(const Slot& slot);
  /// forget(), or false: a flush() of the slot's queue is under way, and may be calling who waits for the caller.
  bool try_forget(Slot& slot);
  /// No flush() runs or begins after it returns.
  void stop();

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-flusher"; }

 private:
  bool take_marked();
  Instant take_turn(Slot& slot, Instant now);
  AppendQueue* begin_flush(Slot& slot);
  void end_flush(Slot& slot);

  std::mutex mutex_;
  std::deque<Slot> slots_;   // under mutex_; a deque keeps their addresses
  std::vector<Slot*> free_;  // under mutex_: those of forgotten queues
  // Each with room for all slots, as a mark must not fail.
  std::vector<Slot*> marked_;                 // under mutex_
  std::vector<Slot*> turn_;                   // the step's
  std::vector<Slot*> waiting_;                // the step's: those with a time to come
  std::unique_ptr<RunningActivity> running_;  // under mutex_; last: starts to step at once
};

}  // namespace lungo
