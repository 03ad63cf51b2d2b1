#include "append_queue.hpp"

#include <algorithm>
#include <lungo/log/check.hpp>

#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::size_t kGroupBytes = 64u << 10;   // bodies in one batch; one larger append stays whole
constexpr std::size_t kSealedBytes = 16u << 10;  // from here on an append is mostly alone in its batch
constexpr std::size_t kRoundBytes = 1u << 20;    // written before a sync, so that no completion waits for ever

/// Callbacks running on this thread. A call from inside one must not wait for a lead that its own thread holds.
thread_local int callbacks_running = 0;

class InsideCallback {
 public:
  InsideCallback() { ++callbacks_running; }
  ~InsideCallback() { --callbacks_running; }
  InsideCallback(const InsideCallback&) = delete;
  InsideCallback& operator=(const InsideCallback&) = delete;
};

void run(const Completion& completion, Result<Appended> outcome) {
  const InsideCallback inside;
  try {
    completion(std::move(outcome));
  } catch (...) {
    logger()->error("a completion threw, which it must not: {}", current_exception_text());
  }
}

}  // namespace

AppendQueue::AppendQueue(std::shared_ptr<OpenPartition> partition, Options options, Hooks hooks, Ports ports)
    : partition_(std::move(partition)), log_(partition_->log()), options_(options), hooks_(std::move(hooks)), ports_(ports) {}

// ---- the appender's side ----

std::optional<Error> AppendQueue::refusal(const AppendRequest& request) const {
  const auto refused = [&](Errc code, const std::string& why) {
    return Error{code, to_string(partition_->name()) + ": " + why};
  };
  if (closed_) return refused(Errc::closed, "the log is closed");
  if (failed_) return failed_;
  if (request.records.empty()) return refused(Errc::invalid_argument, "an append without records");
  if (request.condition && !options_.streams) return refused(Errc::unsupported, "no conditions: the topic lacks `streams`");
  // What is written counts until it is completed: while a sync stalls, appenders write and the queue alone stays short.
  const std::size_t pending_bytes = queued_bytes_ + written_bytes_;
  if (has_work() && pending_bytes + request.records.size_bytes() > options_.queued_bytes_max) {
    return refused(Errc::busy, std::to_string(pending_bytes) + " bytes wait to be completed");
  }
  return std::nullopt;
}

void AppendQueue::append(AppendRequest request, Completion completion) {
  Caller caller;
  const bool waits = request.caller_waits && callbacks_running == 0;
  if (request.records.size_bytes() >= kSealedBytes) request.records.seal();
  bool flusher_needed = false;
  {
    std::unique_lock lock(mutex_);
    if (const std::optional<Error> refused = refusal(request)) {
      lock.unlock();
      return run(completion, *refused);
    }
    queued_bytes_ += request.records.size_bytes();
    queued_.push_back({std::move(request), std::move(completion), waits ? &caller : nullptr});
    if (!waits) {
      if (queued_bytes_ >= kGroupBytes) write_group();
      flusher_needed = !led_;  // a leader looks at the queue again before it lets go
    }
  }
  if (flusher_needed) hooks_.wake_flusher();
  if (waits && wait_for_lead(caller)) lead_for(caller);
}

/// True when the caller has to lead, false when another leader completed its append.
bool AppendQueue::wait_for_lead(Caller& caller) {
  bool leads = false;
  const auto decided = [&] {
    const std::lock_guard lock(mutex_);
    if (caller.done) return true;
    if (led_) return false;
    led_ = leads = true;
    return true;
  };
  if (decided()) return leads;
  {
    const std::lock_guard lock(mutex_);
    ++callers_waiting_;
  }
  // No deadline: a leader is bounded by the disk, and lets go or completes this append.
  ports_.executor.wait_until(decided, Instant::max());
  {
    const std::lock_guard lock(mutex_);
    --callers_waiting_;
  }
  // The leader may have counted on this caller to go on with what is left.
  if (!leads) hand_over();
  return leads;
}

void AppendQueue::lead_for(Caller& caller) {
  const auto done = [&] {
    const std::lock_guard lock(mutex_);
    if (caller.done) led_ = false;
    return caller.done;
  };
  while (!done()) round();
  hand_over();
}

/// Tells the callers that wait that the lead is free; false when nobody waits or somebody leads.
bool AppendQueue::call_next_caller() {
  {
    const std::lock_guard lock(mutex_);
    if (led_ || callers_waiting_ == 0) return false;
  }
  ports_.executor.notify();
  return true;
}

/// Sees to it that somebody leads while there is work: a caller that waits anyway, otherwise the flusher.
void AppendQueue::hand_over() {
  if (call_next_caller()) return;
  {
    const std::lock_guard lock(mutex_);
    const bool tail_unknown = unsynced_since_ && !tail_sync_scheduled_;
    if (led_ || !(has_work() || tail_unknown)) return;
  }
  hooks_.wake_flusher();
}

// ---- the flusher's side ----

Instant AppendQueue::flush(Instant now) {
  const auto take_lead = [&] {
    const std::lock_guard lock(mutex_);
    if (led_ || callers_waiting_ > 0 || !has_work()) return false;
    led_ = true;
    return true;
  };
  const auto let_go = [&] {
    const std::lock_guard lock(mutex_);
    led_ = false;
    return has_work();
  };
  if (take_lead()) {
    round();
    const bool work_left = let_go();
    // At once, but after the other partitions had their turn.
    if (!call_next_caller() && work_left) return now;
  }
  const std::optional<Instant> due = schedule_tail_sync();
  if (due && *due > now) return *due;
  if (due) {
    if (Result<void> synced = sync(); !synced) fail(synced.error());
  }
  return schedule_tail_sync().value_or(Instant::max());
}

/// When the tail that nobody waits for has to be synced.
std::optional<Instant> AppendQueue::schedule_tail_sync() {
  const std::lock_guard lock(mutex_);
  if (!unsynced_since_ || failed_) return std::nullopt;
  tail_sync_scheduled_ = true;
  return *unsynced_since_ + options_.flush_interval;
}

// ---- the leader's side ----

/// Writes what is queued, makes it durable, commits and completes it. With the lead, without the mutex.
void AppendQueue::round() {
  std::size_t bytes = 0;
  bool more = true;
  std::optional<Error> failed;
  while (more && bytes < kRoundBytes) {
    const std::lock_guard lock(mutex_);  // let go between groups: appenders wait for one write at most
    bytes += write_group();
    failed = failed_;
    more = !queued_.empty() && !failed;
  }
  if (failed) return fail(*failed);
  if (options_.ack_level == AckLevel::isr_sync && log_->synced_end() < log_->written_end()) {
    if (Result<void> synced = sync(); !synced) return fail(synced.error());
  }
  move_committed();
  complete_ready();
}

/// Writes one batch out of the front of the queue; returns the bytes taken. With the mutex.
std::size_t AppendQueue::write_group() {
  if (failed_) return 0;
  group_.clear();
  std::size_t bytes = 0;
  for (Queued& item : queued_) {
    const std::size_t size = item.request.records.size_bytes();
    if (!group_.empty() && bytes + size > kGroupBytes) break;
    bytes += size;
    group_.push_back({.records = &item.request.records,
                      .condition = item.request.condition ? &*item.request.condition : nullptr,
                      .since = item.request.since,
                      .outcome = std::nullopt});
  }
  if (group_.empty()) return 0;

  std::optional<Error> broken;
  try {
    log_->append(group_, options_.epoch);
    for (const GroupItem& item : group_) check(item.outcome.has_value(), "PartitionLog::append sets every outcome");
  } catch (...) {  // our bug: this partition stops, the host goes on
    broken = Error{Errc::io, current_exception_text()};
  }
  for (GroupItem& item : group_) {
    Queued& queued = queued_.front();
    Result<Appended> outcome = broken ? Result<Appended>(*broken) : std::move(*item.outcome);
    const std::size_t size = queued.request.records.size_bytes();
    written_.push_back({std::move(outcome), std::move(queued.completion), queued.caller, size});
    queued_.pop_front();
  }
  queued_bytes_ -= bytes;
  written_bytes_ += bytes;
  if (broken) {
    refuse_all(*broken);
    return bytes;
  }
  if (options_.ack_level == AckLevel::isr && !unsynced_since_) unsynced_since_ = ports_.clock.monotonic();
  return bytes;
}

Result<void> AppendQueue::sync() {
  {
    const std::lock_guard lock(mutex_);
    unsynced_since_.reset();  // what is written from here on may miss this sync
    tail_sync_scheduled_ = false;
  }
  const Result<Offset> synced = log_->sync();
  if (!synced) return synced.error();
  ports_.executor.notify();
  return {};
}

void AppendQueue::move_committed() {
  const Offset end = options_.ack_level == AckLevel::isr_sync ? log_->synced_end() : log_->written_end();
  if (end <= partition_->committed()) return;
  hooks_.publish_committed(end);
  {
    const InsideCallback inside;
    partition_->commit(end);
  }
  ports_.executor.notify();
}

/// Takes from the front what is refused or committed, and completes it.
void AppendQueue::complete_ready() {
  std::vector<Written> ready;
  {
    const std::lock_guard lock(mutex_);
    const Offset committed = partition_->committed();
    while (!written_.empty() && (!written_.front().outcome || written_.front().outcome->end <= committed)) {
      written_bytes_ -= written_.front().bytes;
      ready.push_back(std::move(written_.front()));
      written_.pop_front();
    }
  }
  complete(std::move(ready));
}

void AppendQueue::complete(std::vector<Written> ready) {
  bool somebody_waits = false;
  for (Written& item : ready) {
    run(item.completion, std::move(item.outcome));
    item.completion = nullptr;  // what it holds must not outlive the call it was made for
    if (item.caller == nullptr) continue;
    const std::lock_guard lock(mutex_);
    item.caller->done = true;  // the caller may be gone as soon as the mutex is free
    somebody_waits = somebody_waits || callers_waiting_ > 0;
  }
  if (somebody_waits) ports_.executor.notify();
}

/// Refuses everything from now on, with what is under way.
void AppendQueue::fail(const Error& cause) {
  std::vector<Written> all;
  {
    const std::lock_guard lock(mutex_);
    refuse_all(cause);
    const Offset committed = partition_->committed();
    for (Written& item : written_) {
      if (item.outcome && item.outcome->end > committed) item.outcome = *failed_;
      all.push_back(std::move(item));
    }
    for (Queued& item : queued_) all.push_back({*failed_, std::move(item.completion), item.caller});
    written_.clear();
    queued_.clear();
    queued_bytes_ = written_bytes_ = 0;
    unsynced_since_.reset();
  }
  complete(std::move(all));
}

/// Notes the first failure. With the mutex.
void AppendQueue::refuse_all(const Error& cause) {
  if (failed_) return;
  if (cause == Errc::partition_failed) {
    failed_ = cause;  // the PartitionLog has named and logged it
    return;
  }
  failed_ = Error{Errc::partition_failed,
                  to_string(partition_->name()) + " refuses writes until it is opened again: " + std::string(cause.text())};
  logger()->error("{}", failed_->text());
}

bool AppendQueue::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_.has_value();
}

Result<CleanEnd> AppendQueue::close() {
  std::vector<Written> refused;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    const Error closed{Errc::closed, to_string(partition_->name()) + ": the log is closed"};
    for (Queued& item : queued_) refused.push_back({closed, std::move(item.completion), item.caller});
    queued_.clear();
    queued_bytes_ = 0;
  }
  round();  // nothing is queued: syncs and completes what is written, or completes it with the failure
  complete(std::move(refused));
  partition_->close();
  if (failed()) return Error{Errc::partition_failed, to_string(partition_->name()) + " had failed"};
  return log_->close();
}

}  // namespace lungo
