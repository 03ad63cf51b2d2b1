// What reads a cluster's partitions into the mirror, on an activity of its own.
//
//   unfollowed --follow()--> following --an offset that is gone, a copy that differs--> following again, from the start
//
// Promise: while a broker answers, the mirror of each followed partition comes up to its last stable offset and stays there. An
// error of one partition (a right that is missing, a full disk) holds up that one only; it is tried again each second. Threads:
// step() on the activity's, everything else from any. step() waits for the cluster, up to kPollTime, and where an offset is
// gone up to kAskTime for its start.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <lungo/log/ports.hpp>

#include "client/kafka_mirror.hpp"
#include "client/rdk_admin.hpp"
#include "client/rdk_tail.hpp"
#include "client/task_activity.hpp"

namespace lungo {

class KafkaTail final : public Activity {
 public:
  static constexpr Duration kPollTime = std::chrono::milliseconds{100};
  static constexpr Duration kAskTime = std::chrono::seconds{2};

  /// By Lungo's name for a topic, Kafka's.
  using NameOf = std::function<std::string(std::string_view topic)>;
  /// What the mirror has more, also that it is nothing where the partition was begun and ends there; on the activity's thread.
  using Told = std::function<void(const KafkaMirror::Taken& taken)>;
  /// The mirror's copy is not the cluster's: it is empty, and is being filled; or it may be so, and is about to be compared. On
  /// the activity's thread.
  using Emptied = std::function<void(const TopicPartition& partition, bool is_certain)>;

  using Make = std::function<Result<std::unique_ptr<RdkTail>>()>;

  /// All of these outlive the tail. What `make` makes and `admin` know topics by Kafka's names, `mirror` and the tail's callers
  /// by Lungo's. Errors: as RdkTail::open().
  static Result<std::unique_ptr<KafkaTail>> open(Make make, RdkAdmin& admin, KafkaMirror& mirror, Ports ports, NameOf name_of,
                                                 Told told, Emptied emptied);

  /// Reads the partition from now on, of a topic that the mirror has; nothing changes when it does already.
  void follow(const TopicPartition& partition);
  /// Reads the topic's partitions no more.
  void unfollow(std::string_view topic);

  /// Waits until the mirror has all that was committed when the call began, of a partition that is followed. Errors: timed_out,
  /// saying how far it is; what keeps it from being read; busy, when it is not followed any more; closed.
  Result<void> catch_up(const TopicPartition& partition, Duration timeout);
  /// Nobody waits in catch_up() any longer than kAskTime.
  void close();
  /// What keeps the partition from being read now.
  [[nodiscard]] std::optional<Error> trouble(const TopicPartition& partition) const;

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-kafka-tail"; }
  [[nodiscard]] bool may_step_again() const override { return true; }

 private:
  struct Followed {
    TopicPartition partition;  // by Lungo's name
    bool is_assigned = false;
    std::optional<Instant> again_at{};  // then it begins anew; what comes of it before is passed over
    Duration again_after{};             // how long that was put off the last time
    bool has_ended = false;             // the cluster has said since then that it ends where the mirror does
    std::optional<Error> trouble{};
    Instant trim_at{};  // when the cluster's start is asked for again
  };

  KafkaTail(Make make, std::unique_ptr<RdkTail> consumer, RdkAdmin& admin, KafkaMirror& mirror, Ports ports, NameOf name_of,
            Told told, Emptied emptied);

  void look_after_one(Instant now);
  Result<void> begin(const TopicPartition& on_kafka, const Followed& followed);
  void trim(const TopicPartition& on_kafka, const Followed& followed);
  void remove_unfollowed();
  void take(const RdkRun& run, Instant now);
  void tell_first_end(const TopicPartition& on_kafka, const TopicPartition& partition, bool is_told);
  [[nodiscard]] std::shared_ptr<RdkTail> consumer() const;
  [[nodiscard]] bool has_ended(const TopicPartition& partition) const;
  [[nodiscard]] bool is_followed(const TopicPartition& partition) const;
  [[nodiscard]] bool is_closed() const;
  void make_anew(const Error& cause, Instant now);
  [[nodiscard]] TopicPartition on_kafka(const TopicPartition& partition) const {
    return {name_of_(partition.topic), partition.partition};
  }

  const Make make_;
  RdkAdmin& admin_;
  KafkaMirror& mirror_;
  const Ports ports_;
  const NameOf name_of_;
  const Told told_;
  const Emptied emptied_;
  mutable std::mutex mutex_;                     // over what follows; not held while anybody waits
  std::shared_ptr<RdkTail> consumer_;            // calls but wake() and stable_end() are step()'s
  std::map<TopicPartition, Followed> followed_;  // by Kafka's names
  std::vector<TopicPartition> unfollowed_;       // to be taken from the consumer
  bool is_closed_ = false;
  std::unique_ptr<TaskActivity> asks_;  // for the starts of what is being read: nobody waits for them
};

}  // namespace lungo
