#include "owned_partitions.hpp"

#include <algorithm>
#include <utility>

#include <lungo/log/check.hpp>

namespace lungo {

bool may_pass(const Error& error) { return is_retriable(error.code()) || error == Errc::not_owner; }

Result<void> OwnedPartitions::join(EventLog& log, const std::vector<std::string>& topics, std::function<void()> changed) {
  changed_ = std::move(changed);
  std::shared_ptr<Membership> membership = log.membership();
  Result<Membership::Token> token = membership->join(topics, *this);
  if (!token) return token.error();
  const std::lock_guard lock(mutex_);
  check(token_ == nullptr, "partitions are left before they are joined again");
  membership_ = std::move(membership);
  token_ = std::move(*token);
  return {};
}

void OwnedPartitions::leave() {
  Membership::Token token;
  {
    const std::lock_guard lock(mutex_);
    token.swap(token_);
  }
  token.reset();  // waits for the call under way
  const std::lock_guard lock(mutex_);
  membership_.reset();
  partitions_.clear();
}

// ---- the worker ----

bool OwnedPartitions::enter(const Unit& unit) {
  const std::lock_guard lock(mutex_);
  const auto is_free = [this](const TopicPartition& name) {
    const auto found = partitions_.find(name);
    return found != partitions_.end() && found->second.owner == Partition::Owner::me && !found->second.in_use;
  };
  if (!std::ranges::all_of(unit, is_free)) return false;
  for (const TopicPartition& name : unit) partitions_[name].in_use = true;
  return true;
}

Tenure OwnedPartitions::tenure(const Unit& unit) const {
  const std::lock_guard lock(mutex_);
  Tenure found = Tenure::runs;
  for (const TopicPartition& name : unit) {
    const Partition& partition = partitions_.at(name);
    if (partition.is_late || partition.owner == Partition::Owner::another) return Tenure::is_over;
    if (partition.owner == Partition::Owner::me_until_exit) found = Tenure::ends;
  }
  return found;
}

void OwnedPartitions::exit(const Unit& unit) {
  {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& name : unit) partitions_[name].in_use = partitions_[name].is_late = false;
  }
  ports_.executor.notify();
}

bool OwnedPartitions::is_anothers(const Unit& unit) const {
  std::shared_ptr<Membership> membership;
  {
    const std::lock_guard lock(mutex_);
    membership = membership_;
  }
  if (membership == nullptr) return false;
  return std::ranges::any_of(unit, [&](const TopicPartition& name) {
    const Result<std::optional<Membership::Owner>> owner = membership->owner_of(name);
    return owner && *owner && !(*owner)->is_me;
  });
}

// ---- the membership ----

void OwnedPartitions::opened(const std::vector<TopicPartition>& partitions) {
  {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& name : partitions) {
      Partition& partition = partitions_[name];
      partition.owner = Partition::Owner::me;
      partition.is_late = partition.in_use;
    }
  }
  tell_worker();
}

void OwnedPartitions::closing(const std::vector<TopicPartition>& partitions, Instant deadline) {
  end(partitions, Partition::Owner::me_until_exit, deadline);
}

void OwnedPartitions::lost(const std::vector<TopicPartition>& partitions) {
  // A worker in a step finds out by itself: what it sends is refused. What it is bounded by is the application, say a handler.
  constexpr std::chrono::seconds kStepMax{5};
  end(partitions, Partition::Owner::another, ports_.clock.monotonic() + kStepMax);
}

/// The partitions are another's when this returns, `meanwhile` until then.
void OwnedPartitions::end(const std::vector<TopicPartition>& partitions, Partition::Owner meanwhile, Instant deadline) {
  {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& name : partitions) partitions_[name].owner = meanwhile;
  }
  tell_worker();
  const auto is_unused = [&] {
    const std::lock_guard lock(mutex_);
    return std::ranges::none_of(partitions, [this](const TopicPartition& name) { return partitions_[name].in_use; });
  };
  static_cast<void>(ports_.executor.wait_until(is_unused, deadline));
  {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& name : partitions) {
      Partition& partition = partitions_[name];
      partition.owner = Partition::Owner::another;
      partition.is_late = partition.in_use;
    }
  }
  tell_worker();
}

void OwnedPartitions::tell_worker() {
  changes_.fetch_add(1, std::memory_order_acq_rel);
  changed_();
}

}  // namespace lungo
