// Executes commands on deciders: load the stream's state, decide, append what was decided unless somebody was faster.
//
//   Aggregates<Visit> visits{store};
//   Result<Commit> commit = visits.execute("42", ViewPage{"/espresso"});
//
// A decider's streams are `[scope/]NAME-id` in its topic; NAME is `F::category`, otherwise the struct's own name.
// Promise: what execute() answers is committed, and no other event came between the state that was decided on and it.
// Where processes share the topic, the owner of the stream's partition executes; the others send it the command
// (forwarder.hpp). Where processes share the topic, the owner of the stream's partition executes; the others send it the
// command (forwarder.hpp). The states of busy streams are kept (kept_states.hpp). They are caches: what is decided is what a
// load would have led to. Threads: any. No lock is held while a stream is read or appended to, nor while decide or evolve run.
#pragma once

#include <chrono>
#include <concepts>
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
#include <lungo/framework/forwarded_command.hpp>
#include <lungo/framework/stream_draft.hpp>
#include <lungo/framework/stream_states.hpp>
#include <lungo/log/answer.hpp>
#include <lungo/log/check.hpp>
#include <lungo/log/deadline.hpp>

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
  /// What goes to the owner of another process's partition: the command with what is left of its time. Null where it can't go.
  /// Errors: too_large; as ShapeRegistry::publish().
  std::function<Result<Bytes>(std::chrono::milliseconds timeout, std::optional<Offset> since)> describe = {};
  bool only_here = false;  // it came from another process
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

/// `call` says for which stream, until when, and since when its id is looked for.
template <class C>
Result<Bytes> describe(EventStore& store, ForwardedCommand call, const EventMeta& meta, const C& command) {
  const Shape* const shape = &shape_of<C>();
  Result<void> published = store.shapes().publish({&shape, 1});
  if (!published) return published.error();
  Bytes payload;
  encode(command, payload);
  call.time = meta.time;
  call.command_id = meta.id;
  call.correlation = meta.correlation;
  call.causation = meta.causation;
  call.lane = meta.lane;
  call.headers.assign(meta.headers.begin(), meta.headers.end());
  call.type = event_name<C>();
  call.shape = shape->hash();
  call.payload = payload;
  return to_bytes(call);
}

template <WholeFold F>
class ServedDecider;

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
  /// and EventStore::append(). Where another process owns the partition: not_owner, naming it, when the command can't be sent
  /// there (no forwarder, or not among F::Commands); too_large; timed_out while nobody owns it or is reached, and at once
  /// where a command without an id was sent and nobody knows what became of it: it may have been executed.
  template <class C>
  Result<Commit> execute(const Scope& scope, std::string_view id, const C& command, const ExecuteOptions& options = {}) {
    static_assert(check_decide<F, C>());
    const StreamId stream{scope, category_name<F>(), id};
    const Instant deadline = deadline_after(store_.log().ports().clock.monotonic(), options.timeout);
    const Result<bool> here = states_.is_mine(stream);
    if (!here) return here.error();
    if (*here) {
      Result<Commit> outcome = detail::run_attempts(
          store_, states_,
          {stream, std::string(options.meta.id), options.since,
           [this, &command, &options](detail::StreamDraft& draft) { return decide(draft, command, options.meta); }},
          options.attempts, options.timeout);
      if (outcome || outcome.error() != Errc::not_owner) return outcome;
    }
    return execute_elsewhere(scope, id, command, options, deadline);
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
    submit(task_of(scope, id, std::move(command), options), options, std::move(done));
  }

  /// The state as of now. Errors: as execute().
  Result<Loaded<F>> load(const Scope& scope, std::string_view id) {
    return states_.load(StreamId{scope, category_name<F>(), id});
  }
  Result<Loaded<F>> load(std::string_view id) { return load(Scope{}, id); }

 private:
  friend class detail::ServedDecider<F>;

  template <class C>
  Result<void> decide(detail::StreamDraft& draft, const C& command, const EventMeta& meta);
  template <class C>
  Result<Commit> execute_elsewhere(const Scope& scope, std::string_view id, const C& command, const ExecuteOptions& options,
                                   Instant deadline);
  template <class C>
  detail::CommandTask task_of(const Scope& scope, std::string_view id, C command, const ExecuteOptions& options);
  void submit(detail::CommandTask task, const ExecuteOptions& options, std::function<void(Result<Commit>)> done);
  Result<detail::CommandLoop*> loop();

  EventStore store_;
  const bool forwards_ = store_.forwarder() != nullptr;
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
template <class C>
detail::CommandTask Aggregates<F>::task_of(const Scope& scope, std::string_view id, C command, const ExecuteOptions& options) {
  detail::CommandTask task{StreamId{scope, category_name<F>(), id}, std::string(options.meta.id), options.since, {}};
  auto meta = std::make_shared<const detail::OwnedMeta>(options.meta);
  if constexpr (detail::may_forward<F, C>()) {
    if (forwards_) {
      auto shared = std::make_shared<const C>(std::move(command));
      task.decide = [this, shared, meta](detail::StreamDraft& draft) { return decide(draft, *shared, meta->view()); };
      task.describe = [this, shared, meta, scope = scope.name(), id = std::string(id), attempts = options.attempts](
                          std::chrono::milliseconds timeout, std::optional<Offset> since) {
        return detail::describe(store_, {timeout, attempts, category_name<F>(), scope, id, since}, meta->view(), *shared);
      };
      return task;
    }
  }
  task.decide = [this, command = std::move(command), meta = std::move(meta)](detail::StreamDraft& draft) {
    return decide(draft, command, meta->view());
  };
  return task;
}

template <WholeFold F>
void Aggregates<F>::submit(detail::CommandTask task, const ExecuteOptions& options, std::function<void(Result<Commit>)> done) {
  const Result<detail::CommandLoop*> commands = loop();
  if (!commands) return done(commands.error());
  detail::submit(**commands, std::move(task), options.attempts, options.timeout, std::move(done));
}

/// By the command loop, which waits for owners and sends.
template <WholeFold F>
template <class C>
Result<Commit> Aggregates<F>::execute_elsewhere(const Scope& scope, std::string_view id, const C& command,
                                                const ExecuteOptions& options, Instant deadline) {
  if constexpr (std::copy_constructible<C>) {
    constexpr std::chrono::milliseconds kGrace{100};  // at the deadline the loop itself says what it waited for
    const Ports ports = store_.log().ports();
    ExecuteOptions left = options;
    left.timeout = deadline - ports.clock.monotonic();
    Answer<Commit> answer{ports, left.timeout + kGrace};
    execute_async(scope, id, command, left, answer.completion());
    if (std::optional<Result<Commit>> outcome = answer.wait()) return *std::move(outcome);
    return Error{Errc::timed_out, "the command was not answered in time; it may still be executed"};
  } else {
    return Error{Errc::not_owner,
                 "the stream's partition is another process's, and this command can't be copied to wait for it"};
  }
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
