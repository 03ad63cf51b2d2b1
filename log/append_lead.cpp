// AppendQueue, the lead: who syncs, who is told, who is next; and how it ends.

#include <lungo/log/check.hpp>

#include "append_callbacks.hpp"
#include "append_queue.hpp"
#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::size_t kRoundBytes = 1u << 20;  // written before a sync, so that no completion waits for ever
constexpr int kSettledTurns = 16;              // in one call, so that no appender completes for all others for ever
constexpr Duration kLookAgainAtWork = std::chrono::microseconds{200};
constexpr Duration kLookAgainToPublish = std::chrono::milliseconds{1};

void tell(WaitingCaller& caller, Result<Appended> outcome, std::vector<std::shared_ptr<Parker>>& released) {
  const std::shared_ptr<Parker> parker = caller.parker;
  caller.outcome = std::move(outcome);
  caller.state.store(WaitingCaller::State::done, std::memory_order_release);
  try {
    released.push_back(parker);
  } catch (const std::bad_alloc&) {
    parker->unpark();  // with the mutex held, which costs it a wait
  }
}

WaitingCaller* first_caller(const Recipient& first, const std::vector<Recipient>& more) {
  if (first.caller != nullptr) return first.caller;
  for (const Recipient& recipient : more) {
    if (recipient.caller != nullptr) return recipient.caller;
  }
  return nullptr;
}

}  // namespace

// ---- callers ----

/// Syncs what the caller wrote, with the lead, and passes the lead on.
Result<Appended> AppendQueue::lead_for(Appended outcome) {
  const Result<void> synced = sync_round();
  pass_on();
  return synced ? Result<Appended>{outcome} : Result<Appended>{synced.error()};
}

/// Lets go of the lead, and tells everybody who is done.
void AppendQueue::pass_on() {
  const bool flusher_goes_on = hand_over();
  settle();
  if (flusher_goes_on) hooks_.wake_flusher();
}

/// Waits until the caller is told, and leads when its turn comes.
Result<Appended> AppendQueue::wait_for_outcome(WaitingCaller& caller) {
  using State = WaitingCaller::State;
  while (true) {
    State state = State::waits;
    while ((state = caller.state.load(std::memory_order_acquire)) == State::waits) caller.parker->park();
    if (state == State::done) {
      if (caller.was_given_lead) or_give_up([this] { pass_on(); });  // told by who wrote its records before it woke up
      return *std::move(caller.outcome);
    }
    if (!caller.state.compare_exchange_strong(state, State::waits)) continue;  // told since
    caller.was_given_lead = false;
    or_give_up([this] { lead(); });  // what it came to is told to everybody, this caller too
  }
}

/// A round with the lead.
void AppendQueue::lead() {
  std::optional<Error> failure;
  {
    const Lock lock(mutex_);
    write_queued(kRoundBytes);
    failure = failed_;
  }
  if (failure) {
    fail(*failure);
  } else {
    static_cast<void>(sync_round().has_value());
  }
  pass_on();
}

/// The callers of what is ready, to be unparked by wake_released(). With the mutex.
void AppendQueue::release_callers(WrittenAppend& item) {
  if (first_caller(item.first, item.more) == nullptr) return;
  tell_each(item, [this](Recipient& recipient, const Result<Appended>& outcome) {
    if (WaitingCaller* const caller = std::exchange(recipient.caller, nullptr)) tell(*caller, outcome, released_);
  });
}

void AppendQueue::wake_released() {
  std::vector<std::shared_ptr<Parker>> released;
  {
    const Lock lock(mutex_);
    released.swap(released_);
  }
  for (const std::shared_ptr<Parker>& parker : released) parker->unpark();
}

/// With the mutex.
WaitingCaller* AppendQueue::next_leader() {
  for (const WrittenAppend& item : unsynced_) {
    if (WaitingCaller* const caller = first_caller(item.first, item.more)) return caller;
  }
  for (const QueuedAppend& item : queued_) {
    if (WaitingCaller* const caller = first_caller(item.first, item.more)) return caller;
  }
  return nullptr;
}

/// Releases who is done with the lead, and gives the lead to the next caller that waits. True when none does and there is work:
/// the flusher's, then.
bool AppendQueue::hand_over() {
  std::shared_ptr<Parker> next;
  bool flusher_goes_on = false;
  {
    const Lock lock(mutex_);
    const Offset durable = durable_end();
    while (!unsynced_.empty() && (!unsynced_.front().outcome || unsynced_.front().outcome->end <= durable)) {
      release_callers(unsynced_.front());
      ready_.push_back(std::move(unsynced_.front()));
      unsynced_.pop_front();
    }
    WaitingCaller* const leader = next_leader();
    led_ = leader != nullptr;
    if (leader != nullptr) {
      next = leader->parker;
      leader->was_given_lead = true;
      leader->state.store(WaitingCaller::State::leads, std::memory_order_release);
    }
    flusher_goes_on = !led_ && (!queued_.empty() || !unsynced_.empty());
  }
  if (next) next->unpark();  // first: it syncs while the others wake up
  wake_released();
  return flusher_goes_on;
}

// ---- the flusher ----

AppendQueue::Turn AppendQueue::flush(Instant now) {
  Turn turn;
  or_give_up([&] { turn = take_turn(now); });
  return turn;
}

AppendQueue::Turn AppendQueue::take_turn(Instant now) {
  bool worked = false;
  bool leads = false;
  std::optional<Error> failure;
  {
    const Lock lock(mutex_);
    if (!led_ && (!queued_.empty() || !unsynced_.empty())) {
      worked = true;
      write_queued(kRoundBytes);
      failure = failed_;
      leads = led_ = !unsynced_.empty() && !failure;
    }
    worked = worked || !ready_.empty();
  }
  if (failure) fail(*failure);
  if (leads) static_cast<void>(sync_round().has_value());
  if (leads || failure) hand_over();
  settle();

  const bool publishes = unpublished_.exchange(false);
  if (publishes) publish(partition_->committed());
  // At once, but after the other partitions had their turn.
  if (worked && somebody_waits_for_a_sync()) return {.again = now, .is_active = true};

  std::optional<Instant> due = tail_sync_due();
  if (due && *due <= now) {
    static_cast<void>(sync_round().has_value());
    due = tail_sync_due();
  }
  Turn turn{.again = due.value_or(Instant::max())};
  if (worked || publishes) {
    turn.is_active = true;
    turn.again = std::min(turn.again, now + (worked ? kLookAgainAtWork : kLookAgainToPublish));
  }
  return turn;
}

/// And nobody leads. What a sync is waited for gathers company by itself while the one before it runs; other appends do not,
/// and are given a little time.
bool AppendQueue::somebody_waits_for_a_sync() const {
  const Lock lock(mutex_);
  return !led_ && (!unsynced_.empty() || (!queued_.empty() && queued_.front().needs_sync));
}

bool AppendQueue::wants_flush() const {
  if (unpublished_) return true;
  const Lock lock(mutex_);
  if (unsynced_since_ && !tail_is_scheduled_ && !failed_ && flush_interval_.load() != kFlushNever) return true;
  return !led_ && (!queued_.empty() || !unsynced_.empty() || (!ready_.empty() && !completing_));
}

/// When the tail that nobody waits for has to be synced; the flusher knows then.
std::optional<Instant> AppendQueue::tail_sync_due() {
  const Lock lock(mutex_);
  if (!unsynced_since_ || failed_ || flush_interval_.load() == kFlushNever) return std::nullopt;
  tail_is_scheduled_ = true;
  return *unsynced_since_ + flush_interval_.load();
}

// ---- sync, commit, complete ----

/// What a waiting append may be told of: durable, and committed where the topic commits at the sync. Others than the leader
/// sync, too, and commit a little later.
Offset AppendQueue::durable_end() const {
  const Offset synced = log_->synced_end();
  return ack_level_ == AckLevel::isr_sync ? std::min(synced, partition_->committed()) : synced;
}

/// Makes durable and commits what is written. On failure everybody is told.
Result<void> AppendQueue::sync_round() {
  if (Result<void> synced = sync(); !synced) {
    fail(synced.error());
    const Lock lock(mutex_);
    return *failed_;
  }
  move_committed();
  return {};
}

Result<void> AppendQueue::sync() {
  {
    const Lock lock(mutex_);
    unsynced_since_.reset();  // what is written from here on may miss this sync
  }
  const Result<Offset> synced = log_->sync();
  if (!synced) return synced.error();
  ports_.executor.notify();
  return {};
}

void AppendQueue::move_committed() {
  const bool at_sync = ack_level_ == AckLevel::isr_sync;
  const Offset end = at_sync ? log_->synced_end() : log_->written_end();
  if (end <= partition_->committed()) return;
  if (at_sync) publish(end);  // what is acknowledged as durable is what another process sees
  {
    const InsideCallback inside;
    partition_->commit(end);
  }
  ports_.executor.notify();
  if (!at_sync && !unpublished_) {
    unpublished_ = true;
    hooks_.wake_flusher();
  }
}

/// The flusher's sync of a tail and a leader's may end at the same time: what was published is never taken back.
void AppendQueue::publish(Offset end) {
  const std::lock_guard lock(publish_mutex_);
  if (end <= published_) return;
  published_ = end;
  try {
    hooks_.publish_committed(end);
  } catch (const std::bad_alloc&) {  // readers in other processes lag until the next time, and nobody else
  }
}

/// Commits and completes what is ready, unless another thread does so: that one looks again before it stops.
void AppendQueue::settle() {
  Lock lock(mutex_);
  if (completing_) return;
  completing_ = true;
  for (int turn = 0; turn < kSettledTurns && !ready_.empty(); ++turn) {
    completing_now_.swap(ready_);
    for (const WrittenAppend& item : completing_now_) written_bytes_ -= item.bytes;  // a completion may append as much again
    lock.unlock();
    move_committed();
    for (WrittenAppend& item : completing_now_) {
      tell_each(item, [](Recipient& recipient, const Result<Appended>& outcome) {
        if (recipient.completion) run(recipient.completion, outcome);
        recipient.completion = nullptr;  // what it holds must not outlive the call it was made for
      });
    }
    lock.lock();
    for (WrittenAppend& item : completing_now_) {
      if (item.more.empty()) continue;
      item.more.clear();
      keep_spare(spare_lists_, std::move(item.more));
    }
    completing_now_.clear();
  }
  completing_ = false;
  const bool left = !ready_.empty();
  lock.unlock();
  if (left) hooks_.wake_flusher();
}

// ---- the end ----

/// Refuses everything from now on, with what is under way; tells everybody.
void AppendQueue::fail(const Error& cause) {
  {
    const Lock lock(mutex_);
    refuse_all(cause);
    const Offset synced = log_->synced_end();
    while (!unsynced_.empty()) {
      WrittenAppend& item = unsynced_.front();
      if (item.outcome && item.outcome->end > synced) item.outcome = *failed_;
      release_callers(item);
      ready_.push_back(std::move(item));
      unsynced_.pop_front();
    }
    refuse_queued(*failed_);
    unsynced_since_.reset();
  }
  wake_released();
  settle();
}

/// What is not written is told so. With the mutex.
void AppendQueue::refuse_queued(const Error& cause) {
  while (!queued_.empty()) {
    const std::size_t bytes = queued_.front().size_bytes();
    take_written(queued_.front(), cause);
    queued_.pop_front();
    written_bytes_ += bytes;
  }
  queued_bytes_ = 0;
}

/// Notes the first failure. With the mutex.
void AppendQueue::refuse_all(const Error& cause) {
  if (failed_) return;
  if (cause == Errc::partition_failed) {
    failed_ = cause;  // the PartitionLog has named and logged it
    return;
  }
  failed_ = refused(Errc::partition_failed, "refuses writes until it is opened again: " + std::string(cause.text()));
  logger()->error("{}", failed_->text());
}

bool AppendQueue::failed() const {
  const Lock lock(mutex_);
  return failed_.has_value();
}

Result<CleanEnd> AppendQueue::close() {
  std::optional<Result<CleanEnd>> end;
  or_give_up([&] { end = finish(false); });
  return end ? *std::move(end) : Result<CleanEnd>{failure()};
}

Result<CleanEnd> AppendQueue::close_for_rest() {
  std::optional<Result<CleanEnd>> end;
  or_give_up([&] { end = finish(true); });
  return end ? *std::move(end) : Result<CleanEnd>{failure()};
}

Result<CleanEnd> AppendQueue::finish(bool partition_goes_on) {
  {
    const Lock lock(mutex_);
    closed_ = true;
    refuse_queued(refused(Errc::closed, "the log is closed"));
    led_ = true;
  }
  if (log_->synced_end() < log_->written_end()) static_cast<void>(sync_round().has_value());
  hand_over();
  settle();
  if (unpublished_.exchange(false)) publish(partition_->committed());
  if (!partition_goes_on) partition_->close();
  if (failed()) return Error{Errc::partition_failed, to_string(partition_->name()) + " had failed"};
  return log_->close();
}

}  // namespace lungo
