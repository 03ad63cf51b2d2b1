// Reads partitions from offsets that it is told, up to the last stable offset: committed records only, in order, and where each
// partition ends. For the tail shell, which fills the mirror.
//
// Promise: per partition offsets ascend, no committed record from the start on is left out, and none of an aborted transaction
// is there. An offset that is gone is an error, never a silent jump.
// Threads: one at a time, but wake() and stable_end(). No call but stable_end() and the destructor waits for a broker; the
// destructor may hang where one can't be reached: on a thread that nobody waits for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/record_batch.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

struct RdkStart {
  TopicPartition partition;
  Offset from;
};

/// Views point into the RdkFetched that it came in.
struct RdkRecord {
  Offset offset;
  Timestamp time;
  TimestampKind time_kind = TimestampKind::create;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  std::vector<HeaderView> headers;
};

/// What came of one partition in a row: records, then perhaps that it ends there or can't go on.
struct RdkRun {
  TopicPartition partition;
  std::vector<RdkRecord> records;
  /// The last stable offset: everything below it has come. Behind the last record where markers and aborted records follow it.
  std::optional<Offset> end;
  /// offset_out_of_range (its offset() is what was asked for), after which nothing comes of this partition before a seek();
  /// not_found; corrupt; io for rights. librdkafka tries again after the others.
  std::optional<Error> error;
};

/// Keeps the bytes of its records; moved, not copied. Goes before the tail does, whose destructor waits for it for ever.
class RdkFetched {
 public:
  RdkFetched();
  ~RdkFetched();
  RdkFetched(RdkFetched&&) noexcept;
  RdkFetched& operator=(RdkFetched&&) noexcept;

  std::vector<RdkRun> runs;

 private:
  friend class RdkTail;
  struct Messages;
  std::unique_ptr<Messages> messages_;
};

class RdkTail {
 public:
  /// `group` is a name that the process has the right to describe: librdkafka wants one; nothing joins or commits to it.
  /// Errors: invalid_argument, for the settings; io.
  static Result<std::unique_ptr<RdkTail>> open(const RdkOptions& options, const std::string& group,
                                               std::shared_ptr<BrokerCauses> causes);
  ~RdkTail();
  RdkTail(const RdkTail&) = delete;
  RdkTail& operator=(const RdkTail&) = delete;

  /// Reads these from now on and no others; what was fetched before is dropped. Errors: invalid_argument.
  Result<void> assign(const std::vector<RdkStart>& starts);
  /// Reads these, too, and leaves the others as they are.
  Result<void> add(const std::vector<RdkStart>& starts);
  /// Reads these no more.
  Result<void> remove(const std::vector<TopicPartition>& partitions);

  /// Waits up to `timeout` for the first that comes, and takes with it what is there, at most `records_max`. Empty when nothing
  /// came. Errors: fatal ones of the handle; it is to be made anew.
  Result<RdkFetched> poll(Duration timeout, std::size_t records_max);
  /// Makes a poll() return. Any thread.
  void wake();

  /// Nothing of these comes until resume(), which goes on behind what has come.
  Result<void> pause(const std::vector<TopicPartition>& partitions);
  Result<void> resume(const std::vector<TopicPartition>& partitions);
  /// Goes on there with one that is being read, also after offset_out_of_range or a pause; nothing that was fetched before
  /// comes behind it. Errors: invalid_argument when it is not read.
  Result<void> seek(const RdkStart& start);

  /// The last stable offset, asked of the partition's leader. Any thread. Blocks up to `timeout`. Errors: not_found; io,
  /// timed_out.
  Result<Offset> stable_end(const TopicPartition& partition, Duration timeout);

 private:
  struct Parts;
  explicit RdkTail(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
