// The mirror of a cluster's partitions, and whether what comes from the cluster follows what is there.
//
//   start(p, low)   ->  where Kafka is to be read from: at the mirror's last record, which has to come first, or at `low`
//   take(run)       ->  Taken, or anew: the mirror's copy is not the cluster's, it was emptied, and reading begins at `low`
//
// Promise: a partition's copy is the cluster's from its start to its end, or it is made anew before anybody reads on. That is
// judged by the last record there, once after each start, and by an end that lies below it at any time.
// Threads: any; the mirror's writing side is called by one at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <lungo/log/mirror_log.hpp>

#include "client/rdk_tail.hpp"

namespace lungo {

class KafkaMirror {
 public:
  explicit KafkaMirror(std::unique_ptr<MirrorLog> mirror) : mirror_(std::move(mirror)) {}

  /// What the mirror has, for readers.
  [[nodiscard]] EventLog& reads() { return mirror_->reads(); }

  /// As MirrorLog's.
  Result<void> make_topic(const TopicInfo& topic);
  Result<void> forget_topic(std::string_view name);

  /// The cluster has records from `low` on. Errors: not_found; no_space, io.
  Result<RdkStart> start(const TopicPartition& partition, Offset low);
  /// The cluster's start has moved up to `low`. Errors: as start().
  Result<void> trim(const TopicPartition& partition, Offset low);

  /// What the mirror has more than before: [from, end), and the records in it.
  struct Taken {
    TopicPartition partition;
    Offset from;
    Offset end;
    std::vector<Offset> records;
  };
  struct Outcome {
    std::optional<Taken> taken;  // nothing where nothing is new
    /// The copy was not the cluster's: it is empty, and reading goes on here.
    std::optional<Offset> anew;
  };
  /// Takes over what came of a partition that was started, whatever `run` calls it; its error is the caller's. Errors:
  /// not_found; no_space, io: some of it may be there, and reading goes on at end().
  Result<Outcome> take(const TopicPartition& partition, const RdkRun& run);
  Result<Offset> end(const TopicPartition& partition);

  /// As MirrorLog's.
  Result<std::optional<Appended>> find_appended(const TopicPartition& partition, const EncodedRecords& records,
                                                std::optional<Offset> since) {
    return mirror_->find_appended(partition, records, since);
  }
  Result<std::optional<Offset>> find_latest(const TopicPartition& partition, std::string_view key, Offset from) {
    return mirror_->find_latest(partition, key, from);
  }

 private:
  struct State {
    Offset low;
    std::optional<RecordProof> expected;  // what has to come first
    bool is_compacted = false;
  };

  Result<Outcome> begin_anew(const TopicPartition& partition, State& state);
  static bool follows(const RdkRun& run, const State& state, Offset end);

  const std::unique_ptr<MirrorLog> mirror_;
  std::mutex mutex_;
  std::map<TopicPartition, State> states_;
  MirrorBatches batches_;
};

}  // namespace lungo
