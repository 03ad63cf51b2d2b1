// Reads a topic backwards: its records over all partitions, the newest first.
//
// A log is read forwards, so a window of offsets is read below each partition's place, and the windows are merged: of each
// partition's next record the one with the greatest (time, partition) comes first. Within a partition the offset decides, since
// a time may lie below that of an earlier record.
// Promise: looks at 2,000 records or 8 MiB at most, and what one more read brings, which is never less than a whole batch.
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace tracker {

inline constexpr std::size_t kRecordsLookedAtMax = 2'000;
inline constexpr std::size_t kBytesLookedAtMax = 8u << 20;

/// What is to be read of a partition: [start, below).
struct OffsetRange {
  lungo::Offset start;
  lungo::Offset below;
};

struct FoundRecord {
  lungo::PartitionId partition;
  lungo::RecordView record;  // its bytes are there until the next newest()
};

class NewestFirst {
 public:
  /// One range for each partition of the topic. `log` must outlive the reader, which is going to be asked for about `records`.
  NewestFirst(lungo::EventLog& log, std::string topic, const std::vector<OffsetRange>& ranges, std::size_t records);

  /// The newest record that was not taken yet; nothing at the beginning, or when there is no more to look at. Errors: as
  /// EventLog::read().
  lungo::Result<std::optional<FoundRecord>> newest();
  /// Goes on behind the record that newest() answered.
  void take();

  /// False once a partition with records left may not be looked at any more: it may hold newer ones than newest() answers.
  [[nodiscard]] bool is_in_order() const { return in_order_; }
  /// Per partition where to go on: below these offsets nothing was taken yet.
  [[nodiscard]] std::vector<lungo::Offset> places() const;
  [[nodiscard]] bool is_at_beginning() const;

 private:
  struct Partition {
    OffsetRange left;
    std::int64_t window = 1;              // offsets to read at once: fewer where records turned out to be big
    std::optional<lungo::Fetched> bytes;  // what the records point into
    std::vector<std::shared_ptr<const lungo::Bytes>> decompressed;  // the same, of compressed batches
    std::vector<lungo::RecordView> records;                         // ascending: the next one is the last
  };

  lungo::Result<void> load(std::size_t index);

  lungo::EventLog& log_;
  const std::string topic_;
  std::vector<Partition> partitions_;
  const std::int64_t window_max_;
  std::size_t records_left_ = kRecordsLookedAtMax;
  std::size_t bytes_left_ = kBytesLookedAtMax;
  std::optional<std::size_t> newest_;  // the partition that newest() answered from
  bool in_order_ = true;
};

}  // namespace tracker
