#include "client/kafka_membership.hpp"

#include <algorithm>

#include "client/owner_note.hpp"

namespace lungo {

namespace {

constexpr Duration kAskTime = std::chrono::seconds{5};
constexpr Duration kHolds = std::chrono::seconds{1};

}  // namespace

Result<Membership::Token> KafkaMembership::join(const std::vector<std::string>& topics, MembershipListener& listener) {
  for (const std::string& topic : topics) {
    if (const Result<TopicInfo> prepared = parts_.prepare(topic); !prepared) return prepared.error();
  }
  return parts_.ownership.join(topics, listener);
}

std::optional<std::optional<Membership::Owner>> KafkaMembership::known_owner(const TopicPartition& partition) {
  if (parts_.ownership.standing(partition) == KafkaOwnership::Standing::open) {
    return std::optional{Owner{.endpoint = endpoint_, .is_me = true}};
  }
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(partition);
  if (found == known_.end() || ports_.clock.monotonic() >= found->second.until) return std::nullopt;
  return found->second.owner;
}

Result<std::optional<Membership::Owner>> KafkaMembership::owner_of(const TopicPartition& partition) {
  const Result<TopicInfo> topic = parts_.topic(partition.topic);
  if (!topic) return topic.error();
  if (partition.partition.value() < 0 || partition.partition.value() >= topic->spec.partitions) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  if (std::optional<std::optional<Owner>> known = known_owner(partition)) return *std::move(known);
  Result<std::optional<Owner>> owner = ask(partition);
  if (!owner) return owner;
  const std::lock_guard lock(mutex_);
  known_[partition] = {*owner, ports_.clock.monotonic() + kHolds};
  return owner;
}

Result<std::optional<Membership::Owner>> KafkaMembership::ask(const TopicPartition& partition) {
  const std::string group = names_.writers_group();
  const Result<std::vector<RdkGroupOffset>> offsets =
      parts_.admin.group_offsets(group, {{names_.on_kafka(partition.topic), partition.partition}}, false, kAskTime);
  if (!offsets) return offsets.error();
  if (!offsets->front().offset) return std::optional<Owner>{};
  const Result<OwnerNote> note = parse_owner_note(offsets->front().metadata);
  if (!note) return std::optional<Owner>{};  // somebody else's commit: nobody that can be named
  const Result<RdkGroupState> state = parts_.admin.group(group, kAskTime);
  if (!state) return state.error();
  if (std::ranges::find(state->members, note->member, &RdkGroupMember::id) == state->members.end()) {
    return std::optional<Owner>{};
  }
  return std::optional{Owner{.endpoint = note->endpoint, .is_me = false}};
}

}  // namespace lungo
