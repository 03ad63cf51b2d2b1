// The target's partitions while they are copied into. Where partitions have owners the copy has to be the owner of all: only
// then are its appends taken, and nobody else writes there meanwhile. Where nobody shares them, all are at once.
//
// Threads: one; the membership tells on its own.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

namespace lungo {

class CopyTarget : private MembershipListener {
 public:
  /// Takes part in sharing `topics`, which are the target's, until it is gone, and waits for all of their partitions. The log
  /// outlives it. Errors: locked, naming a partition that is another's, and whose; as Membership::join().
  static Result<std::unique_ptr<CopyTarget>> join(EventLog& log, const std::vector<TopicSpec>& topics, Duration timeout);

 private:
  explicit CopyTarget(EventLog& log) : ports_(log.ports()), membership_(log.membership()) {}

  void opened(const std::vector<TopicPartition>& partitions) override;
  void closing(const std::vector<TopicPartition>& partitions, Instant deadline) override;
  void lost(const std::vector<TopicPartition>& partitions) override;
  [[nodiscard]] std::optional<TopicPartition> first_missing() const;
  [[nodiscard]] Error not_mine(const TopicPartition& partition) const;

  Ports ports_;
  mutable std::mutex mutex_;
  std::set<TopicPartition> missing_;
  const std::shared_ptr<Membership> membership_;
  Membership::Token token_;  // last: no call comes when it is gone
};

}  // namespace lungo
