// A member of a consumer group that fetches nothing: which partitions are this process's own. For the group shell.
//
//   join -> assigned -> revoked -> assigned -> ...        revoked or lost comes before the next assigned, whatever it brings
//                    \> lost ----/
//
// Classic protocol, eager, `range`. What is assigned is paused at once, with offsets that were never committed: no record and
// no committed offset is asked for. (Assigning nothing instead, M: no revocation is ever told, and the member never joins
// again.) Promise: the listener is called inside poll() and close() alone. What it throws comes out of that call, after
// librdkafka has been told what it has to be told. Threads: one at a time, but wake(). max.poll.interval.ms (30 s) without a
// poll(), and the partitions are lost.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

/// Member and generation, as a transaction takes them along with offsets: the coordinator refuses those of a member or a
/// generation that is no more. A value; what is in it is librdkafka's.
class RdkGroupMetadata {
 public:
  RdkGroupMetadata() = default;  // nobody's
  /// What serialized() has given.
  explicit RdkGroupMetadata(std::string serialized) : serialized_(std::move(serialized)) {}
  [[nodiscard]] const std::string& serialized() const { return serialized_; }
  [[nodiscard]] bool empty() const { return serialized_.empty(); }
  friend bool operator==(const RdkGroupMetadata&, const RdkGroupMetadata&) = default;

 private:
  std::string serialized_;
};

/// May block for as long as poll() may stay away.
class RdkGroupListener {
 public:
  virtual ~RdkGroupListener() = default;
  /// These and no others are this member's from now on; maybe none.
  virtual void assigned(const std::vector<TopicPartition>& partitions, const RdkGroupMetadata& metadata) = 0;
  /// They go when it returns: no other member gets one before.
  virtual void revoked(const std::vector<TopicPartition>& partitions) = 0;
  /// They are gone, and may be another's.
  virtual void lost(const std::vector<TopicPartition>& partitions) = 0;
};

class RdkGroup {
 public:
  /// `listener` outlives it. Errors: invalid_argument, for the settings; io.
  static Result<std::unique_ptr<RdkGroup>> open(const RdkOptions& options, const std::string& group, RdkGroupListener& listener,
                                                std::shared_ptr<BrokerCauses> causes);
  /// Leaves the group without a word to the listener, unless close() was called. May hang where a broker can't be reached: on a
  /// thread that nobody waits for.
  ~RdkGroup();
  RdkGroup(const RdkGroup&) = delete;
  RdkGroup& operator=(const RdkGroup&) = delete;

  /// Joins, or changes what is shared; returns at once. Errors: invalid_argument for no topic or one twice.
  Result<void> subscribe(const std::vector<std::string>& topics);

  /// Waits up to `timeout` for what there is to tell and tells the listener. Errors: what the group or a broker has said, which
  /// librdkafka goes on to mend: not_found for a topic that is not there; not_owner after too long a stay away; io for rights,
  /// and invalid_argument for a session timeout that the broker does not take.
  Result<void> poll(Duration timeout);
  /// Makes a poll() return; nothing once close() was called. Any thread.
  void wake();

  /// As of the latest generation; empty before the first one.
  [[nodiscard]] RdkGroupMetadata metadata() const;
  /// The coordinator's name for this member; empty before it has one.
  [[nodiscard]] std::string member_id() const;

  /// Leaves, so that the others wait for no session to end: the listener is told what it has to let go. Blocks for about
  /// session_timeout at most, and for the listener. No other call may follow.
  Result<void> close();

 private:
  struct Parts;
  explicit RdkGroup(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
