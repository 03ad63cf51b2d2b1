// Reads one partition's events from the newest to the oldest, a few at a time.
//
// A log is read forwards only, so it reads small windows, the latest one first.
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/event_store.hpp>

namespace tracker {

/// What lists show of an event; owned.
struct EventLine {
  lungo::TopicPartition at;
  lungo::Offset offset;
  lungo::Timestamp time{};
  std::string type;  // empty: not readable as an event
  std::string stream;
  std::string id;
};

class BackwardReader {
 public:
  /// Begins below `before`, which lies within the partition; `log` must outlive it.
  BackwardReader(lungo::EventLog& log, const lungo::TopicInfo& topic, lungo::PartitionId partition, lungo::Offset start,
                 lungo::Offset before);

  /// The newest event that was not taken; null at the partition's start. Errors: as EventLog::read().
  lungo::Result<const EventLine*> newest();
  void take() { window_.pop_back(); }
  /// Below all that was taken.
  [[nodiscard]] lungo::Offset position() const;
  [[nodiscard]] bool is_at_start() const { return window_.empty() && begin_ == start_; }

 private:
  static constexpr std::int64_t kWindow = 50;

  lungo::EventLog& log_;
  const lungo::TopicInfo& topic_;
  const lungo::PartitionId partition_;
  const lungo::Offset start_;
  lungo::Offset begin_;            // of the window
  std::vector<EventLine> window_;  // oldest first
};

}  // namespace tracker
