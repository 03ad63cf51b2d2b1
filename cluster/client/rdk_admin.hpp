// Topics, their settings and ends in a Kafka cluster, through a handle of its own. For topics, the tail and ownership.
//
// A call waits until the brokers have answered, at most for its `timeout`; librdkafka tries again meanwhile what may pass. All
// answer `io` when no broker of the settings answers, `timed_out` when the time is over otherwise, each with the cause, and
// `io` with the line for kafka-acls.sh where a right is missing. Threads: any, at the same time. The destructor blocks while
// librdkafka's threads end, and may hang where a broker can't be reached: on a thread that nobody waits for.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

struct RdkNewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int32_t replication = -1;  // -1: the broker's default
  RdkSettings settings;           // of the topic, by Kafka's names
};

struct RdkTopicSetting {
  std::string value;
  bool is_default = false;  // nobody has set it for this topic: the value is the broker's, or Kafka's own
};

struct RdkPartition {
  PartitionId id;
  std::optional<std::int32_t> leader;  // a broker's number; nothing while there is none
  std::size_t replicas = 0;
  std::size_t in_sync = 0;
};

struct RdkTopic {
  std::string name;
  std::vector<RdkPartition> partitions;  // ascending
};

struct RdkBroker {
  std::int32_t id = -1;
  std::string host;
  int port = 0;
};

struct RdkCluster {
  std::vector<RdkBroker> brokers;
  std::vector<RdkTopic> topics;  // by name; internal ones of Kafka among them
};

class RdkAdmin {
 public:
  /// Starts librdkafka's threads; asks nothing of a broker. Errors: invalid_argument, for the settings; io.
  static Result<std::unique_ptr<RdkAdmin>> open(const RdkOptions& options, std::shared_ptr<BrokerCauses> causes);
  ~RdkAdmin();
  RdkAdmin(const RdkAdmin&) = delete;
  RdkAdmin& operator=(const RdkAdmin&) = delete;

  /// Returns when the controller has made it; a broker may know it a little later. Errors: already_exists; invalid_argument, a
  /// setting that Kafka does not know among it.
  Result<void> create_topic(const RdkNewTopic& topic, Duration timeout);
  /// Errors: not_found; unsupported where the broker forbids it.
  Result<void> delete_topic(const std::string& name, Duration timeout);
  /// `partitions` is how many it has then. Errors: not_found; invalid_argument unless they become more.
  Result<void> add_partitions(const std::string& name, std::int32_t partitions, Duration timeout);
  /// What lies below `below` is gone; returns the start. Errors: not_found; offset_out_of_range above the high watermark.
  Result<Offset> delete_records(const TopicPartition& partition, Offset below, Duration timeout);

  /// Of a topic, by Kafka's names. Errors: not_found.
  Result<std::map<std::string, RdkTopicSetting>> topic_settings(const std::string& name, Duration timeout);
  Result<RdkCluster> cluster(Duration timeout);
  /// No topic is made by asking. Errors: not_found.
  Result<RdkTopic> topic(const std::string& name, Duration timeout);
  /// The same for as long as the cluster lives. Fails after 3 s where each broker that the settings name has refused.
  Result<std::string> cluster_id(Duration timeout);
  /// The first offset of the partition that is there. Errors: not_found; timed_out.
  Result<Offset> start(const TopicPartition& partition, Duration timeout);
  /// Behind the last record of each, whether committed or not, in the order of `partitions`. Blocks longer than `timeout` where
  /// several brokers do not answer. Errors of a row: not_found; timed_out, also where it has no leader.
  std::vector<Result<Offset>> high_watermarks(std::span<const TopicPartition> partitions, Duration timeout);

 private:
  struct Parts;
  explicit RdkAdmin(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
