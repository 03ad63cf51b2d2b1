#include "client/rdk_admin.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/check.hpp>

#include "client/rdk_ask.hpp"
#include "client/rdk_ends.hpp"

namespace lungo {

namespace {

using std::chrono_literals::operator""s;

/// So long a broker that starts may take.
constexpr Duration kVainTime = std::chrono::seconds{3};

RdkAttempt on_cluster(std::string_view verb, std::string_view right) { return {.verb = verb, .name = {}, .right = right}; }
RdkAttempt on_topic(std::string_view verb, const std::string& name, std::string_view right) {
  return {.verb = verb, .resource = RdkResource::topic, .name = name, .right = right};
}
RdkTopic topic_of(const rd_kafka_metadata_topic& topic) {
  RdkTopic out{.name = topic.topic};
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition& partition = topic.partitions[i];
    out.partitions.push_back({.id = PartitionId{partition.id},
                              .leader = partition.leader < 0 ? std::nullopt : std::optional{partition.leader},
                              .replicas = static_cast<std::size_t>(partition.replica_cnt),
                              .in_sync = static_cast<std::size_t>(partition.isr_cnt)});
  }
  std::ranges::sort(out.partitions, {}, &RdkPartition::id);
  return out;
}

}  // namespace

struct RdkAdmin::Parts : rdk::Callbacks {
  std::unique_ptr<rdk::Client> client;

  [[nodiscard]] rd_kafka_t* handle() const { return client->get(); }
  [[nodiscard]] Error failure(rd_kafka_resp_err_t code, std::string_view words, const RdkAttempt& attempt) const {
    return client->error(code, words, attempt);
  }

  /// Sends what `send(options, queue)` sends and waits for the answer.
  template <class Send>
  Result<rdk::Event> ask(rd_kafka_admin_op_t operation, const RdkAttempt& attempt, Duration timeout, Send send) {
    const rdk::AskTimes times{.request = timeout, .wait = timeout + 1s};  // librdkafka's own time-out comes first
    return rdk::checked(*client, rdk::answer_of(*client, operation, times, false, send), attempt);
  }

  /// The one topic's, of an answer about one topic.
  Result<void> result_of(const rd_kafka_topic_result_t** topics, std::size_t count, const RdkAttempt& attempt) const {
    check(count == 1, "one topic was asked for");
    const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[0]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return failure(code, rdk::text_or_empty(rd_kafka_topic_result_error_string(topics[0])), attempt);
  }
};

RdkAdmin::RdkAdmin(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RdkAdmin::~RdkAdmin() = default;

Result<std::unique_ptr<RdkAdmin>> RdkAdmin::open(const RdkOptions& options, std::shared_ptr<BrokerCauses> causes) {
  auto parts = std::make_unique<Parts>();
  Result<std::unique_ptr<rdk::Client>> client = rdk::Client::open(RdkRole::admin, options, {}, std::move(causes), *parts);
  if (!client) return client.error();
  parts->client = *std::move(client);
  return std::unique_ptr<RdkAdmin>(new RdkAdmin(std::move(parts)));
}

// ---- topics ----

Result<void> RdkAdmin::create_topic(const RdkNewTopic& topic, Duration timeout) {
  const RdkAttempt attempt = on_topic("create", topic.name, "Create");
  std::array<char, 512> words{};
  const rdk::NewTopic wanted(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication, words.data(), words.size()));
  if (wanted == nullptr) return parts_->failure(RD_KAFKA_RESP_ERR__INVALID_ARG, words.data(), attempt);
  for (const RdkSetting& setting : topic.settings) {
    const rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(wanted.get(), setting.name.c_str(), setting.value.c_str());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return parts_->failure(code, {}, attempt);
  }
  const Result<rdk::Event> answer =
      parts_->ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, attempt, timeout, [&](auto* options, auto* queue) {
        rd_kafka_NewTopic_t* topics[] = {wanted.get()};
        rd_kafka_CreateTopics(parts_->handle(), topics, 1, options, queue);
      });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer->get()), &count);
  return parts_->result_of(results, count, attempt);
}

Result<void> RdkAdmin::delete_topic(const std::string& name, Duration timeout) {
  const RdkAttempt attempt = on_topic("delete", name, "Delete");
  const rdk::DeleteTopic wanted(rd_kafka_DeleteTopic_new(name.c_str()));
  const Result<rdk::Event> answer =
      parts_->ask(RD_KAFKA_ADMIN_OP_DELETETOPICS, attempt, timeout, [&](auto* options, auto* queue) {
        rd_kafka_DeleteTopic_t* topics[] = {wanted.get()};
        rd_kafka_DeleteTopics(parts_->handle(), topics, 1, options, queue);
      });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer->get()), &count);
  return parts_->result_of(results, count, attempt);
}

Result<void> RdkAdmin::add_partitions(const std::string& name, std::int32_t partitions, Duration timeout) {
  const RdkAttempt attempt = on_topic("add partitions to", name, "Alter");
  std::array<char, 512> words{};
  const std::size_t total = partitions < 0 ? 0 : static_cast<std::size_t>(partitions);
  const rdk::NewPartitions wanted(rd_kafka_NewPartitions_new(name.c_str(), total, words.data(), words.size()));
  if (wanted == nullptr) return parts_->failure(RD_KAFKA_RESP_ERR__INVALID_ARG, words.data(), attempt);
  const Result<rdk::Event> answer =
      parts_->ask(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, attempt, timeout, [&](auto* options, auto* queue) {
        rd_kafka_NewPartitions_t* topics[] = {wanted.get()};
        rd_kafka_CreatePartitions(parts_->handle(), topics, 1, options, queue);
      });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(answer->get()), &count);
  return parts_->result_of(results, count, attempt);
}

Result<Offset> RdkAdmin::delete_records(const TopicPartition& partition, Offset below, Duration timeout) {
  // Of a partition that is not there librdkafka says so at times, and at times that it found no leader.
  const Result<RdkTopic> there = topic(partition.topic, timeout);
  if (!there) return there.error();
  if (std::ranges::find(there->partitions, partition.partition, &RdkPartition::id) == there->partitions.end()) {
    return Error{Errc::not_found, "no partition " + to_string(partition)};
  }
  const RdkAttempt attempt = on_topic("delete records of", partition.topic, "Delete");
  const rdk::PartitionList list = rdk::list_of(std::span(&partition, 1));
  list->elems[0].offset = below.value();
  const rdk::DeleteRecords wanted(rd_kafka_DeleteRecords_new(list.get()));
  const Result<rdk::Event> answer =
      parts_->ask(RD_KAFKA_ADMIN_OP_DELETERECORDS, attempt, timeout, [&](auto* options, auto* queue) {
        rd_kafka_DeleteRecords_t* records[] = {wanted.get()};
        rd_kafka_DeleteRecords(parts_->handle(), records, 1, options, queue);
      });
  if (!answer) return answer.error();
  const rd_kafka_topic_partition_list_t* results =
      rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer->get()));
  check(results != nullptr && results->cnt == 1, "one partition was asked for");
  const rd_kafka_topic_partition_t& result = results->elems[0];
  if (result.err != RD_KAFKA_RESP_ERR_NO_ERROR) return parts_->failure(result.err, {}, attempt);
  return Offset{result.offset};
}

Result<std::map<std::string, RdkTopicSetting>> RdkAdmin::topic_settings(const std::string& name, Duration timeout) {
  const RdkAttempt attempt = on_topic("read the settings of", name, "DescribeConfigs");
  const rdk::ConfigResource wanted(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  const Result<rdk::Event> answer =
      parts_->ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, attempt, timeout, [&](auto* options, auto* queue) {
        rd_kafka_ConfigResource_t* resources[] = {wanted.get()};
        rd_kafka_DescribeConfigs(parts_->handle(), resources, 1, options, queue);
      });
  if (!answer) return answer.error();
  std::size_t count = 0;
  const auto** resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer->get()), &count);
  check(count == 1, "one topic was asked for");
  const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[0]);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return parts_->failure(code, rdk::text_or_empty(rd_kafka_ConfigResource_error_string(resources[0])), attempt);
  }
  std::map<std::string, RdkTopicSetting> out;
  const auto** entries = rd_kafka_ConfigResource_configs(resources[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    out[rd_kafka_ConfigEntry_name(entries[i])] = {
        .value = std::string(rdk::text_or_empty(rd_kafka_ConfigEntry_value(entries[i]))),
        .is_default = rd_kafka_ConfigEntry_source(entries[i]) != RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
  }
  return out;
}

// ---- the cluster ----

Result<RdkCluster> RdkAdmin::cluster(Duration timeout) {
  const Result<rdk::Metadata> metadata = parts_->client->cluster(on_cluster("list the topics", "Describe"), timeout);
  if (!metadata) return metadata.error();
  RdkCluster out;
  for (int i = 0; i < (*metadata)->broker_cnt; ++i) {
    const rd_kafka_metadata_broker& broker = (*metadata)->brokers[i];
    out.brokers.push_back({.id = broker.id, .host = broker.host, .port = broker.port});
  }
  for (int i = 0; i < (*metadata)->topic_cnt; ++i) out.topics.push_back(topic_of((*metadata)->topics[i]));
  std::ranges::sort(out.topics, {}, &RdkTopic::name);
  return out;
}

Result<RdkTopic> RdkAdmin::topic(const std::string& name, Duration timeout) {
  const Result<rdk::Metadata> metadata = parts_->client->topic(name, on_topic("look up", name, "Describe"), timeout);
  if (!metadata) return metadata.error();
  return topic_of((*metadata)->topics[0]);
}

Result<std::string> RdkAdmin::cluster_id(Duration timeout) {
  constexpr Duration kTurn = std::chrono::milliseconds{500};
  for (Duration left = timeout;; left -= kTurn) {
    const rdk::Text id(rd_kafka_clusterid(parts_->handle(), rdk::timeout_ms(std::min(left, kTurn))));
    if (id != nullptr) return std::string(id.get());
    const std::optional<BrokerCauses::Cause> cause = parts_->client->causes().cause();
    const bool is_vain = cause && cause->nobody_answers && timeout - left >= kVainTime;
    if (is_vain || left <= kTurn) break;
  }
  return parts_->failure(RD_KAFKA_RESP_ERR__TIMED_OUT, {}, on_cluster("ask for the name of the cluster", "Describe"));
}

Result<Offset> RdkAdmin::start(const TopicPartition& partition, Duration timeout) {
  return rdk::ends(*parts_->client, {&partition, 1}, rdk::End::first, timeout).front();
}

std::vector<Result<Offset>> RdkAdmin::high_watermarks(std::span<const TopicPartition> partitions, Duration timeout) {
  return rdk::ends(*parts_->client, partitions, rdk::End::last, timeout);
}

}  // namespace lungo
