// Membership over a Kafka group: who takes part through this process, and whose each partition is.
//
// An owner is found by the note that it left beside its counter, where the member that it names is in the group; what was found
// holds for a second. Threads: any, but not from a listener's call.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include <lungo/log/event_log.hpp>

#include "client/kafka_ownership.hpp"

namespace lungo {

class KafkaMembership final : public Membership {
 public:
  struct Parts {
    KafkaOwnership& ownership;
    RdkAdmin& admin;
    /// The topic is there, and its partitions are being read.
    std::function<Result<TopicInfo>(const std::string& topic)> prepare;
    std::function<Result<TopicInfo>(std::string_view topic)> topic;
  };
  /// What `parts` has outlives it.
  KafkaMembership(Parts parts, KafkaNames names, std::string endpoint, Ports ports)
      : parts_(std::move(parts)), names_(std::move(names)), endpoint_(std::move(endpoint)), ports_(ports) {}

  Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) override;
  Result<std::vector<TopicPartition>> mine() override { return parts_.ownership.mine(); }
  Result<std::optional<Owner>> owner_of(const TopicPartition& partition) override;

  /// What owner_of() would answer without asking anybody; nothing where that is too old.
  [[nodiscard]] std::optional<std::optional<Owner>> known_owner(const TopicPartition& partition);

 private:
  struct Known {
    std::optional<Owner> owner;
    Instant until;
  };
  Result<std::optional<Owner>> ask(const TopicPartition& partition);

  const Parts parts_;
  const KafkaNames names_;
  const std::string endpoint_;
  const Ports ports_;
  std::mutex mutex_;
  std::map<TopicPartition, Known> known_;
};

}  // namespace lungo
