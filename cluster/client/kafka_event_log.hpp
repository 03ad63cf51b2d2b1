// The EventLog over a Kafka cluster; see <lungo/cluster/kafka.hpp>. Reads are the mirror's, of partitions that are followed
// from their first use on; what writes is kafka_writes.hpp's, which a log that is only read does not have.
//
//   threads: callers'; the tail's activity and those of KafkaWrites; librdkafka's own
//   end:     what writes; tail (its step ends within KafkaTail::kPollTime + kAskTime), then the mirror, which is synced, then
//            the handles; on a thread of its own, which is left behind with all of it where librdkafka does not return in time
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <lungo/cluster/kafka.hpp>

#include "client/kafka_known_topics.hpp"
#include "client/kafka_mirror.hpp"
#include "client/kafka_names.hpp"
#include "client/kafka_tail.hpp"
#include "client/kafka_writes.hpp"

namespace lungo {

class KafkaEventLog final : public EventLog {
 public:
  /// Errors: as connect_kafka().
  static Result<std::shared_ptr<EventLog>> connect(const std::string& hosts, const std::string& app, KafkaOptions options);
  ~KafkaEventLog() override;

  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  Result<TopicInfo> topic(std::string_view name) override;
  Result<std::vector<TopicInfo>> topics() override;
  Result<TopicInfo> alter_topic(std::string_view name, const TopicChange& change) override;
  Result<void> delete_topic(std::string_view name) override;
  Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions) override;
  Result<Offset> delete_records(const TopicPartition& partition, Offset below) override;
  void append(AppendRequest request, Completion completion) override;
  Result<Appended> append_wait(AppendRequest request, Duration timeout) override;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override;
  Result<FileRange> read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max) override;
  Result<Fetched> read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) override;
  Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                              std::size_t records_max) override;
  std::vector<Metric> metrics() override;
  Result<Ends> ends(const TopicPartition& partition) override;
  Result<std::optional<Offset>> offset_at(const TopicPartition& partition, Timestamp time) override;
  Result<void> validate(std::string_view topic, const Position& position) override;
  Result<Position> to_store(std::string_view topic, const Position& position) override;
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override;
  std::shared_ptr<Membership> membership() override;
  Ports ports() override { return ports_; }
  [[nodiscard]] std::optional<std::string> directory() const override { return options_.directory; }
  [[nodiscard]] bool read_only() const override { return options_.read_only; }

 private:
  struct Ending;
  static void end(KafkaEventLog* log) noexcept;

  KafkaEventLog(KafkaOptions options, std::unique_ptr<PosixPorts> owned_ports, Ports ports, KafkaNames names);

  Result<void> open(const std::string& hosts);
  Result<void> start_writes();
  Result<void> learn_topics();
  /// The topic is in the mirror, and all its partitions are followed. Errors: not_found; io, timed_out; no_space.
  Result<TopicInfo> prepare(std::string_view topic);
  void forget(const std::string& topic);
  /// The partition is in the mirror, as far as the cluster had it when it was first used. Errors: not_found; io, timed_out.
  Result<void> fill(const TopicPartition& partition);
  /// And as far as this process's own appends to it were answered. Errors: as fill().
  Result<void> use(const TopicPartition& partition);
  Result<void> follow(const TopicPartition& partition);
  [[nodiscard]] Error refusal(std::string_view what) const;

  const KafkaOptions options_;
  std::unique_ptr<PosixPorts> owned_ports_;
  const Ports ports_;
  const KafkaNames names_;
  RdkOptions rdk_;
  std::string cluster_id_;
  std::shared_ptr<BrokerCauses> causes_;
  std::unique_ptr<RdkAdmin> admin_;
  std::unique_ptr<KafkaKnownTopics> known_;
  std::unique_ptr<KafkaMirror> mirror_;
  std::unique_ptr<KafkaTail> tail_;
  std::unique_ptr<KafkaWrites> writes_;  // null of a log that is only read
  std::unique_ptr<RunningActivity> running_tail_;
  std::mutex mutex_;
  std::set<TopicPartition> followed_;
  std::set<TopicPartition> filled_;
  bool has_rows_ = false;  // the cluster has a topic of rows, which is followed
};

}  // namespace lungo
