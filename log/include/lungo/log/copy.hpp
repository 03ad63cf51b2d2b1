// Copies topics from one log to another, whatever the homes of the two: to a new machine, to Apache Kafka, back.
//
//   Result<CopyReport> copied = copy_log(*open_local("data", {.read_only = true}).value(), *target);
//
// What the target has is a copy of what the source had when the call began: the records of each partition in their order, with
// keys, values, headers and times as they are (times to the millisecond, but in topics that time their records themselves). Not
// the same are offsets, epochs and the borders of batches. What stands elsewhere by offset (a reader's position, say) moves by
// `marks`.
//
// Promise: one that was cut off goes on where it stopped when it is called again, since the target's records say how far it
// came: each is compared with the source's. A target with other records is refused and stays as it is. Of a compacted topic the
// copy has the last record of each key; which of the earlier ones are there is not promised, as either side may compact
// meanwhile. Where partitions have owners (membership.hpp), those of the target are this copy's while it runs, so that a
// running application is not written into. Threads: one; the source may be written to, the target not.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

enum class CopyPhase {
  checking,  // whether the target takes all records, over all partitions; with CopyOptions::refuses only
  copying,
  verifying,  // a partition that was copied, before the next one
};

struct CopyProgress {
  TopicPartition partition;
  CopyPhase phase = CopyPhase::copying;
  std::int64_t offsets_done = 0;  // over all partitions, of those that the source had when the copy began
  std::int64_t offsets = 0;
};

struct CopyReport {
  std::int64_t topics = 0;
  std::int64_t records = 0;      // in the target
  std::int64_t found_there = 0;  // of them, which a copy of before had written
  /// Where the record at or above the offset is in the target, or the target's end. Of compacted topics it may be an earlier
  /// one.
  std::map<TopicPartition, std::map<Offset, Offset>> marks;
  /// Of each partition, up to where the source was copied: the next call goes on there.
  std::map<TopicPartition, Offset> ends;
};

/// Offsets that are kept elsewhere, by the framework say, and how they move along: CopyOptions::marks, and what to do in
/// CopyOptions::finish.
struct MovedOffsets {
  std::map<TopicPartition, std::set<Offset>> marks;
  std::function<Result<void>(const std::shared_ptr<EventLog>& to, const CopyReport& copied)> finish;
  std::int64_t count = 0;  // of what keeps them
};

struct CopyOptions {
  /// Which topics; all where it is empty.
  std::function<bool(const TopicInfo&)> takes;
  /// Offsets of the source that somebody keeps; see CopyReport::marks.
  std::map<TopicPartition, std::set<Offset>> marks;
  /// Both sides are read again at the end, and each record is compared.
  bool verify = true;
  /// Told now and then. False: the copy stops, with `canceled`.
  std::function<bool(const CopyProgress&)> progress;
  /// Of one append, and of waiting for the target's partitions.
  Duration timeout = std::chrono::seconds{30};
  /// Of the topics that are made, where the target can keep another one than the source could.
  std::optional<AckLevel> ack_level;
  /// Why the target does not take a record; nothing where it does. Asked for all of them before anything is made or written.
  std::function<std::optional<std::string>(const TopicSpec&, const RecordView&)> refuses;
  /// Names of compacted topics that others write to as well, the shapes of a cluster, say: the target may have more keys.
  std::set<std::string> shared;
  /// Called when all is copied and compared, while the target's partitions are this copy's still: for what stands elsewhere by
  /// offset. An error is the copy's.
  std::function<Result<void>(const CopyReport&)> finish;
};

/// Topics of the framework (`__lungo_...`) go first: other records can't be read without their shapes.
/// Errors: already_exists for a topic that is there with other settings or other records, naming both offsets; invalid_argument
/// for records that the target refuses, naming them; locked when another process has partitions of the target; corrupt when the
/// two differ in the end, or the source is damaged; canceled; as EventLog::create_topic(), read() and append(). What was copied
/// until then stays.
Result<CopyReport> copy_log(EventLog& from, EventLog& to, const CopyOptions& options = {});

}  // namespace lungo
