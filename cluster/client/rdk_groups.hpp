// Looks at consumer groups: who is in them, and what they have committed. Takes part in none. For the shells of ownership and
// membership.
//
// Promise: no request for a group's coordinator outlives its time. librdkafka 2.0.2 ends the process (its #4605) when one has
// timed out while no coordinator was to be had, and a coordinator comes then. So a request gets an hour, the most that
// librdkafka takes; whoever asks waits for a shorter time; and a handle with a request that was given up goes at once, the next
// question making a new one. That gets past a coordinator that hangs, too. And a handle has a group, which it never joins:
// where the coordinator says that it is none any more, librdkafka 2.0.2 looks for that of the handle's own group, and reads at
// null where there is none.
// Threads: any, at the same time. A call blocks for its `timeout`, and while a handle goes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

struct RdkGroupMember {
  std::string id;
  std::string client_id;
  std::string host;
  std::vector<TopicPartition> partitions;
};

struct RdkGroupState {
  std::string state;  // "Stable", "PreparingRebalance"; "Dead" when there is no such group
  std::vector<RdkGroupMember> members;
};

/// What a group has committed for a partition.
struct RdkGroupOffset {
  TopicPartition partition;
  std::optional<Offset> offset;  // nothing: none was ever committed, or it has expired
  std::string metadata;
  std::optional<Error> error;  // timed_out, where a stable one was asked for: a transaction that sets it is open
};

class RdkGroups {
 public:
  /// Asks nothing of a broker, and makes no handle before the first question.
  RdkGroups(RdkOptions options, std::shared_ptr<BrokerCauses> causes);
  ~RdkGroups();
  RdkGroups(const RdkGroups&) = delete;
  RdkGroups& operator=(const RdkGroups&) = delete;

  /// Errors: io when no broker of the settings answers, timed_out when the time is over otherwise, each with the cause; io with
  /// the line for kafka-acls.sh where a right is missing; invalid_argument for the settings; io when there is no thread left.
  Result<RdkGroupState> state(const std::string& group, Duration timeout);
  /// In the order of `partitions`, at least one. With `require_stable` those that an open transaction sets have an error.
  /// Errors: as state().
  Result<std::vector<RdkGroupOffset>> offsets(const std::string& group, const std::vector<TopicPartition>& partitions,
                                              bool require_stable, Duration timeout);

 private:
  struct Parts;

  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
