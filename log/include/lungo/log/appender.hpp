// The shortest way into one partition: made once, kept, and used for every append.
//
//   std::shared_ptr<Appender> clicks = log->appender({"clicks", PartitionId{0}}).value();
//   clicks->append_wait({.timestamp = now, .value = as_bytes(line)}).value();
//
// Threads: any.
#pragma once

#include <memory>

#include <lungo/log/event_log.hpp>

namespace lungo {

struct AppendOptions {
  Durability durability = Durability::committed;
  const Condition* condition = nullptr;  // read during the call; as AppendRequest::condition
  std::optional<Offset> since;           // as AppendRequest::since
};

class Appender {
 public:
  virtual ~Appender() = default;

  /// Appends and waits, as lungo::append_wait() does. In the embedded log the call itself writes, and syncs unless another does
  /// so.
  virtual Result<Appended> append_wait(const RecordFields& record, const AppendOptions& options = {}) = 0;
  /// `records` stay the caller's: cleared and filled again, they take no new memory.
  virtual Result<Appended> append_wait(EncodedRecords& records, const AppendOptions& options = {}) = 0;
  /// As EventLog::append(). The record is encoded before the call returns.
  virtual void append(const RecordFields& record, Completion completion, const AppendOptions& options = {}) = 0;
};

}  // namespace lungo
