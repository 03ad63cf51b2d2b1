#include "flusher.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace lungo {

namespace {

constexpr Duration kWithoutMemory = std::chrono::milliseconds{10};

template <class List>
void make_room(List& list, std::size_t slots) {
  if (list.capacity() < slots) list.reserve(2 * slots);
}

}  // namespace

void Flusher::Slot::mark() {
  if (marked_.exchange(true)) return;
  const std::lock_guard lock(flusher_.mutex_);
  flusher_.marked_.push_back(this);
  if (flusher_.running_) flusher_.running_->wake();
}

void Flusher::stop() {
  std::unique_ptr<RunningActivity> running;
  {
    const std::lock_guard lock(mutex_);
    running = std::move(running_);
  }
  // Without the mutex: the step that is waited for may mark slots.
}

Flusher::Slot& Flusher::add_slot() {
  const std::lock_guard lock(mutex_);
  if (!free_.empty()) {
    Slot& again = *free_.back();
    free_.pop_back();
    return again;
  }
  make_room(marked_, slots_.size() + 1);
  make_room(free_, slots_.size() + 1);  // as a queue must not fail to be forgotten
  return slots_.emplace_back(*this);
}

void Flusher::set_queue(Slot& slot, AppendQueue& queue) {
  const std::lock_guard lock(slot.flusher_.mutex_);
  slot.queue_ = &queue;
}

void Flusher::forget(Slot& slot) {
  const std::lock_guard lock(mutex_);
  const bool had_queue = std::exchange(slot.queue_, nullptr) != nullptr;
  if (had_queue && slot.flushing_ == nullptr) free_.push_back(&slot);  // or else when the flush has ended
}

bool Flusher::try_forget(Slot& slot) {
  const std::lock_guard lock(mutex_);
  if (slot.flushing_ != nullptr) return false;
  if (std::exchange(slot.queue_, nullptr) != nullptr) free_.push_back(&slot);
  return true;
}

bool Flusher::is_flushing(const Slot& slot) {
  const std::lock_guard lock(mutex_);
  return slot.flushing_ != nullptr;
}

AppendQueue* Flusher::begin_flush(Slot& slot) {
  const std::lock_guard lock(mutex_);
  if (slot.queue_ == nullptr) slot.marked_.store(false);  // forgotten since it was marked
  return slot.flushing_ = slot.queue_;
}

void Flusher::end_flush(Slot& slot) {
  const std::lock_guard lock(mutex_);
  slot.flushing_ = nullptr;
  if (slot.queue_ != nullptr) return;
  slot.marked_.store(false);
  free_.push_back(&slot);
}

Instant Flusher::step(Instant now) {
  if (!take_marked()) return now + kWithoutMemory;
  for (Slot* slot : turn_) slot->in_turn_ = true;
  for (Slot* slot : waiting_) {
    if (!slot->in_turn_) turn_.push_back(slot);
  }
  waiting_.clear();
  Instant next = Instant::max();
  for (Slot* slot : turn_) {
    slot->in_turn_ = false;
    const Instant again = take_turn(*slot, now);
    if (again == Instant::max()) continue;
    waiting_.push_back(slot);
    next = std::min(next, again);
  }
  return next;
}

/// False when there is no memory: nothing has changed then.
bool Flusher::take_marked() {
  turn_.clear();
  const std::lock_guard lock(mutex_);
  try {
    make_room(turn_, slots_.size());
    make_room(waiting_, slots_.size());
  } catch (const std::bad_alloc&) {
    return false;
  }
  turn_.swap(marked_);
  return true;
}

/// A slot stays marked, and costs nobody a wake-up, until its queue has had nothing to do.
Instant Flusher::take_turn(Slot& slot, Instant now) {
  AppendQueue* const queue = begin_flush(slot);
  if (queue == nullptr) return Instant::max();
  const AppendQueue::Turn turn = queue->flush(now);
  slot.marked_.store(turn.is_active);
  // What came between the flush and here found the slot marked.
  const bool wants_another = !turn.is_active && queue->wants_flush();
  if (wants_another) slot.marked_.store(true);
  end_flush(slot);
  return wants_another ? now : turn.again;
}

}  // namespace lungo
