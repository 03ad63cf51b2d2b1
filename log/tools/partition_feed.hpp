// A partition's committed records, one after the other, for a reader that may wait for more. Threads: one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <lungo/log/event_log.hpp>

namespace lungo {

class PartitionFeed {
 public:
  /// What all feeds of a reader share; `note` is told in a sentence what the reader of the output should know.
  struct Settings {
    std::size_t bytes_max;  // of a read
    ReadOptions read;
    std::function<void(const std::string&)> note;
  };
  /// Records in [next, end).
  PartitionFeed(EventLog& log, TopicPartition partition, Offset next, Offset end, Settings settings)
      : log_(&log), partition_(std::move(partition)), next_(next), end_(end), settings_(std::move(settings)) {}

  /// The next record, the same until pop(); null while there is none. Errors: as EventLog::read().
  Result<const RecordView*> peek();
  void pop() { record_ = nullptr; }

  [[nodiscard]] const TopicPartition& partition() const { return partition_; }
  /// Where a read goes on.
  [[nodiscard]] Offset next() const { return next_; }
  void go_on_until(Offset end) { end_ = end; }

 private:
  Result<bool> fetch();

  EventLog* log_;
  TopicPartition partition_;
  Offset next_;
  Offset end_;
  Settings settings_;
  std::shared_ptr<const Bytes> buffer_;  // what the cursor reads
  std::optional<RecordCursor> cursor_;
  const RecordView* record_ = nullptr;
};

}  // namespace lungo
