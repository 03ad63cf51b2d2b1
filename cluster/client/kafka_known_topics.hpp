// Which topics there are: what the cluster says, and what Lungo has written down of those that it made.
//
//   `__lungo_APP_topics`, compacted, one partition     key: the topic's name in Lungo; value: topic_text.hpp
//
// Kafka knows neither an id nor whether a topic holds streams, so a topic that Lungo makes has a row there. Its id is that of
// its first row, until one without a value ends it: of two processes that gave it one, neither of which had seen the other's,
// all take the same. One without a row is others': plain, with Kafka's own settings, and an id that cluster and name give.
// Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>

#include "client/kafka_names.hpp"
#include "client/rdk_admin.hpp"

namespace lungo {

class KafkaKnownTopics {
 public:
  /// Admin outlives it. `cluster_id`: RdkAdmin::cluster_id().
  KafkaKnownTopics(RdkAdmin& admin, KafkaNames names, std::string cluster_id)
      : admin_(admin), names_(std::move(names)), cluster_id_(std::move(cluster_id)) {}

  /// The topic of rows, as the mirror is to have it.
  [[nodiscard]] TopicInfo rows_topic() const;
  /// Whether the cluster has it. Errors: io, timed_out.
  Result<bool> has_rows(Duration timeout);
  /// Takes the rows over that `log` has from where the last call ended. Errors: as EventLog::read(); corrupt, naming the row.
  Result<void> take_rows(EventLog& log);

  /// Names of rows that were taken away since the last call, whatever came behind.
  std::vector<std::string> take_gone();
  /// Of one that Lungo has made, as far as rows have been taken.
  [[nodiscard]] std::optional<TopicInfo> row(std::string_view name) const;
  /// As its row says, which may have changed since it was mirrored.
  [[nodiscard]] std::optional<std::uint32_t> batch_bytes_max(std::string_view name) const;
  /// What was learnt of another's topic is asked anew.
  void forget_foreign(std::string_view name);

  /// Errors: not_found; io, timed_out where the cluster has to be asked.
  Result<TopicInfo> topic(std::string_view name, Duration timeout);
  /// Those with rows in their order, then the others by name. Errors: io, timed_out.
  Result<std::vector<TopicInfo>> topics(Duration timeout);
  /// Of a topic that nobody has given one: the same in each process.
  [[nodiscard]] TopicId id_of(std::string_view kafka_topic) const;

 private:
  Result<TopicInfo> describe(const RdkTopic& topic, std::string name, Duration timeout);
  [[nodiscard]] std::optional<TopicInfo> known(std::string_view name) const;

  RdkAdmin& admin_;
  const KafkaNames names_;
  const std::string cluster_id_;
  mutable std::mutex mutex_;
  Offset rows_next_{0};
  std::vector<TopicInfo> rows_;
  std::vector<std::string> gone_;
  std::map<std::string, TopicInfo, std::less<>> foreign_;
};

}  // namespace lungo
