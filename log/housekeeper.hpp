// The activity that does what no append should wait for: starts of topics with limits move up, segments begin by age, the files
// of deleted segments and topics go, stream indexes are written and merged, the next segments are made ahead, digests of sealed
// segments are made, and what only it has opened is put to rest again.
//
// Each step is a bounded piece of work of each kind. Threads: trimmed(), chores_due(), remove_directories() and
// deletion_is_late() from any; step() as an Activity.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "digest_keeper.hpp"
#include "open_topics.hpp"

namespace lungo {

/// A partition's start is to move up.
struct StartMove {
  std::shared_ptr<OpenPartition> partition;
  Offset start;
  std::shared_ptr<PartitionLog> log;  // of it: nobody puts it to rest meanwhile
};

class Housekeeper : public Activity {
 public:
  /// What it asks its surroundings for.
  struct Hooks {
    /// Runs the job as the owner of the partition's log; fails when the partition takes no appends any more.
    std::function<Result<void>(const OpenPartition&, const std::function<Result<void>(PartitionLog&)>&)> as_owner;
    /// Makes its full segments durable, where nobody else does.
    std::function<Result<void>(const OpenPartition&)> sync_sealed;
    /// Moves the starts, durably and for readers, and tells trimmed().
    std::function<Result<void>(const std::vector<StartMove>&)> move_starts;
    /// Finishes those deletions of topics for which their callers do not wait any more, where it can; true while some are left.
    std::function<bool()> finish_deletions;
    /// Does some of what who opens a file would have to wait for. True: there is more. May be absent.
    std::function<bool()> make_room;
  };

  Housekeeper(Ports ports, const OpenTopics& topics, Hooks hooks);

  /// Begins to step: when its hooks may be called.
  void start();

  /// The log has segments below its start.
  void trimmed(std::shared_ptr<OpenPartition> partition);
  /// do_chores() of the partition's log is worth a call.
  void chores_due(std::shared_ptr<OpenPartition> partition);
  /// Directories that nobody opens any more.
  void remove_directories(std::vector<std::string> paths);
  /// There is something for `finish_deletions`.
  void deletion_is_late();
  /// No step runs or begins after it returns.
  void stop();

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-housekeep"; }
  bool may_step_again() const override { return true; }
  bool gives_way() const override { return true; }

 private:
  void take_what_came();
  void remove_from_directory();
  void remove_segments();
  void do_chores();
  Instant keep_digests(Instant now);
  Instant finish_deletions(Instant now);
  void look_at_partitions();
  void look_at(const TopicSpec& spec, const std::shared_ptr<OpenPartition>& partition, std::vector<StartMove>& moves);
  std::shared_ptr<PartitionLog> log_in_turn(const std::shared_ptr<OpenPartition>& partition);
  void put_to_rest();
  void note(const Result<void>& outcome, std::string_view what);

  const Ports ports_;
  const OpenTopics& topics_;
  const Hooks hooks_;

  // The activity's own.
  std::vector<std::string> directories_;
  std::vector<std::shared_ptr<OpenPartition>> partitions_;       // with segments to remove
  std::deque<std::shared_ptr<OpenPartition>> chores_;            // with chores, in turn
  std::vector<std::shared_ptr<const OpenTopic>> topics_to_see_;  // of this round
  std::size_t next_partition_ = 0;                               // of the last of them
  Instant next_round_{};
  DigestKeeper digests_;
  std::size_t touches_left_ = 0;                         // in this round
  std::size_t failures_left_ = 0;                        // of touches, in this round
  const OpenPartition* touched_last_ = nullptr;          // to know it again; may be gone. Null: begin with the first
  bool is_in_turn_ = false;                              // this round has come by that one
  std::vector<std::shared_ptr<OpenPartition>> to_rest_;  // that were opened only to look at them
  bool failure_logged_ = false;                          // in this round

  std::atomic<bool> has_late_deletions_{false};

  std::mutex mutex_;
  std::vector<std::string> directories_come_;                // under mutex_
  std::vector<std::shared_ptr<OpenPartition>> trimmed_;      // under mutex_
  std::vector<std::shared_ptr<OpenPartition>> chores_come_;  // under mutex_
  std::unique_ptr<RunningActivity> running_;                 // under mutex_; last
};

}  // namespace lungo
