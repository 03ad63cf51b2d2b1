#include "copy_target.hpp"

namespace lungo {

Result<std::unique_ptr<CopyTarget>> CopyTarget::join(EventLog& log, const std::vector<TopicSpec>& topics, Duration timeout) {
  std::unique_ptr<CopyTarget> target{new CopyTarget{log}};
  std::vector<std::string> names;
  for (const TopicSpec& topic : topics) {
    names.push_back(topic.name);
    for (std::int32_t index = 0; index < topic.partitions; ++index) {
      target->missing_.insert({topic.name, PartitionId{index}});
    }
  }
  if (names.empty()) return target;
  Result<Membership::Token> token = target->membership_->join(names, *target);
  if (!token) return token.error();
  target->token_ = std::move(*token);
  const bool all = target->ports_.executor.wait_until([&target] { return !target->first_missing(); },
                                                      target->ports_.clock.monotonic() + timeout);
  if (all) return target;
  if (const std::optional<TopicPartition> missing = target->first_missing()) return target->not_mine(*missing);
  return target;
}

void CopyTarget::opened(const std::vector<TopicPartition>& partitions) {
  {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& partition : partitions) missing_.erase(partition);
  }
  ports_.executor.notify();
}

/// What is appended from now on is answered by `not_owner`, which ends the copy.
void CopyTarget::closing(const std::vector<TopicPartition>& partitions, Instant /*deadline*/) { lost(partitions); }

void CopyTarget::lost(const std::vector<TopicPartition>& partitions) {
  const std::lock_guard lock(mutex_);
  missing_.insert(partitions.begin(), partitions.end());
}

std::optional<TopicPartition> CopyTarget::first_missing() const {
  const std::lock_guard lock(mutex_);
  return missing_.empty() ? std::nullopt : std::optional{*missing_.begin()};
}

Error CopyTarget::not_mine(const TopicPartition& partition) const {
  const Result<std::optional<Membership::Owner>> owner = membership_->owner_of(partition);
  const bool is_known = owner && *owner && !(**owner).is_me;
  const std::string whose = !is_known                    ? "is not this copy's yet"
                            : (**owner).endpoint.empty() ? "belongs to another process"
                                                         : "belongs to the process at " + (**owner).endpoint;
  return Error{Errc::locked, to_string(partition) + " of the target " + whose +
                                 "; an application that runs there is not written into: stop it, and copy again"};
}

}  // namespace lungo
