// Which partitions are this process's own: the shell around OwnershipCore, with the group's consumer.
//
//   join(), tell() --inbox--> OwnershipCore --effects--> the group, the writer, questions, listeners
//   group's callback: waits until the core says Unassign, and takes what comes in meanwhile
//
//   activity            runs
//   lungo-kafka-group   the core, the group's consumer and its callback
//   lungo-kafka-asks    what is asked of the brokers, and fences
//   lungo-kafka-tells   listeners' calls
//
// Promise: OwnershipCore's, and what membership.hpp says of a listener. A group that can't be joined is tried again for ever,
// and says why once a minute. Where a step breaks, as memory is short or an invariant does not hold, this process leaves the
// group: it owns nothing any more, its listeners are told that all is lost, and others take over. Threads: public members from
// any, but not from a listener's call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/executor.hpp>
#include <lungo/log/membership.hpp>
#include <lungo/log/ports.hpp>

#include "client/guarded_step.hpp"
#include "client/kafka_names.hpp"
#include "client/ownership_core.hpp"
#include "client/rdk_admin.hpp"
#include "client/rdk_group.hpp"
#include "client/rdk_groups.hpp"
#include "client/rdk_producer.hpp"
#include "client/task_activity.hpp"

namespace lungo {

class KafkaOwnership final : private Activity, private RdkGroupListener {
 public:
  using Standing = ownership::OwnershipCore::Standing;
  using Rows = std::vector<std::pair<TopicPartition, Result<Offset>>>;
  struct Parts {
    std::function<Result<std::unique_ptr<RdkGroup>>(RdkGroupListener& listener)> make_group;
    std::function<Result<std::unique_ptr<RdkProducer>>(const std::string& transactional_id)> make_producer;
    RdkAdmin& admin;
    RdkGroups& groups;
    /// To the writer: Grant, LetGo, TakeAway.
    std::function<void(const ownership::Effect& effect)> to_writer;
    /// What standing() tells may have changed, or time has passed.
    std::function<void()> changed;
  };

  /// What `parts` has outlives it. Errors: io, when the system has no thread left.
  static Result<std::unique_ptr<KafkaOwnership>> start(ownership::OwnershipCore::Options options, KafkaNames names, Parts parts,
                                                       const Ports& ports);
  ~KafkaOwnership() override;

  /// Its end, and what it has been told at once when this returns: as Membership::join(), for topics that are there.
  std::shared_ptr<void> join(const std::vector<std::string>& topics, MembershipListener& listener);
  /// Returns how many inputs that makes.
  std::uint64_t tell(ownership::Input input);

  [[nodiscard]] Standing standing(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> mine() const;
  /// What has kept this process from its share of the partitions since the last one.
  [[nodiscard]] std::optional<Error> trouble() const;

  /// Ends the tenure, and takes part anew: what was known of partitions is void. Returns when none is open any more, at
  /// `deadline` at the latest.
  void begin_anew(Instant deadline);
  /// Leaves the group. Returns when nothing is owned any more, at `deadline` at the latest.
  void close(Instant deadline);

 private:
  struct Joiner {
    Joiner(MembershipListener& who) : listener(who) {}
    std::mutex calls;  // held during a call, and when it ends
    MembershipListener& listener;
    bool is_gone = false;
  };
  struct Token;

  KafkaOwnership(ownership::OwnershipCore::Options options, KafkaNames names, Parts parts, const Ports& ports);

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-kafka-group"; }
  [[nodiscard]] bool may_step_again() const override { return true; }

  void assigned(const std::vector<TopicPartition>& partitions, const RdkGroupMetadata& metadata) override;
  void revoked(const std::vector<TopicPartition>& partitions) override;
  void lost(const std::vector<TopicPartition>& partitions) override;

  Instant work(Instant now);
  void fail();
  bool take_inbox();
  void step_core(ownership::Input input);
  void wait_for_unassign();
  void open_group();
  void complain(const Error& error);
  void leave(ownership::ListenerId id);

  void carry_out(const ownership::Subscribe& subscribe);
  void carry_out(const ownership::Unassign& unassign);
  void carry_out(const ownership::AskHighWatermarks& ask);
  void carry_out(const ownership::AskOwners& ask);
  void carry_out(const ownership::Fence& fence);
  void carry_out(const ownership::Grant& grant);
  void carry_out(const ownership::LetGo& let_go);
  void carry_out(const ownership::TakeAway& take_away);
  void carry_out(const ownership::TellOpened& opened);
  void carry_out(const ownership::TellClosing& closing);
  void carry_out(const ownership::TellLost& lost);
  void carry_out(const ownership::Warn& warn);

  /// Calls the listener on lungo-kafka-tells, unless it has gone.
  void call(ownership::ListenerId id, std::function<void(MembershipListener&)> what, std::function<void()> then = {});
  ownership::HighWatermarks high_watermarks(const ownership::AskHighWatermarks& ask);
  ownership::Owners owners(const ownership::AskOwners& ask);
  Result<void> fence(const std::string& transactional_id);
  [[nodiscard]] TopicPartition on_kafka(const TopicPartition& partition) const {
    return {names_.on_kafka(partition.topic), partition.partition};
  }
  [[nodiscard]] bool is_closing() const;
  [[nodiscard]] std::vector<TopicPartition> in_lungo(const std::vector<TopicPartition>& partitions) const;

  const Duration transaction_timeout_;
  const KafkaNames names_;
  const Parts parts_;
  const Ports ports_;

  mutable std::mutex mutex_;  // over what follows
  std::vector<ownership::Input> inbox_;
  std::map<ownership::ListenerId, std::shared_ptr<Joiner>> joiners_;
  std::uint64_t listeners_ = 0;
  ownership::OwnershipCore core_;    // stepped by the activity only
  std::shared_ptr<RdkGroup> group_;  // calls but wake() are the activity's
  std::uint64_t told_ = 0;           // inputs
  std::uint64_t taken_ = 0;          // of them
  std::optional<Error> trouble_;
  bool is_beginning_anew_ = false;
  bool is_closing_ = false;
  bool has_left_ = false;  // behind close(), when nothing is owned any more
  bool has_failed_ = false;

  // The activity's.
  GuardedStep guard_;
  bool is_unassigned_ = false;
  bool is_leaving_ = false;
  std::vector<std::string> wanted_;  // topics, by Kafka's names
  std::vector<std::string> subscribed_;
  Instant again_at_{};
  Instant complain_at_{};

  std::unique_ptr<TaskActivity> asks_;
  std::unique_ptr<TaskActivity> tells_;
  std::unique_ptr<RunningActivity> running_;
};

}  // namespace lungo
