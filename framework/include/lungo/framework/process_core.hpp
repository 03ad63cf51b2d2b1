// The pure part of a process: (state, input, now) -> outputs, commands, timers. No I/O, no clock, no threads.
//
// For process.cpp, which feeds it, and for tests. One core per partition of the input topic.
//
// State, per lane (the live input, or one import):
//   watermark   largest event time of an input seen minus the allowed lateness; never goes back
//   keys        key -> { State, scope of its last input, timers }
// An import's lane stays when it has ended, since the import may go on: of those without keys the 100 used last are kept.
// Input event at time t, in this order:
//   1. late if t < watermark (counted)      2. watermark = max(watermark, t - lateness)
//   3. every timer due <= watermark fires, by (due, timer number)
//   4. evolve, react, actions               5. the key is dropped when its State equals State{} and it has no timer
//   Of an input that is left out because 4 failed for it, 2 and 3 stay: what fired before it may be written already.
// Clock, live lane only: advance(w) = watermark w, then 3. It is the one input that is not in the log, so it first writes a
//   ClockAdvanced record that says before which input offset it happened; after a restart that record is applied instead of
//   the clock.
//
// Invariants:
//   I1  outputs and their ids are a function of the checkpoint, the inputs behind it and the recorded advances
//   I2  timers are numbered in the order they are set; a number is used once; a timer that is moved keeps its number
//   I3  for each timer the queue has an entry not later than its due time, so popping up to the watermark meets every due one
//   I4  ids are distinct: PROCESS/PARTITION/OFFSET/INDEX for inputs, PROCESS/PARTITION/t/NUMBER/INDEX for firings,
//       PROCESS/PARTITION/c/OFFSET/WATERMARK for advances of the clock; commands have sINDEX in the place of INDEX, by
//       which take_recorded() knows what deciders in the same topic wrote for them
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <lungo/framework/envelope.hpp>
#include <lungo/framework/process_actions.hpp>

namespace lungo {

/// The state of one key, as its process declares it.
class ProcessState {
 public:
  virtual ~ProcessState() = default;
};

/// What a process does with its types, seen from a core that knows none of them. Made by process.hpp. Its functions may throw
/// what the application throws.
class ProcessFold {
 public:
  virtual ~ProcessFold() = default;
  /// Replaces `out` by the key's text.
  virtual void key(const Envelope& envelope, int type, const void* event, std::string& out) const = 0;
  [[nodiscard]] virtual std::unique_ptr<ProcessState> make_state() const = 0;
  virtual void handle(ProcessState& state, int type, const void* event, Actions& actions) const = 0;
  /// Index of a timer by its name; -1: not in Timers.
  [[nodiscard]] virtual int timer_of(std::string_view name) const = 0;
  [[nodiscard]] virtual std::string_view timer_name(int timer) const = 0;
  /// Errors: undecodable.
  virtual Result<void> fire(ProcessState& state, int timer, BytesView payload, Actions& actions) const = 0;
  virtual void reset(ProcessState& state) const = 0;
  [[nodiscard]] virtual bool is_initial(const ProcessState& state) const = 0;
  virtual void encode_state(const ProcessState& state, Bytes& out) const = 0;
  /// `writer` is the shape that the state was encoded with. Errors: incompatible_shape, undecodable.
  virtual Result<void> decode_state(const Shape& writer, BytesView bytes, ProcessState& state) const = 0;
  [[nodiscard]] virtual const Shape& state_shape() const = 0;
  /// True when the process may emit an event of this name.
  [[nodiscard]] virtual bool emits(std::string_view name) const = 0;
};

/// Written before the outputs of a clock's advance: what the inputs alone do not determine.
struct ClockAdvanced {
  static constexpr std::string_view event_name = "lungo.ClockAdvanced";
  std::string process;
  std::int64_t input_offset = 0;  // the advance happened before the input at this offset
  std::int64_t watermark_ms = 0;
};

/// A command with the id it must be executed under, and the input that it goes back to: the one that react answered, or that
/// came next when a timer fired.
struct IdentifiedCommand {
  ProcessCommand command;
  std::string id;
  Offset input;
};

/// What the core wants done, in order. Records of one entry of `batches` go into one append.
struct ProcessEffects {
  std::vector<EncodedRecords> batches;
  std::vector<IdentifiedCommand> commands;
  [[nodiscard]] bool empty() const { return batches.empty() && commands.empty(); }
  [[nodiscard]] std::size_t size_bytes() const;
};

struct ProcessCounts {
  std::int64_t inputs = 0;
  std::int64_t late = 0;
  std::int64_t fired = 0;
  std::int64_t outputs = 0;
  std::int64_t repeated = 0;  // computed again after a restart and already in the log
};

struct ProcessCoreOptions {
  std::string name;  // of the process: without '/'
  PartitionId partition;
  std::chrono::milliseconds lateness{60'000};
  std::size_t pending_bytes_max = std::numeric_limits<std::size_t>::max();  // of outputs, before no further timer fires
  /// Added to the offsets of inputs in ids. Not 0 in a log that was copied to where offsets are smaller: no id comes twice.
  std::int64_t id_shift = 0;
};

class ProcessCore {
 public:
  /// `fold` must outlive the core.
  ProcessCore(const ProcessFold& fold, ProcessCoreOptions options);
  ~ProcessCore();
  ProcessCore(const ProcessCore&) = delete;
  ProcessCore& operator=(const ProcessCore&) = delete;

  /// Handles one event of the process's list. Errors: handler_failed when the application threw or emitted what it does not
  /// declare; too_large and invalid_argument for what it emits; undecodable for a timer. Then the core must be loaded again
  /// from a checkpoint. The error has the event's offset when it is this event's, and none when it is a timer's that was due
  /// before.
  Result<void> on_input(const Envelope& envelope, int type, const void* event, ProcessEffects& effects);
  /// What on_input() does before the input itself: its time moves the watermark, and due timers fire. For an input that
  /// on_input() failed for and that is left out. Errors: a timer's.
  Result<void> pass_over(const Envelope& envelope, ProcessEffects& effects);

  /// True when on_input(), pass_over(), on_clock() or apply_recorded() stopped because `effects` is full while more timers are
  /// due: call it again, with the same arguments, when there is room. The input was not handled yet. No checkpoint meanwhile.
  [[nodiscard]] bool is_firing() const { return firing_ != nullptr; }

  /// The earliest due time of a timer in the live lane.
  [[nodiscard]] std::optional<Timestamp> next_due() const;
  /// Advances the live lane to `now` minus the lateness, if a timer is due by then; `next_input` is the next offset to read.
  Result<void> on_clock(Timestamp now, Offset next_input, ProcessEffects& effects);

  // Restart.

  /// Replaces everything by a checkpoint's bytes, whose states have the shape `writer`. Errors: undecodable,
  /// incompatible_shape.
  Result<void> load(BytesView checkpoint, const Shape& writer);
  void save(Bytes& checkpoint) const;
  /// Takes note of one record that lies behind the checkpoint's output end: an output of this process is not written again, an
  /// advance is applied before the input it came before. Call for all of them, in order, before the first input.
  Result<void> take_recorded(const Envelope& envelope);
  /// Applies recorded advances that came before the input at `offset`.
  Result<void> apply_recorded(Offset offset, ProcessEffects& effects);
  /// True while outputs or advances that were recorded have not been met again.
  [[nodiscard]] bool is_recovering() const { return !recorded_ids_.empty() || next_advance_ < advances_.size(); }
  /// Forgets recorded outputs that were not met: the process's code has changed. Returns how many.
  std::size_t end_recovery();

  [[nodiscard]] std::size_t open_keys() const;
  [[nodiscard]] const ProcessCounts& counts() const { return counts_; }
  /// For tests: the watermark of a lane; nothing when the lane was never met or is forgotten.
  [[nodiscard]] std::optional<Timestamp> watermark(std::string_view lane) const;

 private:
  struct Timer;
  struct Key;
  struct QueueEntry;
  struct Lane;
  struct Advance {
    Offset before;
    Timestamp watermark;
  };
  struct Cause;

  Lane& lane_of(std::string_view name);
  void forget_idle_lanes();
  Result<void> advance(Lane& lane, Timestamp watermark, ProcessEffects& effects);
  Result<void> go_on(ProcessEffects& effects);
  Result<void> fire(Lane& lane, std::size_t slot, std::uint64_t number, ProcessEffects& effects);
  Result<void> carry_out(Lane& lane, std::size_t slot, const Cause& cause, ProcessEffects& effects);
  Result<void> emit(const Lane& lane, const Key& key, const Cause& cause, ProcessEffects& effects);
  Result<void> set_timers(Lane& lane, std::size_t slot, const Cause& cause);
  Result<void> add_output(const EnvelopeFields& fields, ProcessEffects& effects);

  const ProcessFold* fold_;
  ProcessCoreOptions options_;
  std::string id_prefix_;                     // PROCESS/PARTITION/
  std::vector<std::unique_ptr<Lane>> lanes_;  // the live lane first, then the latest used
  std::uint64_t next_timer_ = 1;
  Offset input_;            // in hand, or the next one
  Lane* firing_ = nullptr;  // has timers that are due and must fire before anything else
  ProcessCounts counts_;
  std::unordered_set<std::string> recorded_ids_;
  std::vector<Advance> advances_;
  std::size_t next_advance_ = 0;
  // Scratch memory, used again for every input.
  Actions actions_;
  std::string key_text_;
  std::string id_text_;
  std::string stream_text_;
  std::string id_lookup_;
};

}  // namespace lungo
