// The writing form of the embedded log: one process, the holder of the directory's lock.
//
// Composes the data directory, a PartitionLog and an AppendQueue per partition, the flusher, the tail page, the housekeeper,
// the compactor and the recovery points. local_topics.cpp has how topics come, change and go; local_partitions.cpp how
// partitions are opened: all of them after a crash, and otherwise each when somebody first uses it. The destructor is the clean
// stop; it must not run on a thread that is inside a completion or notification. Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <shared_mutex>

#include <lungo/log/local_event_log.hpp>
#include "compactor.hpp"
#include "file_cache.hpp"
#include "flusher.hpp"
#include "housekeeper.hpp"
#include "log_dir.hpp"
#include "log_reads.hpp"
#include "recovery_points.hpp"
#include "scrubber.hpp"
#include "tail_page.hpp"
#include "topic_deletion.hpp"

namespace lungo {

class LocalEventLog : public LogReads, private PartitionOpener {
 public:
  /// Opens, recovers and begins to write. `ports` and `files`, which their storage is, outlive the log. Errors: as
  /// open_local().
  static Result<std::shared_ptr<EventLog>> open(Ports ports, FileCache& files, const std::string& directory,
                                                const LocalOptions& options);
  ~LocalEventLog() override;

  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  Result<TopicInfo> alter_topic(std::string_view name, const TopicChange& change) override;
  Result<void> delete_topic(std::string_view name) override;
  Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions) override;
  Result<Offset> delete_records(const TopicPartition& partition, Offset below) override;
  void append(AppendRequest request, Completion completion) override;
  Result<Appended> append_wait(AppendRequest request, Duration timeout) override;
  Result<std::shared_ptr<Appender>> appender(const TopicPartition& partition) override;
  std::vector<Metric> metrics() override;
  bool read_only() const override { return false; }

 private:
  /// What opening the partitions came to that were opened.
  struct Opened {
    std::size_t partitions = 0;
    RecoveryReport recovery;
  };

  struct GoingTopic {
    std::shared_ptr<TopicDeletion> deletion;
    bool is_durable = false;  // or else the topic may be there again at the next opening
    bool is_late = false;     // the housekeeper's
  };

  LocalEventLog(Ports ports, FileCache& files, std::unique_ptr<LogDir> dir, const LocalOptions& options);
  Result<void> start();
  void start_compactor();
  void stop();
  bool stop(PartitionMarks::CleanEnds& clean_ends, OffsetsByPartition& synced, OpenPartition& partition, AppendQueue* queue);
  Result<void> sync_sealed(const OpenPartition& partition);
  Result<void> as_owner(const OpenPartition& partition, const std::function<Result<void>(PartitionLog&)>& job);

  // local_partitions.cpp

  Result<Opened> open_partitions();
  std::shared_ptr<OpenTopic> topic_of(const TopicEntry& entry, const OpenTopic* before, bool is_new);
  [[nodiscard]] PartitionAtRest rest_of(const TopicPartition& name, bool is_new) const;
  Result<std::shared_ptr<PartitionLog>> open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                       PartitionAtRest& rest) override;
  std::optional<PartitionAtRest> close_partition(const OpenPartition& partition,
                                                 const std::shared_ptr<PartitionLog>& log) override;
  Result<std::shared_ptr<PartitionLog>> open_log(const OpenPartition& partition, const OpenTopic& topic,
                                                 const PartitionAtRest& rest);
  std::shared_ptr<PartitionLog> stand_in(const TopicPartition& name, const PartitionOptions& options, const Error& cause,
                                         Offset end);
  void show_to_readers(const OpenTopic& topic, const OpenPartition& partition, const PartitionLog& log,
                       const PartitionAtRest& rest);
  void make_room_for_queues(const OpenTopic& topic);
  bool add_queue(const OpenTopic& topic, const std::shared_ptr<OpenPartition>& partition,
                 const std::shared_ptr<PartitionLog>& log);
  PartitionQueue* queue_at(const TopicPartition& partition);
  std::shared_ptr<AppendQueue> find_queue(const TopicPartition& partition);
  std::shared_ptr<AppendQueue> find_queue_of(const OpenPartition& partition);
  Result<std::shared_ptr<AppendQueue>> queue_of(const TopicPartition& partition);

  // local_topics.cpp

  [[nodiscard]] const TopicEntry* find_entry(std::string_view name) const;
  Result<TopicInfo> serve(const TopicEntry& entry);
  void topics_changed();
  std::shared_ptr<TopicDeletion> set_aside(const TopicInfo& info, bool is_durable);
  Error give_up_waiting(TopicDeletion& deletion);
  bool finish_late_deletions();
  void finish(TopicDeletion& deletion);
  Result<void> keep_producers(const StartMove& move);
  Result<void> move_starts(const std::vector<StartMove>& moves);
  Result<void> note_cleaned_end(const OpenPartition& partition, Offset end);
  void stop_activities();

  bool started_ = false;
  FileCache& files_;
  const std::unique_ptr<LogDir> dir_;
  const std::size_t queued_bytes_max_;
  const std::uint64_t scrub_bytes_per_second_;
  const Duration compaction_interval_;
  std::mutex dir_mutex_;                                  // what changes topics, starts and recovery points, one at a time
  std::int64_t topic_changes_ = 0;                        // under dir_mutex_
  std::map<std::string, GoingTopic, std::less<>> going_;  // deleted, and may still be written to; under dir_mutex_
  std::unique_ptr<TailWriter> tail_;
  std::vector<std::unique_ptr<Flusher>> flushers_;  // partition N of each topic belongs to number N modulo how many there are

  /// Of one topic, by partition.
  using TopicQueues = std::vector<PartitionQueue>;
  std::shared_mutex queues_mutex_;
  std::map<std::string, TopicQueues, std::less<>> queues_;  // under queues_mutex_

  std::unique_ptr<Housekeeper> housekeeper_;
  std::unique_ptr<Compactor> compactor_;
  std::unique_ptr<Scrubber> scrubber_;  // null: not asked for
  std::unique_ptr<RecoveryPoints> recovery_points_;
  std::unique_ptr<RunningActivity> recovery_points_running_;
};

}  // namespace lungo
