// Who owns the partitions of a decider's topic.
//
// For Aggregates, which is a member with its topic from its first command on: the owner of a partition executes its commands.
// What a partition's streams have left in the kept states is dropped when it goes: another process appends to them then, and
// here nobody asks for them. One that is taken at that moment may come back later; for it holds what holds for all
// (kept_states.hpp). Threads: any.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include <lungo/framework/kept_states.hpp>
#include <lungo/log/event_log.hpp>
#include <lungo/log/membership.hpp>

namespace lungo::detail {

class StreamOwners final : public MembershipListener {
 public:
  explicit StreamOwners(std::shared_ptr<KeptStates> kept) : kept_(std::move(kept)) {}

  /// Once. The log outlives it. Errors: as Membership::join().
  Result<void> join(EventLog& log, const TopicSpec& topic);
  /// Of a partition of the topic, behind join(). What was added to the topic since then is for the log to judge.
  [[nodiscard]] bool is_mine(PartitionId partition) const;
  /// Behind join(). Errors: as Membership::owner_of().
  [[nodiscard]] Result<std::optional<Membership::Owner>> owner_of(const TopicPartition& partition) const {
    return membership_->owner_of(partition);
  }

  void opened(const std::vector<TopicPartition>& partitions) override;
  void closing(const std::vector<TopicPartition>& partitions, Instant deadline) override;
  void lost(const std::vector<TopicPartition>& partitions) override;

 private:
  const std::shared_ptr<KeptStates> kept_;
  std::vector<std::atomic<bool>> mine_;  // by partition
  std::shared_ptr<Membership> membership_;
  Membership::Token token_;  // last: no call comes behind its end
};

}  // namespace lungo::detail
