// Membership over a Kafka group: who takes part through this process, and whose each partition is.
//
// An owner is found by the note that it left beside its counter, where the member that it names is in the group; what was found
// holds for a second. A note is seen some milliseconds after its transaction: one that names this process for a partition that
// it has no more is asked for again, for a while. Threads: any, but not from a listener's call.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include <lungo/log/event_log.hpp>

#include "client/kafka_ownership.hpp"
#include "client/owner_note.hpp"
#include "client/rdk_groups.hpp"

namespace lungo {

class KafkaMembership final : public Membership {
 public:
  struct Parts {
    KafkaOwnership& ownership;
    RdkGroups& groups;
    /// The topic is there, and its partitions are being read.
    std::function<Result<TopicInfo>(const std::string& topic)> prepare;
    std::function<Result<TopicInfo>(std::string_view topic)> topic;
  };
  /// What `parts` has outlives it.
  KafkaMembership(Parts parts, KafkaNames names, OwnerNote own, Ports ports)
      : parts_(std::move(parts)), names_(std::move(names)), own_(std::move(own)), ports_(ports) {}

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
  Result<std::optional<OwnerNote>> note_of(const TopicPartition& partition);
  Result<std::optional<Owner>> ask(const TopicPartition& partition);

  const Parts parts_;
  const KafkaNames names_;
  const OwnerNote own_;  // but for the member, which changes
  const Ports ports_;
  std::mutex mutex_;
  std::map<TopicPartition, Known> known_;
};

}  // namespace lungo
