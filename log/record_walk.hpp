// A partition's committed records below an end, one after the other. For who goes over all of them and never waits.
// Threads: one.
#pragma once

#include <optional>

#include <lungo/log/event_log.hpp>

namespace lungo {

class RecordWalk {
 public:
  /// Records in [from, end). The log outlives the walk.
  RecordWalk(EventLog& log, TopicPartition partition, Offset from, Offset end)
      : log_(&log), partition_(std::move(partition)), next_(from), end_(end) {}

  /// The next record, the same until pop(); null at the end. Errors: as EventLog::read().
  Result<const RecordView*> peek();
  void pop() {
    next_ = record_->offset.next();
    record_ = nullptr;
  }
  /// Below it nothing comes any more: one past the last record that was taken, or where the walk began.
  [[nodiscard]] Offset at() const { return next_; }
  [[nodiscard]] Offset end() const { return end_; }

 private:
  EventLog* log_;
  TopicPartition partition_;
  Offset next_;
  Offset end_;
  std::optional<Fetched> fetched_;
  std::optional<RecordCursor> cursor_;
  const RecordView* record_ = nullptr;
};

}  // namespace lungo
