// What a MirrorLog is made of. mirror_log.cpp has how it opens and closes, mirror_topics.cpp how topics come and go and
// partitions are opened, mirror_copies.cpp what the writer does to a partition.
//
// A data directory without all that appenders need: no queues, no flushers, no tail page. What is committed its writer says.
//
// Threads: reading as LogReads. `owner` is held by whoever changes a partition's log: the writer's calls, and the compactor for
// a moment. A partition is opened by who first uses it. Locks, in this order: `owner`, a partition's own (open_topics.hpp),
// `dir_mutex_`.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <lungo/log/mirror_log.hpp>

#include "compactor.hpp"
#include "file_cache.hpp"
#include "housekeeper.hpp"
#include "log_dir.hpp"
#include "log_reads.hpp"

namespace lungo {

class MirrorLog::Parts : public LogReads, private PartitionOpener {
 public:
  /// `ports` and `files`, which their storage is, outlive it.
  Parts(Ports ports, FileCache& files, std::unique_ptr<LogDir> dir, Duration compaction_interval);
  ~Parts() override;

  /// Makes the opened directory ours, and begins to work. Errors: no_space, io.
  Result<void> start();

  // For readers.

  /// Errors: unsupported.
  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  /// Answers unsupported.
  void append(AppendRequest request, Completion completion) override;
  bool read_only() const override { return true; }

  // For the writer, who holds `owner`.

  std::mutex owner;
  struct Mirrored {
    std::shared_ptr<OpenPartition> partition;
    std::shared_ptr<PartitionLog> log;
  };
  /// The partition with its log, opened now if it is at rest. Errors: not_found; why it can't be opened.
  Result<Mirrored> find(const TopicPartition& name);
  Result<void> make_topic(const TopicInfo& source);
  Result<void> forget_topic(std::string_view name);
  Result<void> move_start(const Mirrored& at, Offset start);
  /// As PartitionLog::truncate_to().
  Result<void> cut(const TopicPartition& name, PartitionLog& log, Offset border);
  Result<void> empty(const Mirrored& at, Offset start);

 private:
  // mirror_log.cpp
  void start_compactor();
  void stop();
  bool stop(OpenPartition& partition, PartitionMarks::CleanEnds& clean_ends, OffsetsByPartition& synced);
  Result<void> as_owner(const OpenPartition& partition, const std::function<Result<void>(PartitionLog&)>& job);
  Result<void> sync_sealed(const OpenPartition& partition);
  Result<void> note_cleaned_end(const OpenPartition& partition, Offset end);

  // mirror_topics.cpp
  [[nodiscard]] const TopicEntry* find_entry(std::string_view name) const;
  [[nodiscard]] std::shared_ptr<OpenTopic> topic_of(const TopicEntry& entry, const OpenTopic* before);
  void let_go(OpenPartition& partition, const Error& cause);
  Result<std::shared_ptr<PartitionLog>> open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                       PartitionAtRest& rest) override;
  std::optional<PartitionAtRest> close_partition(const OpenPartition& partition,
                                                 const std::shared_ptr<PartitionLog>& log) override;
  Result<std::shared_ptr<PartitionLog>> open_log(const TopicPartition& name, const PartitionAtRest& rest);
  Result<std::unique_ptr<PartitionLog>> open_what_holds(const TopicPartition& name, const PartitionAtRest& rest);
  Result<void> renew(const TopicPartition& name, Offset start);

  FileCache& files_;
  const Duration compaction_interval_;
  std::mutex dir_mutex_;
  const std::unique_ptr<LogDir> dir_;  // under dir_mutex_
  bool is_started_ = false;
  std::unique_ptr<Housekeeper> housekeeper_;
  std::unique_ptr<Compactor> compactor_;
};

}  // namespace lungo
