// AppendQueue beside the appends: what else the owner of a partition does, and what becomes of the queue of a deleted topic.

#include "append_queue.hpp"

namespace lungo {

Result<void> AppendQueue::as_owner(const std::function<Result<void>(PartitionLog&)>& job) {
  const Lock lock(mutex_);
  if (closed_) return refused(Errc::closed, "the log is closed");
  if (failed_) return *failed_;
  return job(*log_);
}

void AppendQueue::change(AckLevel ack_level, std::chrono::milliseconds flush_interval) {
  ack_level_ = ack_level;
  flush_interval_ = flush_interval;
  hooks_.wake_flusher();  // what waits for its interval may be due
}

void AppendQueue::abandon(const Error& cause) {
  {
    const Lock lock(mutex_);
    failed_ = cause;
  }
  // Nothing comes any more, so the lead is free soon. Under it nobody is about to sync, or to be told that it is his turn.
  const auto take_lead = [this] {
    const Lock lock(mutex_);
    if (led_) return false;
    led_ = true;
    return true;
  };
  constexpr Duration kPause = std::chrono::milliseconds{1};
  while (!ports_.executor.wait_until(take_lead, ports_.clock.monotonic() + kPause)) continue;
  fail(cause);
  {
    const Lock lock(mutex_);
    led_ = false;
  }
  log_->refuse(cause);
  partition_->close();
}

}  // namespace lungo
