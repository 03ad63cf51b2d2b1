// The membership of a home that nobody shares: every partition of every topic is mine, from the beginning to the end.
//
// Promise: listeners are told once, inside join(), and never again. It keeps nothing, so one made anew is as good as another.
// Threads: any.
#pragma once

#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

namespace lungo {

class WholeMembership : public Membership {
 public:
  /// The log must outlive it.
  explicit WholeMembership(EventLog& log) : log_(log) {}

  Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) override;
  Result<std::vector<TopicPartition>> mine() override;
  Result<std::optional<Owner>> owner_of(const TopicPartition& partition) override;

 private:
  EventLog& log_;
};

}  // namespace lungo
