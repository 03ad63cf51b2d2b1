#include "shared_partitions.hpp"

#include <algorithm>
#include <optional>

namespace tracker {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

namespace {

constexpr lungo::Duration kLookAgain = std::chrono::milliseconds{100};

Result<std::vector<lungo::TopicPartition>> partitions_of(lungo::EventLog& log, const std::vector<std::string>& topics) {
  std::vector<lungo::TopicPartition> partitions;
  for (const std::string& name : topics) {
    const Result<lungo::TopicInfo> topic = log.topic(name);
    if (!topic) return topic.error();
    for (std::int32_t index = 0; index < topic->spec.partitions; ++index)
      partitions.push_back({name, lungo::PartitionId{index}});
  }
  return partitions;
}

/// Forgets those that have an owner. What can't be asked now is asked again.
void forget_owned(lungo::Membership& membership, std::vector<lungo::TopicPartition>& partitions) {
  std::erase_if(partitions, [&membership](const lungo::TopicPartition& partition) {
    const Result<std::optional<lungo::Membership::Owner>> owner = membership.owner_of(partition);
    return owner && *owner;
  });
}

}  // namespace

Result<std::unique_ptr<SharedPartitions>> SharedPartitions::join(lungo::EventLog& log, const std::vector<std::string>& topics,
                                                                 lungo::Duration timeout) {
  std::unique_ptr<SharedPartitions> shared{new SharedPartitions{log.membership()}};
  Result<lungo::Membership::Token> token = shared->membership_->join(topics, *shared);
  if (!token) return token.error();
  shared->token_ = std::move(*token);
  Result<std::vector<lungo::TopicPartition>> left = partitions_of(log, topics);
  if (!left) return left.error();
  const lungo::Ports ports = log.ports();
  const lungo::Instant deadline = ports.clock.monotonic() + timeout;
  for (forget_owned(*shared->membership_, *left); !left->empty(); forget_owned(*shared->membership_, *left)) {
    const lungo::Instant now = ports.clock.monotonic();
    if (now >= deadline) return Error{Errc::timed_out, "nobody has partition " + to_string(left->front()) + " of the log yet"};
    ports.executor.wait_until([] { return false; }, std::min(deadline, now + kLookAgain));
  }
  return shared;
}

}  // namespace tracker
