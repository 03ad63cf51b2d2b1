// The tracker's part in sharing its topics' partitions with other trackers on the same log, where partitions have owners.
//
// Threads: join() and the end one at a time; the membership tells on its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

namespace tracker {

class SharedPartitions : private lungo::MembershipListener {
 public:
  /// Takes part until it is gone, and waits until each partition has an owner, be it this process or another: what was appended
  /// earlier would be refused. On a log of one's own that is at once. The log must outlive it. Errors: timed_out, naming a
  /// partition that nobody has; as Membership::join().
  static lungo::Result<std::unique_ptr<SharedPartitions>> join(lungo::EventLog& log, const std::vector<std::string>& topics,
                                                               lungo::Duration timeout);

 private:
  explicit SharedPartitions(std::shared_ptr<lungo::Membership> membership) : membership_(std::move(membership)) {}

  // Whose a partition is each append is told.
  void opened(const std::vector<lungo::TopicPartition>&) override {}
  void closing(const std::vector<lungo::TopicPartition>&, lungo::Instant) override {}
  void lost(const std::vector<lungo::TopicPartition>&) override {}

  const std::shared_ptr<lungo::Membership> membership_;
  lungo::Membership::Token token_;
};

}  // namespace tracker
