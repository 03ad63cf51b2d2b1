#include "client/rdk_ends.hpp"

#include <map>
#include <optional>

namespace lungo::rdk {

namespace {

/// ListOffsets takes them for times.
constexpr std::int64_t time_of(End end) { return end == End::first ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END; }

RdkAttempt attempt_on(const std::string& topic) {
  return {.verb = "ask for the ends of", .resource = RdkResource::topic, .name = topic, .right = "Describe"};
}

Result<std::int32_t> leader_of(const Client& client, const rd_kafka_metadata_topic& topic, PartitionId partition) {
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition& there = topic.partitions[i];
    if (there.id != partition.value()) continue;
    if (there.leader >= 0) return there.leader;
    return client.error(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, {}, attempt_on(topic.topic));
  }
  return client.error(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, {}, attempt_on(topic.topic));
}

/// The leaders, in the order of `partitions`; each topic is asked for once.
std::vector<Result<std::int32_t>> leaders(const Client& client, std::span<const TopicPartition> partitions, Duration timeout) {
  std::map<std::string, Result<Metadata>> topics;
  std::vector<Result<std::int32_t>> out;
  for (const TopicPartition& partition : partitions) {
    auto found = topics.find(partition.topic);
    if (found == topics.end()) {
      found = topics.emplace(partition.topic, client.topic(partition.topic, attempt_on(partition.topic), timeout)).first;
    }
    const Result<Metadata>& topic = found->second;
    out.push_back(topic ? leader_of(client, (*topic)->topics[0], partition.partition) : Result<std::int32_t>{topic.error()});
  }
  return out;
}

/// Of partitions that one broker leads, in their order.
std::vector<Result<Offset>> ends_at_one(const Client& client, std::span<const TopicPartition> partitions, End end,
                                        Duration timeout) {
  const PartitionList list = list_of(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = time_of(end);
  const rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(client.get(), list.get(), timeout_ms(timeout));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) client.causes().answered();
  std::vector<Result<Offset>> out;
  for (const rd_kafka_topic_partition_t& element : elements_of(*list)) {
    const rd_kafka_resp_err_t its = code == RD_KAFKA_RESP_ERR_NO_ERROR ? element.err : code;
    if (its == RD_KAFKA_RESP_ERR_NO_ERROR) {
      out.emplace_back(Offset{element.offset});
    } else {
      out.emplace_back(client.error(its, {}, attempt_on(element.topic)));
    }
  }
  return out;
}

}  // namespace

std::vector<Result<Offset>> ends(const Client& client, std::span<const TopicPartition> partitions, End end, Duration timeout) {
  const std::vector<Result<std::int32_t>> leaders = rdk::leaders(client, partitions, timeout);
  std::map<std::int32_t, std::vector<std::size_t>> led;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    if (leaders[i]) led[*leaders[i]].push_back(i);
  }
  std::vector<std::optional<Result<Offset>>> found(partitions.size());
  for (const auto& [leader, indexes] : led) {
    std::vector<TopicPartition> its;
    for (const std::size_t i : indexes) its.push_back(partitions[i]);
    std::vector<Result<Offset>> rows = ends_at_one(client, its, end, timeout);
    for (std::size_t i = 0; i < rows.size(); ++i) found[indexes[i]] = std::move(rows[i]);
  }
  std::vector<Result<Offset>> out;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    out.push_back(found[i] ? *std::move(found[i]) : Result<Offset>{leaders[i].error()});
  }
  return out;
}

}  // namespace lungo::rdk
