// The write path of one partition in the embedded log: queue, group, write, sync, commit, complete.
//
//   append() -> queued -> [write_group: one batch, to the OS] -> unsynced -> [sync] -> ready -> completion
//                                                             \-----------------------/  unless it waits for a sync
//
// Whoever holds the mutex may write. A caller that waits for no sync writes what is queued and its own, and returns: one lock,
// one system call. Syncing is the lead's, which one thread at a time has: group commit without linger, a group is what queued
// while the last sync ran. The lead goes to a caller that waits (so an uncontended append_wait switches no thread), from one to
// the next by name, and to the flusher when none waits. Callers that wait for the lead or for their outcome are parked: as long
// as there is one, somebody leads.
//
// An append that nobody waits for is encoded into a batch that it shares with its neighbours. Who fills 64 KiB writes them. The
// flusher looks after the rest: it wakes for the first, and as long as there is work it looks again by itself every 200 us, so
// that it costs a stream of appends no wake-up each.
//
// The mutex guards the queue and the writing side of the PartitionLog. It is never held during a sync, a completion or a
// notification. Without memory nothing waits for ever: an append that can't be queued throws std::bad_alloc and changes
// nothing; what happens behind that, gives up the partition. Completions run in the order of the appends, those that wait for a
// sync and those that don't each for themselves, on one thread at a time. After a failed sync everything is refused until the
// log is opened again; a full disk only fails the appends that it hits. Threads: append(), append_wait(), as_owner() and
// change() from any; flush() from the flusher; abandon() and tell_abandoned() not from a completion, close() when no other call
// is running.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include <lungo/log/appender.hpp>

#include "append_items.hpp"
#include "open_topics.hpp"

namespace lungo {

class AppendQueue {
 public:
  struct Options {
    AckLevel ack_level = AckLevel::isr_sync;
    std::chrono::milliseconds flush_interval{5};  // kFlushNever: only who asks for a sync gets one
    std::size_t queued_bytes_max = 64u << 20;     // appended and not completed
    bool streams = false;                         // takes conditions
    bool compact = false;                         // every record has a key
    BatchRules batches;                           // of producers
    LeaderEpoch epoch;
  };
  /// What the queue tells its surroundings. Both are called without the queue's mutex.
  struct Hooks {
    std::function<void()> wake_flusher;             // flush() has something to do
    std::function<void(Offset)> publish_committed;  // to readers in other processes
  };
  /// When the flusher is to come again. While `is_active` it comes without being woken.
  struct Turn {
    Instant again = Instant::max();
    bool is_active = false;
  };

  /// `log` is the partition's.
  AppendQueue(std::shared_ptr<OpenPartition> partition, std::shared_ptr<PartitionLog> log, Options options, Hooks hooks,
              Ports ports);

  /// As EventLog::append(), for this partition.
  void append(AppendRequest request, Completion completion);
  /// As Appender's, of records that ask for nothing: no condition, no `since`, no id.
  void append(const RecordFields& fields, Durability durability, Completion completion);
  Result<Appended> append_wait(const RecordFields& fields, Durability durability);
  /// The records stay the caller's.
  Result<Appended> append_wait(EncodedRecords& records, const AppenderOptions& options);
  /// As Appender's.
  Result<Appended> append_batch(BytesView batch, const AppenderOptions& options);

  /// The flusher's turn: writes, syncs and completes what no caller does, publishes what was committed since the last time, and
  /// syncs the tail that nobody waits for when its time has come.
  Turn flush(Instant now);
  /// True when flush() would find something to do.
  [[nodiscard]] bool wants_flush() const;

  /// Refuses what is not written yet with `closed`, makes the rest durable and completes it; then closes the PartitionLog.
  /// Errors: partition_failed; io. Nothing is left waiting in either case.
  Result<CleanEnd> close();
  /// The same where the partition goes on, without this queue: who waits for its commits goes on waiting.
  Result<CleanEnd> close_for_rest();

  // append_owner.cpp

  /// Runs `job` while nobody else writes to the log. Short, as appends wait meanwhile. Errors: the job's; what appends are
  /// refused with, once they are for good.
  Result<void> as_owner(const std::function<Result<void>(PartitionLog&)>& job);
  /// Makes segments durable that are full, where nobody else would (kFlushNever): retention and compaction take what is synced.
  /// Errors: those of as_owner(), io.
  Result<void> sync_sealed();
  /// Takes over what may change of a topic's settings, for what comes from now on; what is committed stays so. Calls nobody:
  /// tell_changed() does, with what this returns.
  [[nodiscard]] Offset change(const TopicSpec& spec);
  /// Commits what was committed at the write until then, and completes it.
  void tell_changed(Offset committed);
  /// The topic is gone: appends are refused with `cause` from now on, or from a later call on while somebody writes.
  void refuse(const Error& cause);
  /// The same, after flush() has been called for the last time. Once it is true, nothing is written any more. False while a
  /// sync is under way, or anything else that it would have to wait for: then it is to be called again. One call at a time.
  [[nodiscard]] bool abandon(const Error& cause);
  /// Completes with `cause` what was under way when abandon() was true.
  void tell_abandoned(const Error& cause);

  [[nodiscard]] const OpenPartition& partition() const { return *partition_; }
  /// After a failed sync the synced end is of no use.
  [[nodiscard]] bool failed() const;

 private:
  using Lock = std::unique_lock<std::mutex>;

  [[nodiscard]] bool waits_for_sync(Durability durability) const;
  [[nodiscard]] std::optional<Error> refusal(std::size_t bytes) const;
  [[nodiscard]] Error refused(Errc code, const std::string& why) const;
  [[nodiscard]] Error lacks_key() const;

  // append_queue.cpp: with the mutex, until they let go of it.
  QueuedAppend& push(bool needs_sync);
  Result<void> push_shared(const RecordFields& fields, bool needs_sync, Recipient& recipient);
  void leave(Lock lock);
  Result<Appended> write_or_queue(const GroupItem& append, std::size_t bytes, Durability durability);
  Result<Appended> write_and_wait(const GroupItem& append, bool needs_sync, Lock lock);
  Result<Appended> write_and_lead(const GroupItem& append, bool needs_sync, Lock lock);
  std::size_t write_group();
  void write_queued(std::size_t bytes_max);
  Result<Appended> write_alone(GroupItem item);
  void take_written(QueuedAppend& item, Result<Appended> outcome);
  void note_unsynced();

  // append_lead.cpp: without the mutex.
  Result<Appended> lead_for(Appended outcome);
  void pass_on();
  Result<Appended> wait_for_outcome(WaitingCaller& caller);
  void lead();
  Turn take_turn(Instant now);
  Result<CleanEnd> finish(bool partition_goes_on);
  [[nodiscard]] Result<void> sync_round();
  [[nodiscard]] Result<void> sync();
  bool hand_over();
  void move_committed();
  void publish(Offset end);
  void settle();
  void release_callers(WrittenAppend& item);
  WaitingCaller* next_leader();
  void wake_released();
  void fail(const Error& cause);
  void refuse_all(const Error& cause);
  void refuse_queued(const Error& cause);
  [[nodiscard]] bool somebody_waits_for_a_sync() const;
  std::optional<Instant> tail_sync_due();
  [[nodiscard]] Offset durable_end() const;

  // append_failure.cpp: without the mutex.
  template <class Call>
  bool or_give_up(Call&& call) noexcept;
  void give_up() noexcept;
  void tell_now(Lock& lock, WrittenAppend& item) noexcept;
  [[nodiscard]] Error failure() const;

  const std::shared_ptr<OpenPartition> partition_;
  const std::shared_ptr<PartitionLog> log_;
  const Options options_;  // but for the three that may change
  std::atomic<AckLevel> ack_level_;
  std::atomic<std::chrono::milliseconds> flush_interval_;
  std::atomic<std::uint32_t> batch_bytes_max_;
  const Hooks hooks_;
  const Ports ports_;
  const Error out_of_memory_;  // made while there is some

  std::atomic<bool> unpublished_{false};  // committed, and not yet published; ack level isr only

  std::mutex publish_mutex_;  // no other lock is taken under it
  Offset published_;          // under publish_mutex_

  mutable std::mutex mutex_;
  // Under mutex_:
  std::deque<QueuedAppend> queued_;
  std::deque<WrittenAppend> unsynced_;  // wait for a sync, in the order of the appends
  std::vector<WrittenAppend> ready_;    // wait to be told
  std::size_t queued_bytes_ = 0;
  std::size_t written_bytes_ = 0;  // of unsynced_ and ready_
  std::vector<GroupItem> group_;
  EncodedRecords alone_;                             // of one record that its caller waits for
  std::vector<EncodedRecords> spare_records_;        // memory of shared appends
  std::vector<std::vector<Recipient>> spare_lists_;  // and of who shared them
  std::vector<std::shared_ptr<Parker>> released_;    // of callers that are done, to be unparked
  bool led_ = false;
  bool abandoned_ = false;                 // led_ by abandon()
  bool completing_ = false;                // that thread looks again before it stops
  std::optional<Instant> unsynced_since_;  // when the oldest byte was written that nobody waits to be synced
  bool tail_is_scheduled_ = false;         // the flusher knows when that tail is to be synced
  std::optional<Error> failed_;
  bool closed_ = false;

  std::vector<WrittenAppend> completing_now_;  // of the thread that completes
};

/// False when it threw, which it does for want of memory: the partition refuses everything then.
template <class Call>
bool AppendQueue::or_give_up(Call&& call) noexcept {
  try {
    call();
    return true;
  } catch (...) {
    give_up();
    return false;
  }
}

}  // namespace lungo
