// Lungo as a contestant: one log with one topic of one partition, and what only it is asked for.
//
// Threads: append and append_async from any; else one at a time.
#pragma once

#include <memory>
#include <string>

#include <lungo/log/appender.hpp>

#include "store.hpp"

namespace lungo::bench {

/// A topic whose appends wait for what `durability` says. Written ones are synced by nobody while the benchmark runs.
TopicSpec topic_spec(const std::string& name, Durability durability, std::int32_t partitions = 1);

/// A request with `count` copies of `value`. The timestamp is the caller's: other contestants do not look at a clock either.
AppendRequest request_of(const TopicPartition& to, std::string_view value, std::size_t count, bool caller_waits);

class LungoStore final : public Store {
 public:
  LungoStore(const std::string& directory, Durability durability);

  void append(std::string_view value, std::size_t count) override;
  std::uint64_t scan() override;
  /// Opens the log anew, which has checked none of its batches then.
  void reopen();
  /// Reads every batch, with its checksum where that was not checked since the log was opened, but no record; returns the
  /// bytes.
  std::uint64_t read_batches();
  /// Makes durable what was appended, by one more record.
  void sync();
  void append_async(std::string_view value, Completion completion);

 private:
  std::string directory_;
  TopicPartition topic_{"bench", PartitionId{0}};
  std::shared_ptr<EventLog> log_;
  std::shared_ptr<Appender> appender_;
};

}  // namespace lungo::bench
