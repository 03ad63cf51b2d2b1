#include "client/rdk_groups.hpp"

#include <mutex>

#include "client/rdk_ask.hpp"

namespace lungo {

namespace {

RdkAttempt attempt_on(std::string_view verb, const std::string& group) {
  return {.verb = verb, .resource = RdkResource::group, .name = group, .right = "Describe"};
}

RdkGroupMember member_of(const rd_kafka_MemberDescription_t& member) {
  RdkGroupMember out{.id = rd_kafka_MemberDescription_consumer_id(&member),
                     .client_id = std::string(rdk::text_or_empty(rd_kafka_MemberDescription_client_id(&member))),
                     .host = std::string(rdk::text_or_empty(rd_kafka_MemberDescription_host(&member)))};
  const rd_kafka_MemberAssignment_t* assignment = rd_kafka_MemberDescription_assignment(&member);
  if (assignment == nullptr) return out;
  if (const rd_kafka_topic_partition_list_t* partitions = rd_kafka_MemberAssignment_partitions(assignment)) {
    out.partitions = rdk::partitions_of(*partitions);
  }
  return out;
}

/// Not the group's coordinator. A handle remembers whom it took for it for a quarter of an hour, and asks nobody else.
bool says_is_none(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
}

/// An answer, and the handle that it came through.
struct Answer {
  std::shared_ptr<rdk::Client> client;
  rdk::Event event;  // goes before its handle
};

}  // namespace

struct RdkGroups::Parts : rdk::Callbacks {
  Parts(RdkOptions its_options, std::shared_ptr<BrokerCauses> its_causes)
      : options(std::move(its_options)), causes(std::move(its_causes)) {}

  const RdkOptions options;
  const std::shared_ptr<BrokerCauses> causes;
  std::mutex mutex;
  std::shared_ptr<rdk::Client> shared;  // of those who ask now

  Result<std::shared_ptr<rdk::Client>> client(const std::string& group) {
    const std::lock_guard lock(mutex);
    if (shared == nullptr) {
      Result<std::unique_ptr<rdk::Client>> made = rdk::Client::open(RdkRole::asker, options, group, causes, *this);
      if (!made) return made.error();
      shared = std::move(*made);
    }
    return shared;
  }

  /// It goes with the last who still waits for an answer to come through it.
  void give_up(const std::shared_ptr<rdk::Client>& client) {
    const std::lock_guard lock(mutex);
    if (shared == client) shared = nullptr;
  }

  /// What a group's own answer says.
  Error refused(const Answer& answer, const rd_kafka_error_t& error, const RdkAttempt& attempt) {
    if (says_is_none(rd_kafka_error_code(&error))) give_up(answer.client);
    return answer.client->error(error, attempt);
  }

  template <class Send>
  Result<Answer> ask(rd_kafka_admin_op_t operation, const RdkAttempt& attempt, Duration timeout, bool require_stable,
                     Send send) {
    Result<std::shared_ptr<rdk::Client>> used = client(std::string(attempt.name));
    if (!used) return used.error();
    const auto send_it = [&](auto* settings, auto* queue) { send((*used)->get(), settings, queue); };
    constexpr Duration kLongest = std::chrono::hours{1};
    rdk::Event event = rdk::answer_of(**used, operation, {.request = kLongest, .wait = timeout}, require_stable, send_it);
    if (event == nullptr || says_is_none(rd_kafka_event_error(event.get()))) give_up(*used);
    Result<rdk::Event> answer = rdk::checked(**used, std::move(event), attempt);
    if (!answer) return answer.error();
    return Answer{*std::move(used), *std::move(answer)};
  }
};

RdkGroups::RdkGroups(RdkOptions options, std::shared_ptr<BrokerCauses> causes)
    : parts_(std::make_unique<Parts>(std::move(options), std::move(causes))) {}
RdkGroups::~RdkGroups() = default;

Result<RdkGroupState> RdkGroups::state(const std::string& group, Duration timeout) {
  const RdkAttempt attempt = attempt_on("look at", group);
  const Result<Answer> answer = parts_->ask(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, attempt, timeout, false,
                                            [&](auto* handle, auto* options, auto* queue) {
                                              const char* groups[] = {group.c_str()};
                                              rd_kafka_DescribeConsumerGroups(handle, groups, 1, options, queue);
                                            });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** groups =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(answer->event.get()), &count);
  check(count == 1, "one group was asked for");
  if (const rd_kafka_error_t* error = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    return parts_->refused(*answer, *error, attempt);
  }
  RdkGroupState out{.state = rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(groups[0]))};
  for (std::size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(groups[0]); ++i) {
    out.members.push_back(member_of(*rd_kafka_ConsumerGroupDescription_member(groups[0], i)));
  }
  return out;
}

Result<std::vector<RdkGroupOffset>> RdkGroups::offsets(const std::string& group, const std::vector<TopicPartition>& partitions,
                                                       bool require_stable, Duration timeout) {
  const RdkAttempt attempt = attempt_on("read the offsets of", group);
  const rdk::PartitionList list = rdk::list_of(partitions);
  const rdk::ListGroupOffsets wanted(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list.get()));
  const Result<Answer> answer = parts_->ask(RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, attempt, timeout, require_stable,
                                            [&](auto* handle, auto* options, auto* queue) {
                                              rd_kafka_ListConsumerGroupOffsets_t* groups[] = {wanted.get()};
                                              rd_kafka_ListConsumerGroupOffsets(handle, groups, 1, options, queue);
                                            });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(answer->event.get()), &count);
  check(count == 1, "one group was asked for");
  if (const rd_kafka_error_t* error = rd_kafka_group_result_error(groups[0])) return parts_->refused(*answer, *error, attempt);
  const rd_kafka_topic_partition_list_t* found = rd_kafka_group_result_partitions(groups[0]);
  std::vector<RdkGroupOffset> out;
  for (const TopicPartition& partition : partitions) {
    const rd_kafka_topic_partition_t* element =
        found == nullptr ? nullptr
                         : rd_kafka_topic_partition_list_find(found, partition.topic.c_str(), partition.partition.value());
    RdkGroupOffset& offset = out.emplace_back(RdkGroupOffset{.partition = partition});
    if (element == nullptr) continue;
    if (element->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      offset.error = answer->client->error(element->err, {}, attempt);
    } else if (element->offset >= 0) {
      offset.offset = Offset{element->offset};
      if (element->metadata_size > 0) {
        offset.metadata.assign(static_cast<const char*>(element->metadata), element->metadata_size);
      }
    }
  }
  return out;
}

}  // namespace lungo
