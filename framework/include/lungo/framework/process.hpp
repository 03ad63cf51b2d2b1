// Processes: a Fold with `key` and `react`, which answers events with events, commands and timers.
//
//   struct Sessions {
//     using Events = lungo::events<Request>;              // inputs, read from `topic` (default "events")
//     struct Timeout {};
//     using Timers = lungo::events<Timeout>;              // optional
//     using Emits = lungo::events<SessionEnded>;          // optional: all that it may emit
//     struct State { int pages = 0; };                    // of one key; an event like any other: its shape may change
//     static std::string key(const lungo::Envelope&, const Request& r) { return r.visitor; }
//     static State evolve(State s, const Request&) { ++s.pages; return s; }
//     static void react(const State&, const Request&, lungo::Actions& a) { a.after<Timeout>(30min); }
//     static void react(const State& s, const Timeout&, lungo::Actions& a) { a.emit(SessionEnded{s.pages}).close(); }
//   };
//   Process<Sessions> sessions{store};
//   sessions.start();
//
// Forms of react, for events and timers alike, after evolve: `Actions react(state, e)`, `void react(state, e, Actions&)`, and
// `void react(before, after, e, Actions&)`, which sees the state from before evolve as well. An event without a react only
// evolves; a timer needs no evolve. `output_topic` (default: the input's) must have as many partitions as `topic`. All inputs
// of one key must lie in one partition: one stream, or one scope. Outputs lie in the partition of their input.
//
// Promise: the outputs, with their ids, are the same whatever crashes: none is lost, none is written twice. react is never
// called for a replay of projections. Event time drives the timers; see process_core.hpp and docs/internals/process.md.
// Where processes of the operating system share the log (membership.hpp), each runs the partitions of which it owns both the
// input and the output, and the promise is that of all of them together.
// Threads: start() and stop() one at a time, catch_up() and the status from any thread; the fold's functions run on the
// process's own activity.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/errors.hpp>
#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/process_core.hpp>
#include <lungo/framework/process_fold.hpp>
#include <lungo/framework/subscription.hpp>

namespace lungo {

struct ProcessOptions {
  StartFrom start_from = StartFrom::beginning;
  std::chrono::milliseconds lateness{60'000};
  Duration checkpoint_interval = std::chrono::seconds{1};
  std::size_t pending_bytes_max = 2u << 20;  // of outputs not yet committed, per partition, before it reads no further
  ErrorPolicy errors;
  /// How far the live lane's clock has come, for an application whose inputs may lag behind the world, as when it reads a file
  /// that has grown for hours. Whoever answers T promises: what happened before T is committed already, or is never appended.
  /// Nothing: the clock stands still. Asked whenever all inputs are handled, and about once a second while timers wait; called
  /// on the process's activity, so it must not block, and whatever it reads must outlive the process. Absent: the system's
  /// clock.
  std::function<std::optional<Timestamp>()> live_time;
};

struct ProcessStatus {
  bool running = false;
  std::optional<Error> error;  // why it stopped by itself, or what it is trying again
  ProcessCounts counts;        // since the checkpoints were loaded, over all partitions
  std::int64_t commands = 0;
  std::int64_t refused_commands = 0;
  std::int64_t parked = 0;
  std::int64_t unmatched = 0;  // outputs recorded before the last stop that are not computed any more: its code has changed
  std::size_t open_keys = 0;
  std::vector<PartitionLag> partitions;  // of its input, those that run here
  [[nodiscard]] std::int64_t lag() const;
};

/// A process without its C++ type. Process<P> is what applications use.
class ProcessRunner {
 public:
  struct Setup {
    std::string name;
    std::string topic;
    std::string output_topic;
    std::unique_ptr<ProcessFold> fold;
    std::unique_ptr<EventDecoder> decoder;  // knows the inputs, in the order of the fold's types
    std::vector<DeclaredType> declared;     // what it emits, and its state
  };
  ProcessRunner(EventStore store, Setup setup, ProcessOptions options);
  ~ProcessRunner();
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;
  /// Errors: as Process::start().
  Result<void> start();
  /// Errors: timed_out, as Process::stop().
  Result<void> stop(Duration timeout);
  /// Errors: timed_out; what stopped the process; closed when it does not run; as EventLog::ends().
  Result<void> catch_up(Duration timeout);
  [[nodiscard]] ProcessStatus status() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

template <WholeFold P>
class Process {
  static_assert(check_fold<P>());

 public:
  explicit Process(EventStore store, ProcessOptions options = {}) : runner_(store, setup(store), std::move(options)) {}

  /// Loads its checkpoints and begins, with the partitions that are this process's; others follow as they are opened. Errors:
  /// invalid_argument when it runs already or the output topic has another number of partitions; position_diverged when the
  /// log was cut below a checkpoint; history_trimmed; incompatible_shape when State has changed in a way that old states can't
  /// follow; as EventStore::declare() and Membership::join().
  Result<void> start() { return runner_.start(); }
  /// Finishes what is in flight, writes its checkpoints and stops. Errors: timed_out, as EventLog::append(). It is stopped in
  /// any case.
  Result<void> stop(Duration timeout = std::chrono::seconds{10}) { return runner_.stop(timeout); }
  /// Waits until all inputs committed when the call began are handled and their outputs are committed; partitions that another
  /// process has are left to it, those that nobody has are waited for. Errors: timed_out, naming what lags; what stopped the
  /// process.
  Result<void> catch_up(Duration timeout) { return runner_.catch_up(timeout); }
  [[nodiscard]] ProcessStatus status() const { return runner_.status(); }

 private:
  static ProcessRunner::Setup setup(EventStore& store) {
    ProcessRunner::Setup made;
    made.name = category_name<P>();
    made.topic = topic_of<P>();
    if constexpr (requires { std::string_view{P::output_topic}; }) {
      made.output_topic = P::output_topic;
    } else {
      made.output_topic = made.topic;
    }
    made.fold = std::make_unique<ProcessFoldOf<P>>();
    made.decoder = std::make_unique<EventDecoder>(store.shapes());
    ProcessFoldOf<P>::add_inputs(*made.decoder);
    made.declared = ProcessFoldOf<P>::declared();
    return made;
  }

  ProcessRunner runner_;
};

}  // namespace lungo
