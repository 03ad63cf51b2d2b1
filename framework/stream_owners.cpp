#include <lungo/framework/stream_owners.hpp>

namespace lungo::detail {

namespace {

std::size_t index_of(PartitionId partition) { return static_cast<std::size_t>(partition.value()); }

}  // namespace

Result<void> StreamOwners::join(EventLog& log, const TopicSpec& topic) {
  mine_ = std::vector<std::atomic<bool>>(static_cast<std::size_t>(topic.partitions));
  membership_ = log.membership();
  Result<Membership::Token> token = membership_->join({topic.name}, *this);
  if (!token) return token.error();
  token_ = std::move(*token);
  return {};
}

bool StreamOwners::is_mine(PartitionId partition) const {
  return index_of(partition) >= mine_.size() || mine_[index_of(partition)].load(std::memory_order_acquire);
}

void StreamOwners::opened(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& name : partitions) {
    if (index_of(name.partition) < mine_.size()) mine_[index_of(name.partition)].store(true, std::memory_order_release);
  }
}

/// Appends are taken until it returns: nothing has to be waited for, as each command waits for its own.
void StreamOwners::closing(const std::vector<TopicPartition>& partitions, Instant /*deadline*/) { lost(partitions); }

void StreamOwners::lost(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& name : partitions) {
    if (index_of(name.partition) < mine_.size()) mine_[index_of(name.partition)].store(false, std::memory_order_release);
    kept_->drop(name.partition);
  }
}

}  // namespace lungo::detail
