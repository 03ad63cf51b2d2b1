// The write path of one partition in the embedded log: queue, group, write, sync, commit, complete.
//
//   append() -> queued -> [write_group: one batch, to the OS] -> written -> [sync] -> committed -> completion
//
// Group commit without linger: a batch is what queued while the last write or sync ran. One thread at a time leads: it writes
// what is queued, syncs, moves the committed end and runs the completions, in the order of the appends. The leader is a caller
// that waits (so an uncontended append_wait switches no thread), otherwise the flusher. An appender that finds 64 KiB queued
// writes a batch itself, under the mutex, and leaves the sync to the leader.
//
// The mutex guards the queue and the writing side of the PartitionLog. It is never held during a sync, a completion or a
// notification. After a failed sync everything is refused until the log is opened again; a full disk only fails the appends
// that it hits.
// Threads: append() from any; flush() from the flusher; close() when no other call is running.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "open_topics.hpp"

namespace lungo {

class AppendQueue {
 public:
  struct Options {
    AckLevel ack_level = AckLevel::isr_sync;
    Duration flush_interval = std::chrono::milliseconds{5};
    std::size_t queued_bytes_max = 64u << 20;  // appended and not completed
    bool streams = false;                      // takes conditions
    LeaderEpoch epoch;
  };
  /// What the queue tells its surroundings. Both are called without the queue's mutex.
  struct Hooks {
    std::function<void()> wake_flusher;             // flush() has something to do
    std::function<void(Offset)> publish_committed;  // to readers in other processes
  };

  AppendQueue(std::shared_ptr<OpenPartition> partition, Options options, Hooks hooks, Ports ports);

  /// As EventLog::append(), for this partition.
  void append(AppendRequest request, Completion completion);

  /// The flusher's turn: one round if there is something to do, and a sync of the tail that nobody waits for when its time has
  /// come. Returns when it wants to be called again, Instant::max() for not before wake_flusher.
  Instant flush(Instant now);

  /// Refuses what is not written yet with `closed`, makes the rest durable and completes it; then closes the PartitionLog.
  /// Errors: partition_failed; io. Nothing is left waiting in either case.
  Result<CleanEnd> close();

  [[nodiscard]] const OpenPartition& partition() const { return *partition_; }
  /// After a failed sync the synced end is of no use.
  [[nodiscard]] bool failed() const;

 private:
  /// A caller inside append(); on its stack.
  struct Caller {
    bool done = false;
  };
  struct Queued {
    AppendRequest request;
    Completion completion;
    Caller* caller = nullptr;  // absent unless it waits
  };
  struct Written {
    Result<Appended> outcome;
    Completion completion;
    Caller* caller = nullptr;
    std::size_t bytes = 0;
  };

  [[nodiscard]] std::optional<Error> refusal(const AppendRequest& request) const;
  bool wait_for_lead(Caller& caller);
  void lead_for(Caller& caller);
  bool call_next_caller();
  void hand_over();
  [[nodiscard]] bool has_work() const { return !queued_.empty() || !written_.empty(); }

  void round();
  std::size_t write_group();
  [[nodiscard]] Result<void> sync();
  void move_committed();
  void complete_ready();
  void complete(std::vector<Written> ready);
  void fail(const Error& cause);
  void refuse_all(const Error& cause);
  std::optional<Instant> schedule_tail_sync();

  const std::shared_ptr<OpenPartition> partition_;
  const std::shared_ptr<PartitionLog> log_;
  const Options options_;
  const Hooks hooks_;
  const Ports ports_;

  mutable std::mutex mutex_;
  // Under mutex_:
  std::deque<Queued> queued_;
  std::size_t queued_bytes_ = 0;
  std::deque<Written> written_;  // in the order of the appends, refused ones too
  std::size_t written_bytes_ = 0;
  std::vector<GroupItem> group_;
  bool led_ = false;
  int callers_waiting_ = 0;                // for the lead or for their completion
  std::optional<Instant> unsynced_since_;  // when the oldest unsynced byte was written; ack level isr only
  bool tail_sync_scheduled_ = false;       // the flusher knows of it
  std::optional<Error> failed_;
  bool closed_ = false;
};

}  // namespace lungo
