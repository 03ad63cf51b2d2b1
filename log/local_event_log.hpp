// The writing form of the embedded log: one process, the holder of the directory's lock.
//
// Composes the data directory, a PartitionLog and an AppendQueue per partition, the flusher, the tail page, the housekeeper,
// the compactor and the recovery points; local_topics.cpp has how topics come, change and go. The destructor is the clean stop;
// it must not run on a thread that is inside a completion or notification. Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <shared_mutex>

#include <lungo/log/local_event_log.hpp>
#include "compactor.hpp"
#include "flusher.hpp"
#include "housekeeper.hpp"
#include "log_dir.hpp"
#include "log_reads.hpp"
#include "recovery_points.hpp"
#include "tail_page.hpp"

namespace lungo {

class LocalEventLog : public LogReads {
 public:
  /// Opens, recovers and begins to write. `ports` outlive the log. Errors: as open_local().
  static Result<std::shared_ptr<EventLog>> open(Ports ports, const std::string& directory, const LocalOptions& options);
  ~LocalEventLog() override;

  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  Result<TopicInfo> alter_topic(std::string_view name, const TopicChange& change) override;
  Result<void> delete_topic(std::string_view name) override;
  Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions) override;
  Result<Offset> delete_records(const TopicPartition& partition, Offset below) override;
  void append(AppendRequest request, Completion completion) override;
  Result<Appended> append_wait(AppendRequest request, Duration timeout) override;
  Result<std::shared_ptr<Appender>> appender(const TopicPartition& partition) override;
  bool read_only() const override { return false; }

 private:
  /// What opening all partitions came to.
  struct Opened {
    std::size_t partitions = 0;
    RecoveryReport recovery;
  };

  LocalEventLog(Ports ports, std::unique_ptr<LogDir> dir, const LocalOptions& options);
  Result<Opened> open_partitions();
  Result<void> start();
  void start_compactor();
  static std::shared_ptr<OpenTopic> topic_of(const TopicEntry& entry, const OpenTopic* before);
  Result<Opened> open_missing(const std::vector<std::shared_ptr<OpenTopic>>& topics, std::size_t width);
  Result<std::shared_ptr<OpenPartition>> open_partition(const OpenTopic& topic, PartitionId number);
  std::unique_ptr<PartitionLog> stand_in(const TopicPartition& name, const PartitionOptions& options, const Error& cause);
  [[nodiscard]] const TopicEntry* find_entry(std::string_view name) const;
  Result<TopicInfo> serve(const TopicEntry& entry);
  void add_queues(const OpenTopic& topic);
  std::shared_ptr<AppendQueue> find_queue(const TopicPartition& partition);
  std::shared_ptr<AppendQueue> find_queue_of(const OpenPartition& partition);
  void topics_changed();
  Result<void> keep_producers(const StartMove& move);
  Result<void> move_starts(const std::vector<StartMove>& moves);
  Result<void> as_owner(const OpenPartition& partition, const std::function<Result<void>(PartitionLog&)>& job);
  Result<void> note_cleaned_end(const OpenPartition& partition, Offset end);
  void stop();
  void stop_activities();

  bool started_ = false;
  const std::unique_ptr<LogDir> dir_;
  const std::size_t queued_bytes_max_;
  std::mutex dir_mutex_;            // what changes topics, starts and recovery points, one at a time
  std::int64_t topic_changes_ = 0;  // under dir_mutex_
  std::unique_ptr<TailWriter> tail_;
  std::vector<std::unique_ptr<Flusher>> flushers_;  // partition N of each topic belongs to number N modulo how many there are

  struct Queue {
    std::shared_ptr<AppendQueue> appends;
    Flusher* flusher;
    Flusher::Slot* slot;
  };
  /// Of one topic, by partition.
  using TopicQueues = std::vector<Queue>;
  std::shared_mutex queues_mutex_;
  std::map<std::string, TopicQueues, std::less<>> queues_;  // under queues_mutex_

  std::unique_ptr<Housekeeper> housekeeper_;
  std::unique_ptr<Compactor> compactor_;
  std::unique_ptr<RecoveryPoints> recovery_points_;
  std::unique_ptr<RunningActivity> recovery_points_running_;
};

}  // namespace lungo
