// Walks one partition's committed events, from an offset to the end and on as it grows.
//
// For subscriptions, processes, engines and tools. Reads in big chunks, parses one envelope at a time, allocates nothing per
// record. It never waits: at the end it says so, and EventLog::notify_above tells when to ask again.
// Threads: one at a time.
#pragma once

#include <optional>

#include <lungo/framework/envelope.hpp>
#include <lungo/log/event_log.hpp>

namespace lungo {

class PartitionReader {
 public:
  /// `log` must outlive the reader. Begins at `from.offset`.
  PartitionReader(EventLog& log, const TopicInfo& topic, Position from, std::size_t chunk_bytes = 1u << 20);

  /// The next committed event, valid until the next call; null at the committed end.
  /// Errors: undecodable for a record whose headers break the grammar: the next call goes on behind it; all others (as
  /// EventLog::read()) come again until their cause is gone.
  Result<const Envelope*> next();

  /// One past the last record that next() answered for, with that record's epoch: what a reader stores.
  [[nodiscard]] const Position& position() const { return position_; }
  /// As of the last chunk that was read.
  [[nodiscard]] Offset committed_end() const { return committed_end_; }
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }
  /// Goes on from another offset.
  void seek(const Position& position);

 private:
  Result<bool> fetch();

  EventLog* log_;
  TopicPartition partition_;
  Position position_;
  std::size_t chunk_bytes_;
  std::optional<Fetched> chunk_;
  std::optional<RecordCursor> cursor_;
  Offset committed_end_;
  Envelope envelope_;
};

}  // namespace lungo
