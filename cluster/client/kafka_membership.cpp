#include "client/kafka_membership.hpp"

#include <algorithm>

#include "client/look_again.hpp"

namespace lungo {

namespace {

constexpr Duration kAskTime = std::chrono::seconds{5};
constexpr Duration kHolds = std::chrono::seconds{1};
constexpr Duration kStaleTime = std::chrono::milliseconds{500};

}  // namespace

Result<Membership::Token> KafkaMembership::join(const std::vector<std::string>& topics, MembershipListener& listener) {
  for (const std::string& topic : topics) {
    if (const Result<TopicInfo> prepared = parts_.prepare(topic); !prepared) return prepared.error();
  }
  return parts_.ownership.join(topics, listener);
}

std::optional<std::optional<Membership::Owner>> KafkaMembership::known_owner(const TopicPartition& partition) {
  if (parts_.ownership.standing(partition) == KafkaOwnership::Standing::open) {
    return std::optional{Owner{.endpoint = own_.endpoint, .is_me = true}};
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

Result<std::optional<OwnerNote>> KafkaMembership::note_of(const TopicPartition& partition) {
  const Result<std::vector<RdkGroupOffset>> offsets =
      parts_.groups.offsets(names_.writers_group(), {{names_.on_kafka(partition.topic), partition.partition}}, false, kAskTime);
  if (!offsets) return offsets.error();
  if (!offsets->front().offset) return std::optional<OwnerNote>{};
  Result<OwnerNote> note = parse_owner_note(offsets->front().metadata);
  if (!note) return std::optional<OwnerNote>{};  // somebody else's commit: nobody that can be named
  return std::optional{*std::move(note)};
}

Result<std::optional<Membership::Owner>> KafkaMembership::ask(const TopicPartition& partition) {
  const auto is_anothers = [&](const Result<std::optional<OwnerNote>>& found) {
    return !found || !*found || (*found)->transactional_id != own_.transactional_id;
  };
  const Result<std::optional<OwnerNote>> note = look_again(
      ports_, ports_.clock.monotonic() + kStaleTime, [&] { return note_of(partition); }, is_anothers);
  if (!note) return note.error();
  if (!*note || !is_anothers(note)) return std::optional<Owner>{};
  const Result<RdkGroupState> state = parts_.groups.state(names_.writers_group(), kAskTime);
  if (!state) return state.error();
  const bool is_member = std::ranges::find(state->members, (*note)->member, &RdkGroupMember::id) != state->members.end();
  if (!is_member) return std::optional<Owner>{};
  return std::optional{Owner{.endpoint = (*note)->endpoint, .is_me = false}};
}

}  // namespace lungo
