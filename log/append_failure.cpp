// AppendQueue without memory: nobody waits for ever.

#include "append_callbacks.hpp"
#include "append_queue.hpp"

namespace lungo {

Error AppendQueue::failure() const {
  const Lock lock(mutex_);
  return failed_.value_or(out_of_memory_);
}

/// Refuses everything from now on, and tells everybody where he waits: nothing is moved to a list, and nothing takes memory.
/// Who leads beside this finds nobody left to be told.
void AppendQueue::give_up() noexcept {
  Lock lock(mutex_);
  if (!failed_) failed_ = out_of_memory_;
  const bool settles = !std::exchange(completing_, true);  // otherwise whoever does tells those that are ready
  while (settles && !ready_.empty()) {
    completing_now_.swap(ready_);
    for (WrittenAppend& item : completing_now_) tell_now(lock, item);
    completing_now_.clear();
  }
  const Offset synced = log_->synced_end();
  while (!unsynced_.empty()) {
    WrittenAppend item = std::move(unsynced_.front());
    unsynced_.pop_front();
    if (item.outcome && item.outcome->end > synced) item.outcome = *failed_;
    tell_now(lock, item);
  }
  while (!queued_.empty()) {
    WrittenAppend item{
        .outcome = *failed_, .bytes = 0, .first = std::move(queued_.front().first), .more = std::move(queued_.front().more)};
    queued_.pop_front();
    tell_now(lock, item);
  }
  queued_bytes_ = written_bytes_ = 0;
  unsynced_since_.reset();
  led_ = false;
  if (settles) completing_ = false;
}

/// With the mutex, but for the completions.
void AppendQueue::tell_now(Lock& lock, WrittenAppend& item) noexcept {
  tell_each(item, [&](Recipient& recipient, const Result<Appended>& outcome) {
    if (WaitingCaller* const caller = std::exchange(recipient.caller, nullptr)) {
      const std::shared_ptr<Parker> parker = caller->parker;
      caller->outcome = outcome;
      caller->state.store(WaitingCaller::State::done, std::memory_order_release);
      parker->unpark();
    }
    if (!recipient.completion) return;
    lock.unlock();
    run(recipient.completion, outcome);
    recipient.completion = nullptr;
    lock.lock();
  });
}

}  // namespace lungo
