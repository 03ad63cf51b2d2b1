// The topics of an open data directory and, per partition, what readers need: its log, its committed end, who waits for it.
//
// A partition's log is opened when somebody first uses it: until then a partition is its name and its ends. One that only
// upkeep has used is put to rest again.
//
// Threads: any. Topics come, change and go: who has found one keeps what it was then, and of a deleted topic what is open. A
// partition's log may be replaced (read-only logs, after the writer restarted).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <lungo/log/partition_log.hpp>
#include "waiters.hpp"

namespace lungo {

/// What is known of a partition whose log nobody uses.
struct PartitionAtRest {
  Offset start;
  Offset synced;                  // everything below is on disk
  std::optional<CleanEnd> clean;  // how it was left by who stopped cleanly; nobody has written since
  std::optional<Error> failure;   // of the last attempt to open it,
  Instant retry_at{};             // and when the next one is worth it
};

class OpenPartition;

/// Opens partitions for who first uses them.
class PartitionOpener {
 public:
  virtual ~PartitionOpener() = default;
  /// One call at a time for a partition; nobody sees its log before it returns. Errors: why there is none now; a later call may
  /// succeed.
  virtual Result<std::shared_ptr<PartitionLog>> open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                               PartitionAtRest& rest) = 0;
  /// Ends what open_partition() has begun, durably; `log` is the caller's, and no other touches the partition meanwhile. What
  /// is known of it then; nothing when somebody is at it, or has to see it as it is.
  virtual std::optional<PartitionAtRest> close_partition(const OpenPartition& partition,
                                                         const std::shared_ptr<PartitionLog>& log) = 0;
};

class OpenPartition : public std::enable_shared_from_this<OpenPartition> {
 public:
  /// At rest. Its `opener` outlives all calls of touch().
  OpenPartition(TopicPartition name, TopicId topic, PartitionAtRest rest, PartitionOpener& opener);
  /// At rest until replace_log(); nobody calls touch() before.
  OpenPartition(TopicPartition name, TopicId topic, Offset synced);

  [[nodiscard]] const TopicPartition& name() const { return name_; }
  [[nodiscard]] const TopicId& topic() const { return topic_; }
  /// The log, opened now if it is at rest. Errors: why it can't be opened.
  Result<std::shared_ptr<PartitionLog>> touch();
  /// The same for upkeep: who calls it has put_to_rest() follow where the partition was at rest. Nobody is shown as its user.
  Result<std::shared_ptr<PartitionLog>> touch_for_upkeep();
  [[nodiscard]] bool is_used() const { return is_used_.load(); }
  /// Who has a way of his own to the log uses it, as by touch().
  void note_use() const {
    if (!is_used_.load(std::memory_order_relaxed)) is_used_.store(true, std::memory_order_relaxed);
  }
  /// Closes the log that upkeep has opened. False when that is to be tried again, as somebody is at it just now; true also when
  /// it stays open for who uses it. The caller holds nothing of the log.
  bool put_to_rest();
  /// Null while the partition is at rest.
  [[nodiscard]] std::shared_ptr<PartitionLog> log() const;
  /// Nothing once the log is open.
  [[nodiscard]] std::optional<PartitionAtRest> rest() const;
  /// The end of a partition that is at rest without a record: what there is to read of it is known, also where it can't be
  /// opened as the disk is full. Nothing of any other.
  [[nodiscard]] std::optional<Offset> end_of_nothing() const;
  /// What is on disk for certain; nothing while somebody is opening it, who is not waited for.
  [[nodiscard]] std::optional<Offset> synced_end() const;
  /// Of a partition at rest: it stays so, and touch() answers `cause`. False while somebody is opening it, who is not waited
  /// for.
  [[nodiscard]] bool keep_at_rest(const Error& cause);
  /// Readers see the log and `committed`, or what they have seen if that is more, at once; where it may be more, tell_waiters()
  /// follows. A null log: it is at rest again.
  void replace_log(std::shared_ptr<PartitionLog> log, Offset committed = Offset{0});
  void tell_waiters() { waiters_.fire_above(committed()); }
  /// The same where readers may have seen more than they see from now on: what there was above is gone.
  void go_back(std::shared_ptr<PartitionLog> log, Offset committed);
  struct Shown {
    std::shared_ptr<PartitionLog> log;  // null: at rest
    Offset committed;                   // the log has no less
  };
  [[nodiscard]] Shown shown() const;

  [[nodiscard]] Offset committed() const { return Offset{committed_.load(std::memory_order_acquire)}; }
  /// Shows readers more and calls who waited for it; false when `end` is no more than they see.
  bool commit(Offset end);
  [[nodiscard]] std::shared_ptr<void> notify_above(Offset end, std::function<void()> notify);
  /// No commit comes any more.
  void close();

 private:
  bool raise_committed(Offset end);
  Result<std::shared_ptr<PartitionLog>> open(bool is_use);

  const TopicPartition name_;
  const TopicId topic_;
  mutable std::mutex log_mutex_;
  std::shared_ptr<PartitionLog> log_;      // under log_mutex_, which is held while it is opened
  std::unique_ptr<PartitionAtRest> rest_;  // under log_mutex_; null once the log is open
  PartitionOpener* opener_ = nullptr;      // under log_mutex_; null: it stays at rest
  std::atomic<std::int64_t> committed_;
  std::atomic<bool> closed_{false};
  mutable std::atomic<bool> is_used_{false};  // since it was at rest
  CommitWaiters waiters_;
};

/// As it is at one moment; a change makes another one of it, with the same partitions.
struct OpenTopic {
  TopicInfo info;
  bool gaps = false;       // offsets may be missing
  bool dense_end = false;  // but not from the last segments: all of it was appended here
  std::vector<std::shared_ptr<OpenPartition>> partitions;
  std::vector<std::size_t> tail_places;  // of the partitions, in the tail page
};

class OpenTopics {
 public:
  void add(std::shared_ptr<const OpenTopic> topic);
  /// In the place of the one with the same id.
  void replace(std::shared_ptr<const OpenTopic> topic);
  void remove(const TopicId& id);
  /// Errors: not_found, naming the topic.
  Result<std::shared_ptr<const OpenTopic>> find(std::string_view name) const;
  /// Errors: not_found, naming the topic or the partition.
  Result<std::shared_ptr<OpenPartition>> find(const TopicPartition& partition) const;
  /// In the order of their creation.
  [[nodiscard]] std::vector<std::shared_ptr<const OpenTopic>> all() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  mutable std::shared_mutex mutex_;
  std::vector<std::shared_ptr<const OpenTopic>> topics_;
  std::unordered_map<std::string, std::shared_ptr<const OpenTopic>, Hash, std::equal_to<>> by_name_;
};

}  // namespace lungo
