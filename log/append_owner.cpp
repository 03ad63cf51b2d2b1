// AppendQueue beside the appends: what else the owner of a partition does, and what becomes of the queue of a deleted topic.

#include "append_callbacks.hpp"
#include "append_queue.hpp"

namespace lungo {

Result<void> AppendQueue::as_owner(const std::function<Result<void>(PartitionLog&)>& job) {
  const Lock lock(mutex_);
  if (closed_) return refused(Errc::closed, "the log is closed");
  if (failed_) return *failed_;
  return job(*log_);
}

Result<void> AppendQueue::sync_sealed() {
  if (flush_interval_.load() != kFlushNever) return {};
  bool is_behind = false;
  Result<void> done = as_owner([&](PartitionLog& log) -> Result<void> {
    if (const std::optional<Error>& refusal = log.refused_since_opening()) return *refusal;
    is_behind = log.segments().back().base > log.synced_end();
    return {};
  });
  if (!done || !is_behind) return done;
  if (!or_give_up([&] { done = sync_round(); })) return failure();
  return done;
}

// What was queued before is written, and committed if it was to be at the write: it is told what it was promised.
Offset AppendQueue::change(const TopicSpec& spec) {
  Offset committed;
  const Lock lock(mutex_);
  write_queued(SIZE_MAX);
  if (ack_level_ == AckLevel::isr) committed = log_->written_end();
  ack_level_ = spec.ack_level;
  flush_interval_ = spec.flush_interval;
  batch_bytes_max_ = spec.batch_bytes_max;
  log_->change(spec.segment_bytes, spec.timestamps, spec.producer_expiry);
  tail_is_scheduled_ = false;  // it may be due sooner
  return committed;
}

void AppendQueue::tell_changed(Offset committed) {
  wake_released();
  if (committed > partition_->committed()) {
    publish(committed);
    const InsideCallback inside;
    partition_->commit(committed);
  }
  ports_.executor.notify();
  settle();
  hooks_.wake_flusher();
}

void AppendQueue::refuse(const Error& cause) {
  const Lock lock(mutex_, std::try_to_lock);
  if (lock) failed_ = cause;
}

bool AppendQueue::abandon(const Error& cause) {
  {
    const Lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    failed_ = cause;
    // Nothing comes any more, so the lead is free soon. Under it nobody is about to sync, or to be told that it is his turn.
    if (led_ && !abandoned_) return false;
    led_ = abandoned_ = true;
  }
  return log_->try_refuse(cause);
}

void AppendQueue::tell_abandoned(const Error& cause) {
  fail(cause);
  const auto all_told = [this] {
    settle();  // unless another thread does, which may stop before it comes to these
    const Lock lock(mutex_);
    return !completing_ && ready_.empty();
  };
  constexpr Duration kPause = std::chrono::milliseconds{1};
  while (!ports_.executor.wait_until(all_told, ports_.clock.monotonic() + kPause)) continue;
  {
    const Lock lock(mutex_);
    led_ = false;
  }
  partition_->close();
}

}  // namespace lungo
