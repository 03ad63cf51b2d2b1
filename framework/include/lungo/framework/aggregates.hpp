// Executes commands on deciders: load the stream's state, decide, append what was decided unless somebody was faster.
//
//   Aggregates<Visit> visits{store};
//   Result<Commit> commit = visits.execute("42", ViewPage{"/espresso"});
//
// A decider's streams are `[scope/]NAME-id` in its topic; NAME is `F::category`, otherwise the struct's own name.
// Promise: what execute() answers is committed, and no other event came between the state that was decided on and it.
// The states of busy streams are kept (kept_states.hpp). They are caches: what is decided is what a load would have led to.
// Threads: any. No lock is held while a stream is read or appended to, nor while decide or evolve run.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/stream_draft.hpp>
#include <lungo/framework/stream_states.hpp>
#include <lungo/log/check.hpp>

namespace lungo {

struct ExecuteOptions {
  /// `meta.id` makes the command idempotent: when an event that carries it lies in the stream (behind the snapshot that was
  /// loaded, or from `since` on), that command's commit is returned and nothing is decided again.
  EventMeta meta;
  std::optional<Offset> since;
  int attempts = 10;                            // how often a conflict is met with a new load
  Duration timeout = std::chrono::seconds{30};  // for all attempts together
};

namespace detail {

/// A command without its type.
struct CommandTask {
  StreamId stream;
  std::string id;  // empty: none
  std::optional<Offset> since;
  DecideFunction decide;
};

/// Executes the command, again as long as others are faster. Conflicts wait until the record in the way is committed.
Result<Commit> run_attempts(EventStore& store, StreamLoads& loads, CommandTask task, int attempts, Duration timeout);

/// Runs commands beside the application, one load at a time, any number of appends in flight. Those of a stream that are due
/// together become one append.
class CommandLoop;
struct CommandLoopDeleter {
  void operator()(CommandLoop* loop) const;
};
using CommandLoopPtr = std::unique_ptr<CommandLoop, CommandLoopDeleter>;
/// `loads` outlives the loop. Errors: io, when the system has no thread left.
Result<CommandLoopPtr> start_command_loop(EventStore store, StreamLoads& loads);
void submit(CommandLoop& loop, CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done);

/// The views of an EventMeta with somebody who owns the bytes.
class OwnedMeta {
 public:
  explicit OwnedMeta(const EventMeta& meta);
  OwnedMeta(const OwnedMeta&) = delete;
  OwnedMeta& operator=(const OwnedMeta&) = delete;
  [[nodiscard]] EventMeta view() const;

 private:
  std::optional<Timestamp> time_;
  std::string id_, correlation_, causation_, lane_;
  std::vector<std::pair<std::string, Bytes>> headers_;
  std::vector<HeaderView> header_views_;
};

}  // namespace detail

template <WholeFold F>
class Aggregates {
  static_assert(check_fold<F>());

 public:
  using State = typename F::State;

  /// The topic is made with so many partitions when the first command finds none.
  explicit Aggregates(EventStore store, std::int32_t partitions = 4)
      : Aggregates(std::move(store), AggregatesOptions{.partitions = partitions}) {}
  Aggregates(EventStore store, const AggregatesOptions& options) : store_(std::move(store)), states_(store_, options) {}
  ~Aggregates() = default;
  Aggregates(const Aggregates&) = delete;
  Aggregates& operator=(const Aggregates&) = delete;

  /// Errors: rejected, with what the decider said; handler_failed when decide or evolve threw something else; unknown_event
  /// when the stream holds an event that F does not list; conflict after the last attempt; timed_out; as EventDecoder::decode()
  /// and EventStore::append().
  template <class C>
  Result<Commit> execute(const Scope& scope, std::string_view id, const C& command, const ExecuteOptions& options = {}) {
    static_assert(check_decide<F, C>());
    return detail::run_attempts(
        store_, states_,
        {StreamId{scope, category_name<F>(), id}, std::string(options.meta.id), options.since,
         [this, &command, &options](detail::StreamDraft& draft) { return decide(draft, command, options.meta); }},
        options.attempts, options.timeout);
  }
  template <class C>
  Result<Commit> execute(std::string_view id, const C& command, const ExecuteOptions& options = {}) {
    return execute(Scope{}, id, command, options);
  }

  /// Returns at once; `done` runs once, on an appending, syncing or command thread, and must not block. Commands of a stream
  /// take effect in the order of the calls. Those that queue while one is under way become one append, which changes no answer:
  /// each has the offsets of its own events, its own refusal, its own id. A command that was not done when this object goes is
  /// answered with `canceled`; one whose turn has not come by the timeout, or that met only conflicts, with `timed_out`; where
  /// the system has no thread left for commands, here, with `io`. Otherwise as execute().
  template <class C>
  void execute_async(const Scope& scope, std::string_view id, C command, const ExecuteOptions& options,
                     std::function<void(Result<Commit>)> done) {
    static_assert(check_decide<F, C>());
    const Result<detail::CommandLoop*> commands = loop();
    if (!commands) return done(commands.error());
    detail::submit(**commands,
                   {StreamId{scope, category_name<F>(), id}, std::string(options.meta.id), options.since,
                    [this, command = std::move(command), meta = std::make_shared<const detail::OwnedMeta>(options.meta)](
                        detail::StreamDraft& draft) { return decide(draft, command, meta->view()); }},
                   options.attempts, options.timeout, std::move(done));
  }

  /// The state as of now. Errors: as execute().
  Result<Loaded<F>> load(const Scope& scope, std::string_view id) {
    return states_.load(StreamId{scope, category_name<F>(), id});
  }
  Result<Loaded<F>> load(std::string_view id) { return load(Scope{}, id); }

 private:
  template <class C>
  Result<void> decide(detail::StreamDraft& draft, const C& command, const EventMeta& meta);
  Result<detail::CommandLoop*> loop();

  EventStore store_;
  detail::StreamStates<F> states_;
  std::mutex mutex_;
  detail::CommandLoopPtr loop_;  // last: it goes first, and its commands use all of the above
};

/// A DecideFunction.
template <WholeFold F>
template <class C>
Result<void> Aggregates<F>::decide(detail::StreamDraft& draft, const C& command, const EventMeta& meta) {
  Result<void> added;
  EventMeta next_meta = meta;
  try {
    const auto decision = F::decide(detail::StreamStates<F>::state_of(draft), command);
    for_each_event(decision, [&](const auto& event) {
      if (added) added = draft.batch.add(draft.stream, event, next_meta);
      next_meta.id = {};  // the id belongs to the command: its first record carries it
    });
  } catch (const rejected& refusal) {
    return Error{Errc::rejected, refusal.what()};
  } catch (...) {
    return Error{Errc::handler_failed, "decide of " + std::string(category_name<F>()) + ": " + current_exception_text()};
  }
  return added;
}

template <WholeFold F>
Result<detail::CommandLoop*> Aggregates<F>::loop() {
  const std::lock_guard lock(mutex_);
  if (loop_) return loop_.get();
  Result<detail::CommandLoopPtr> started = detail::start_command_loop(store_, states_);
  if (!started) return started.error();
  loop_ = std::move(*started);
  return loop_.get();
}

}  // namespace lungo
