#include "whole_membership.hpp"

#include <algorithm>

namespace lungo {

namespace {

void add_partitions_of(const TopicSpec& topic, std::vector<TopicPartition>& partitions) {
  for (std::int32_t index = 0; index < topic.partitions; ++index) partitions.push_back({topic.name, PartitionId{index}});
}

}  // namespace

Result<Membership::Token> WholeMembership::join(const std::vector<std::string>& topics, MembershipListener& listener) {
  std::vector<TopicPartition> partitions;
  for (auto name = topics.begin(); name != topics.end(); ++name) {
    if (std::find(topics.begin(), name, *name) != name) continue;  // named before
    const Result<TopicInfo> topic = log_.topic(*name);
    if (!topic) return topic.error();
    add_partitions_of(topic->spec, partitions);
  }
  if (!partitions.empty()) listener.opened(partitions);
  return Token{std::make_shared<int>()};  // nothing comes after this: there is nothing to end
}

Result<std::vector<TopicPartition>> WholeMembership::mine() {
  const Result<std::vector<TopicInfo>> topics = log_.topics();
  if (!topics) return topics.error();
  std::vector<TopicPartition> partitions;
  for (const TopicInfo& topic : *topics) add_partitions_of(topic.spec, partitions);
  std::ranges::sort(partitions);
  return partitions;
}

Result<std::optional<Membership::Owner>> WholeMembership::owner_of(const TopicPartition& partition) {
  const Result<TopicInfo> topic = log_.topic(partition.topic);  // not ends(), which would open the partition
  if (!topic) return topic.error();
  if (partition.partition.value() < 0 || partition.partition.value() >= topic->spec.partitions) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  return std::optional{Owner{.endpoint = {}, .is_me = true}};
}

}  // namespace lungo
