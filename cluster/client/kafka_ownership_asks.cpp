// KafkaOwnership: what is asked of the brokers, on lungo-kafka-asks, and how a dead owner is fenced.

#include <lungo/log/log_text.hpp>

#include "client/kafka_ownership.hpp"

namespace lungo {

namespace {

constexpr Duration kAskTime = std::chrono::seconds{5};
constexpr Duration kEndTime = std::chrono::seconds{3};  // of each broker: a dead one keeps the others' answers waiting
constexpr Duration kInitTime = std::chrono::seconds{1};

}  // namespace

void KafkaOwnership::carry_out(const ownership::AskHighWatermarks& ask) {
  asks_->post([this, ask] { tell(high_watermarks(ask)); });
}

void KafkaOwnership::carry_out(const ownership::AskOwners& ask) {
  asks_->post([this, ask] { tell(owners(ask)); });
}

void KafkaOwnership::carry_out(const ownership::Fence& fence) {
  asks_->post([this, id = fence.transactional_id] {
    Result<void> outcome = this->fence(id);
    if (!outcome) log_text("kafka", Severity::info, "the writer " + id + " is not fenced yet: " + to_string(outcome.error()));
    tell(ownership::Fenced{.transactional_id = id, .outcome = std::move(outcome)});
  });
}

ownership::HighWatermarks KafkaOwnership::high_watermarks(const ownership::AskHighWatermarks& ask) {
  std::vector<TopicPartition> partitions;
  for (const TopicPartition& partition : ask.partitions) partitions.push_back(on_kafka(partition));
  std::vector<Result<Offset>> ends = parts_.admin.high_watermarks(partitions, kEndTime);
  ownership::HighWatermarks answer{.tenure = ask.tenure, .rows = {}};
  for (std::size_t i = 0; i < ends.size(); ++i) answer.rows.emplace_back(ask.partitions[i], std::move(ends[i]));
  return answer;
}

ownership::Owners KafkaOwnership::owners(const ownership::AskOwners& ask) {
  ownership::Owners answer{.tenure = ask.tenure, .outcome = {}, .rows = {}, .members = {}};
  std::vector<TopicPartition> partitions;
  for (const TopicPartition& partition : ask.partitions) partitions.push_back(on_kafka(partition));
  const Result<std::vector<RdkGroupOffset>> offsets =
      parts_.groups.offsets(names_.writers_group(), partitions, ask.require_stable, kAskTime);
  if (!offsets) {
    answer.outcome = offsets.error();
    return answer;
  }
  for (std::size_t i = 0; i < offsets->size(); ++i) {
    const RdkGroupOffset& offset = (*offsets)[i];
    ownership::Owners::Row row{.partition = ask.partitions[i], .note = {}, .is_pending = offset.error.has_value()};
    if (offset.offset) row.note = offset.metadata;
    answer.rows.push_back(std::move(row));
  }
  if (is_closing()) {
    answer.outcome = Error{Errc::closed, "the log is closed"};
    return answer;
  }
  const Result<RdkGroupState> group = parts_.groups.state(names_.writers_group(), kAskTime);
  if (!group) {
    answer.outcome = group.error();
    return answer;
  }
  for (const RdkGroupMember& member : group->members) answer.members.push_back(member.id);
  return answer;
}

/// What it has open is aborted: half a second when something is. It does not write again.
Result<void> KafkaOwnership::fence(const std::string& transactional_id) {
  const Result<std::unique_ptr<RdkProducer>> made = parts_.make_producer(transactional_id);
  if (!made) return made.error();
  const Instant deadline = ports_.clock.monotonic() + transaction_timeout_;
  for (;;) {
    const RdkOutcome outcome = (*made)->init(kInitTime);
    if (outcome.ok()) return {};
    const bool is_late = ports_.clock.monotonic() >= deadline || is_closing();
    if (outcome.next != RdkNext::call_again || is_late) return outcome.error;
  }
}

}  // namespace lungo
