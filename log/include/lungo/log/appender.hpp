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

/// How one append through an Appender goes.
struct AppenderOptions {
  Durability durability = Durability::committed;
  const Condition* condition = nullptr;  // read during the call; as AppendRequest::condition
  std::optional<Offset> since;           // as AppendRequest::since
};

class Appender {
 public:
  virtual ~Appender() = default;

  /// Appends and waits, as lungo::append_wait() does. In the embedded log the call itself writes, and syncs unless another does
  /// so.
  virtual Result<Appended> append_wait(const RecordFields& record, const AppenderOptions& options = {}) = 0;
  /// `records` stay the caller's: cleared and filled again, they take no new memory.
  virtual Result<Appended> append_wait(EncodedRecords& records, const AppenderOptions& options = {}) = 0;
  /// As EventLog::append(). The record is encoded before the call returns.
  virtual void append(const RecordFields& record, Completion completion, const AppenderOptions& options = {}) = 0;
  /// Appends a batch (RecordBatch v2) that a producer has finished, and waits as append_wait() does. It is kept as it is,
  /// codec, headers and producer's fields included; offsets and epoch are given here, and so are the times where the topic's
  /// are the log's. A largest time that is not its records' is mended. A batch with a producer id takes part in idempotence:
  /// one of the producer's last five that comes again is answered with the offsets that it got (`repeated`). What repeats is
  /// told by producer id, epoch and sequence alone; an `l.id` in a record is not looked at. On a stream topic its records are
  /// found by key as all others. Errors: corrupt (length, magic, CRC, what doesn't decompress or is no record),
  /// invalid_argument (what a producer must not send: no records, gaps between them, a control batch, a time of the log's; a
  /// record without a key for a compacted topic), too_large (above the topic's batch_bytes_max, or decompressed above 64 MiB),
  /// unsupported (a transaction; a codec without a name; a condition or `since`; this home), out_of_sequence, producer_fenced,
  /// and append_wait()'s.
  virtual Result<Appended> append_batch(BytesView batch, const AppenderOptions& options = {});
};

}  // namespace lungo
