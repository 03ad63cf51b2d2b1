// One partition of a running process: reads inputs, feeds the core, appends what comes out, writes checkpoints.
//
// For process.cpp. State diagram:
//
//   away --its partitions are this process's--> entered
//     ^                                           | is lost: everything in memory is given up; closes: what is under way ends,
//     +-------------------------------------------+ and a checkpoint is written first
//
//   entered, at first:
//   loading --checkpoint read, recorded outputs noted--> recovering --all recorded outputs met, or caught up--> running
//      ^                                                     |                                                    |
//      +-- an append failed, is not the owner's, or the application threw: everything in memory is given up -----+
//
// Invariants:
//   P1  one append is in flight at most, so what is in the log is always a prefix of what was computed
//   P2  a checkpoint {input position, output end, core} is written when all outputs of the inputs below its position are
//       committed, below its output end, and all their commands are done; all later outputs lie at or above that end
//   P3  no checkpoint while recovering, and no clock before all inputs that were committed have been handled
//   P4  whatever is submitted for a partition is submitted in the tenure in which its checkpoint was loaded
// From P1, P2 and the core's determinism: after any crash, the outputs at and above the checkpoint's output end are a prefix of
// what is computed again, and are recognised by their ids. By P4 it is the same where another process goes on.
// Threads: one; completions only put an Outcome into the mailbox.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/framework/snapshots.hpp>

#include "owned_partitions.hpp"
#include "waker.hpp"

namespace lungo {

/// What came back from the log or a command.
struct ProcessOutcome {
  enum Kind { append, checkpoint, command };
  Kind kind;
  std::int32_t partition;
  std::uint64_t generation;  // of the partition's memory: those of an earlier one are stale
  std::optional<Error> error;
  Offset end;           // append: one past its last record
  std::string id = {};  // command: its own
  Offset input = {};    // command: what it goes back to
};

/// Where completions leave their outcomes.
class ProcessMailbox {
 public:
  void post(ProcessOutcome outcome);
  std::vector<ProcessOutcome> take();
  Waker waker;

 private:
  std::mutex mutex_;
  std::vector<ProcessOutcome> outcomes_;
};

/// What all partitions of one process share.
struct ProcessContext {
  EventStore store;
  ProcessRunner::Setup setup;
  ProcessOptions options;
  Snapshots snapshots;
  TopicInfo input;
  TopicInfo output;
  std::shared_ptr<ProcessMailbox> mailbox;
  OwnedPartitions owned;
  std::map<std::string, std::shared_ptr<void>> aggregates;  // by category
  bool stopping = false;
  std::uint64_t next_generation = 1;  // of a partition's memory; never used twice, whatever is stopped and started again
};

/// A checkpoint that was taken and waits until what came before it is done.
struct CheckpointDraft {
  Snapshot snapshot;  // without its state yet
  Bytes core;
  std::size_t appends_left = 0;  // before its outputs are committed
  int commands_left = 0;         // of those before it; none is added while there are any
  // As of the last append before it: later ones may complete while it waits.
  Offset output_end;
  std::uint64_t outputs = 0;
};

class ProcessPartition {
 public:
  /// `append_in_flight`: an earlier run has left one, whose outcome comes yet.
  ProcessPartition(ProcessContext& context, PartitionId id, bool append_in_flight);

  /// What it needs to own: its input, and its output.
  static OwnedPartitions::Unit unit_of(const ProcessContext& context, PartitionId id);

  /// Enters it if it is this process's, and makes sure that there is a sound checkpoint. Blocks. Errors: those that the process
  /// must not start with.
  Result<void> start();

  /// Goes on as far as it can, where it is this process's; returns when it wants to be called again. An error stops the
  /// process.
  Result<Instant> step(Instant now);
  /// Errors: those that the process must stop for.
  Result<void> take(const ProcessOutcome& outcome, Instant now);

  /// All that was read is done: nothing is in flight or waits to be.
  [[nodiscard]] bool is_idle() const;
  /// After stopping was set: idle and its last checkpoint is written, or away.
  [[nodiscard]] bool is_stopped() const { return stopped_; }
  [[nodiscard]] bool has_append_in_flight() const { return append_in_flight_; }
  /// The process has ended, one way or another: who waits for the partition gets it.
  void let_go();
  [[nodiscard]] PartitionLag lag() const;
  void add_to(ProcessStatus& status) const;

 private:
  [[nodiscard]] bool is_ending() const { return context_->stopping || closing_; }
  bool may_run();
  void leave();
  Result<Instant> run(Instant now);
  Result<void> take_in(const ProcessOutcome& outcome, Instant now);
  [[nodiscard]] std::string checkpoint_key() const;
  Result<void> prepare();
  [[nodiscard]] Bytes checkpoint_state(Offset output_end, BytesView core) const;
  Result<bool> load(Instant now);
  Result<void> note_recorded(Offset from, Offset end);
  Result<bool> read_inputs(Instant now);
  Result<bool> read_failed(const Error& error, Instant now);
  Result<bool> handle(const Envelope& envelope, const Decoded& decoded, Instant now);
  Result<void> pass_over(const Envelope& envelope);
  Result<bool> at_end(Instant now);
  Result<bool> input_failed(const Error& error, const Envelope& envelope, Instant now);
  Result<void> command_done(const ProcessOutcome& outcome, Instant now);
  Result<void> park(const Error& error, Offset offset, std::string_view type, int attempts);
  Result<void> park_command(const ProcessOutcome& outcome, int attempts);
  Result<void> note_parked(ParkedEvent event, const Error& error);
  void start_over(const Error& error, Instant at);
  void forget();
  void flush();
  void send_commands();
  void checkpoint(Instant now);
  void save_draft();
  [[nodiscard]] Instant next_step(Instant now) const;
  [[nodiscard]] bool has_changed() const;

  ProcessContext* context_;
  const PartitionId id_;
  const OwnedPartitions::Unit unit_;
  bool entered_ = false;
  bool closing_ = false;   // as of this step: it goes to another process
  bool prepared_ = false;  // since it was entered
  bool loaded_ = false;
  bool stopped_ = false;
  const std::uint64_t first_generation_;
  std::uint64_t generation_;
  std::unique_ptr<ProcessCore> core_;
  std::optional<PartitionReader> reader_;
  ProcessEffects effects_;  // computed and not yet submitted
  bool append_in_flight_;
  int commands_in_flight_ = 0;
  Offset output_end_;    // of the last append, or of the log when it was loaded
  bool at_end_ = false;  // of the committed inputs, at the last look
  std::optional<CheckpointDraft> draft_;
  bool saving_ = false;
  Position saved_;          // input position of the newest checkpoint
  bool must_save_ = false;  // the next one is due, whatever it says
  std::int64_t id_shift_ = 0;
  bool sends_commands_ = false;
  std::uint64_t saved_outputs_ = 0;
  std::uint64_t outputs_ = 0;  // appends made since loading
  Instant next_checkpoint_{};
  Instant not_before_{};  // after a failure
  int failures_ = 0;
  std::optional<Offset> failing_;                // the input that the application threw for
  std::map<Offset, bool> parked_;                // true: the core has met it, so its time counts
  std::map<std::string, int> failing_commands_;  // id -> attempts that failed since a checkpoint was behind it
  std::set<std::string> parked_commands_;        // by id: not sent, as if they were refused
  EventLog::NotifyToken token_;
  std::optional<Offset> known_end_;  // while loading: the output partition's end that must be committed first
  std::optional<Error> error_;       // the last one survived
  std::int64_t refused_ = 0;
  std::int64_t commands_ = 0;
  std::int64_t unmatched_ = 0;
};

}  // namespace lungo
