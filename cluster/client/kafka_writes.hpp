// What a Kafka home does besides reading: appends, topics that come and go, and whose the partitions are.
//
//   append -> gate -> writer -> Kafka: answered -> tail -> mirror -> read() -> writer
//                       ^------- Grant, LetGo, TakeAway ------ ownership <-- read()
//
// A partition is prepared when it is first written to: its topic is mirrored, a plain partition filled (an append may have been
// written before), and of a stream topic this process takes part in sharing the partitions.
// Threads: any. read() is the tail's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <lungo/cluster/kafka.hpp>
#include <lungo/log/membership.hpp>

#include "client/append_gate.hpp"
#include "client/kafka_known_topics.hpp"
#include "client/kafka_lookup.hpp"
#include "client/kafka_membership.hpp"
#include "client/kafka_mirror.hpp"
#include "client/kafka_ownership.hpp"
#include "client/kafka_tail.hpp"
#include "client/kafka_topics.hpp"
#include "client/kafka_writer.hpp"
#include "client/read_back.hpp"

namespace lungo {

class KafkaWrites {
 public:
  /// All of it outlives this.
  struct Parts {
    const KafkaOptions& options;
    const RdkOptions& rdk;
    const KafkaNames& names;
    std::shared_ptr<BrokerCauses> causes;
    RdkAdmin& admin;
    KafkaMirror& mirror;
    KafkaKnownTopics& known;
    KafkaTail& tail;
    Ports ports;
    /// The topic with its partitions followed. Errors: not_found; io, timed_out; no_space.
    std::function<Result<TopicInfo>(std::string_view topic)> prepare;
    /// The mirror has what the partition had.
    std::function<Result<void>(const TopicPartition& partition)> fill;
    std::function<Result<TopicInfo>(std::string_view topic)> topic;
    /// Nothing is known of it any more.
    std::function<void(const std::string& topic)> forget;
  };

  /// Errors: io, when the system has no thread left.
  static Result<std::unique_ptr<KafkaWrites>> start(Parts parts);
  /// Behind the tail's last call of read().
  ~KafkaWrites();

  /// What is open ends, all that wait are answered, and nothing is owned any more: after 7 s at most, where a call of
  /// librdkafka's does not hold it up. The tail has to go on until it returns.
  void close();

  void append(AppendRequest request, Completion completion, Instant deadline);
  /// The mirror has what was answered before. Errors: timed_out.
  Result<void> wait_until_read(const TopicPartition& partition, Duration timeout) {
    return read_back_.wait(partition, timeout);
  }
  /// Something was answered that lies above `end`, and is not known to be in the mirror.
  [[nodiscard]] bool is_committed_above(const TopicPartition& partition, Offset end) const {
    return read_back_.is_committed_above(partition, end);
  }
  std::shared_ptr<Membership> membership() { return membership_; }
  [[nodiscard]] std::vector<Metric> metrics() const;
  /// The mirror's copy of the partition was not Kafka's, and is made anew. On the tail's thread.
  void emptied(const TopicPartition& partition);
  /// What the mirror has more.
  void read(const KafkaMirror::Taken& taken);

  // kafka_topic_changes.cpp: as EventLog's.

  /// Makes the topic of rows where the cluster has none.
  Result<void> ensure_rows();
  Result<TopicInfo> create_topic(TopicSpec spec);
  Result<void> delete_topic(std::string_view name);
  Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions);
  Result<Offset> delete_records(const TopicPartition& partition, Offset below);

 private:
  /// How far a partition is on its way to being written to, or owned.
  struct Readiness {
    enum class State { preparing, ready, failed } state = State::preparing;
    Error error;    // of failed,
    Instant until;  // which is tried again from then on
  };
  class Nobody final : public MembershipListener {
    void opened(const std::vector<TopicPartition>& /*partitions*/) override {}
    void closing(const std::vector<TopicPartition>& /*partitions*/, Instant /*deadline*/) override {}
    void lost(const std::vector<TopicPartition>& /*partitions*/) override {}
  };

  explicit KafkaWrites(Parts parts);
  Result<void> start();

  using ReadinessOf = std::map<TopicPartition, Readiness>;
  using MakeReady = Result<void> (KafkaWrites::*)(const TopicPartition& partition);
  Result<AppendGate::Way> way(const AppendRequest& request);
  AppendGate::Way way(const TopicPartition& owned) const;
  /// What keeps it from being written to.
  [[nodiscard]] std::optional<Error> trouble(const TopicPartition& partition) const;
  Result<bool> is_ready(ReadinessOf& known, const TopicPartition& partition, MakeReady make);
  void make_ready(ReadinessOf& known, const TopicPartition& partition, MakeReady make);
  Result<void> make_writable(const TopicPartition& partition);
  Result<void> make_ownable(const TopicPartition& partition);
  Result<TopicInfo> topic_of(const TopicPartition& partition);
  Result<void> take_part(const TopicInfo& topic);
  [[nodiscard]] bool is_shared(const std::string& topic) const;
  void share(const std::string& topic);
  void forget_failures(const std::string& topic);
  void forget_readiness(const std::string& topic, const std::function<bool(const Readiness&)>& is_void);
  void look_at_rows();
  void let_go_of_gone();
  void let_go_of(const std::string& topic);
  void renew(const std::string& topic);
  void refuse(const AppendRequest& request, const Completion& completion, Instant deadline);
  [[nodiscard]] Result<void> check_fits(const AppendRequest& request, const TopicSpec& topic) const;

  [[nodiscard]] int replicas(const RdkCluster& cluster) const;
  Result<void> write_row(const std::string& name, const std::optional<TopicInfo>& topic);
  Result<KafkaSettings> settings_of(const RdkTopic& there);
  Result<void> check_there(const RdkTopic& there, const TopicSpec& spec);
  Result<void> follow_change(const RdkTopic& there, const TopicInfo& row, const TopicSpec& wanted);
  Result<void> check_nobodys(const RdkTopic& there);
  Result<RdkTopic> make_on_kafka(const TopicSpec& spec, bool& is_new);
  Result<RdkTopic> wait_for_metadata(const std::string& on_kafka, std::int32_t partitions);

  const Parts parts_;
  const Duration append_timeout_;
  KafkaLookup lookup_;
  ReadBack read_back_;
  std::unique_ptr<KafkaWriter> writer_;
  RdkGroups groups_;
  std::unique_ptr<KafkaOwnership> ownership_;
  std::shared_ptr<KafkaMembership> membership_;
  std::unique_ptr<AppendGate> gate_;
  std::unique_ptr<TaskActivity> tasks_;
  Nobody nobody_;

  std::mutex topics_mutex_;  // held while topics are changed
  mutable std::mutex mutex_;
  ReadinessOf writable_;                                 // what is appended to
  ReadinessOf ownable_;                                  // what is appended on behalf of
  std::map<std::string, std::shared_ptr<void>> shared_;  // a token for each topic
  bool is_closed_ = false;
};

}  // namespace lungo
