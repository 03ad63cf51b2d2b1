// Appends a stream of events in big batches: per partition one batch fills while the one before is written and synced.
//
// Promise: a partition's events reach the log in the order they were added, and when an append fails, nothing that was added
// to its partition later is written. Memory: at most two batches per partition.
// Threads: one at a time; completions come from the log's own.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event_appends.hpp"

namespace tracker {

class BatchedAppends {
 public:
  /// `topics` must exist; `appends` must outlive it.
  static lungo::Result<std::unique_ptr<BatchedAppends>> open(EventAppends& appends, const std::vector<std::string>& topics);
  /// Waits for what is in flight.
  ~BatchedAppends();
  BatchedAppends(const BatchedAppends&) = delete;
  BatchedAppends& operator=(const BatchedAppends&) = delete;

  /// The partition that a stream of topic number `topic` lies in, as an index for add(): 0 up to lanes().
  [[nodiscard]] std::size_t lane_of(std::size_t topic, std::string_view stream) const;
  [[nodiscard]] std::size_t lanes() const;
  [[nodiscard]] const lungo::TopicPartition& partition(std::size_t lane) const;

  /// Adds an event to a stream that lies in `lane`; waits while the lane's next batch is full and the one before is in flight.
  /// Errors: as EventBatch::add(); what an earlier append failed with; timed_out.
  template <class E>
  lungo::Result<void> add(std::size_t lane, std::string_view stream, const E& event, const lungo::EventMeta& meta) {
    lungo::Result<lungo::EventBatch*> batch = batch_for_one_more(lane);
    if (!batch) return batch.error();
    return (*batch)->add(stream, event, meta);
  }

  /// Submits everything and waits until it is committed. Errors: as add().
  lungo::Result<void> flush();

 private:
  struct Parts;
  explicit BatchedAppends(std::unique_ptr<Parts> parts);
  lungo::Result<lungo::EventBatch*> batch_for_one_more(std::size_t lane);

  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker
