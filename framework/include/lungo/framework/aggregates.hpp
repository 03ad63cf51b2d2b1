// Executes commands on deciders: load the stream's state, decide, append what was decided unless somebody was faster.
//
//   Aggregates<Visit> visits{store};
//   Result<Commit> commit = visits.execute("42", ViewPage{"/espresso"});
//
// A decider's streams are `[scope/]NAME-id` in its topic; NAME is `F::category`, otherwise the struct's own name.
// Promise: what execute() answers is committed, and no other event came between the state that was decided on and it.
// Threads: any.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/snapshots.hpp>
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

/// `F::category`, otherwise the struct's own name.
template <class F>
constexpr std::string_view category_name() {
  if constexpr (requires { std::string_view{F::category}; }) {
    return F::category;
  } else {
    return detail::plain_type_name<F>();
  }
}

/// A state as the log had it at `as_of`.
template <WholeFold F>
struct Loaded {
  typename F::State state{};
  Offset as_of;
  std::int64_t events = 0;         // in the stream, those inside a snapshot not counted
  std::optional<Offset> repeated;  // the event that carried the command's id
};

namespace detail {

/// What one attempt came to: a batch to append, or a commit without one.
struct Attempt {
  std::optional<EventBatch> batch;
  Commit commit;
};
using AttemptFunction = std::function<Result<Attempt>()>;

/// Runs attempts until one is appended; conflicts wait until the record in the way is committed.
Result<Commit> run_attempts(EventStore& store, const AttemptFunction& attempt, int attempts, Duration timeout);

/// The snapshot under `key` if its State has this shape and the log has all the events in it: a cut may have taken some of
/// them back. Nothing, also for one that does not read back: the whole stream is to be folded. Errors: as Snapshots::load()
/// and EventLog::validate().
Result<std::optional<Snapshot>> usable_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key,
                                                std::string_view topic, const ShapeHash& shape);
/// Stores `snapshot` as the state at `as_of`. It may fail: later loads take longer.
void save_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key, const TopicPartition& partition, Offset as_of,
                   Snapshot snapshot);

/// Runs commands beside the application, one load at a time, any number of appends in flight.
class CommandLoop;
struct CommandLoopDeleter {
  void operator()(CommandLoop* loop) const;
};
using CommandLoopPtr = std::unique_ptr<CommandLoop, CommandLoopDeleter>;
/// Errors: io, when the system has no thread left.
Result<CommandLoopPtr> start_command_loop(EventStore store);
void submit(CommandLoop& loop, AttemptFunction attempt, int attempts, Duration timeout,
            std::function<void(Result<Commit>)> done);

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
      : store_(std::move(store)), snapshots_(store_), partitions_(partitions) {}
  ~Aggregates() = default;
  Aggregates(const Aggregates&) = delete;
  Aggregates& operator=(const Aggregates&) = delete;

  /// Errors: rejected, with what the decider said; handler_failed when decide or evolve threw something else; unknown_event
  /// when the stream holds an event that F does not list; conflict after the last attempt; timed_out; as EventDecoder::decode()
  /// and EventStore::append().
  template <class C>
  Result<Commit> execute(const Scope& scope, std::string_view id, const C& command, const ExecuteOptions& options = {}) {
    static_assert(check_decide<F, C>());
    const StreamId stream{scope, category_name<F>(), id};
    return detail::run_attempts(
        store_, [&] { return attempt(stream, command, options.meta, options.since); }, options.attempts, options.timeout);
  }
  template <class C>
  Result<Commit> execute(std::string_view id, const C& command, const ExecuteOptions& options = {}) {
    return execute(Scope{}, id, command, options);
  }

  /// Returns at once; `done` runs once, on an appending, syncing or command thread, and must not block. A command that was not
  /// done when this object goes is answered with `canceled`; where the system has no thread left for commands, here, with `io`.
  template <class C>
  void execute_async(const Scope& scope, std::string_view id, C command, const ExecuteOptions& options,
                     std::function<void(Result<Commit>)> done) {
    static_assert(check_decide<F, C>());
    const Result<detail::CommandLoop*> commands = loop();
    if (!commands) return done(commands.error());
    detail::submit(
        **commands,
        [this, stream = StreamId{scope, category_name<F>(), id}, command = std::move(command),
         meta = std::make_shared<const detail::OwnedMeta>(options.meta),
         since = options.since] { return attempt(stream, command, meta->view(), since); },
        options.attempts, options.timeout, std::move(done));
  }

  /// The state as of now. Errors: as execute().
  Result<Loaded<F>> load(const Scope& scope, std::string_view id) {
    return load_stream(StreamId{scope, category_name<F>(), id}, {}, std::nullopt);
  }
  Result<Loaded<F>> load(std::string_view id) { return load(Scope{}, id); }

 private:
  /// A decoder and the step for each of its types; used by one load at a time.
  struct Loader {
    using Step = void (*)(State&, const void*);
    explicit Loader(ShapeRegistry& shapes) : decoder(shapes) { add(typename F::Events{}); }
    template <class... E>
    void add(events<E...>) {
      (decoder.add<E>(), ...);
      steps = {[](State& state, const void* event) { evolve_into<F>(state, *static_cast<const E*>(event)); }...};
    }
    EventDecoder decoder;
    std::array<Step, F::Events::size> steps{};
  };

  template <class C>
  Result<detail::Attempt> attempt(const StreamId& stream, const C& command, const EventMeta& meta, std::optional<Offset> since);
  Result<Loaded<F>> load_stream(const StreamId& stream, std::string_view command_id, std::optional<Offset> since);
  /// Returns how many of the events lie at or above `snapshot_end`.
  Result<std::int64_t> fold(StreamEvents& events, Loader& loader, std::string_view command_id, Offset snapshot_end,
                            Loaded<F>& loaded);
  Result<void> prepare();
  std::unique_ptr<Loader> take_loader();
  void give_back(std::unique_ptr<Loader> loader);
  Result<detail::CommandLoop*> loop();

  EventStore store_;
  Snapshots snapshots_;
  const std::int32_t partitions_;
  std::mutex mutex_;
  bool prepared_ = false;
  std::vector<std::unique_ptr<Loader>> idle_;
  detail::CommandLoopPtr loop_;  // last: it goes first, and its commands use all of the above
};

template <WholeFold F>
template <class C>
Result<detail::Attempt> Aggregates<F>::attempt(const StreamId& stream, const C& command, const EventMeta& meta,
                                               std::optional<Offset> since) {
  Result<Loaded<F>> loaded = load_stream(stream, meta.id, since);
  if (!loaded) return loaded.error();
  Result<EventBatch> batch = store_.batch(topic_of<F>());
  if (!batch) return batch.error();
  const TopicPartition partition{std::string(topic_of<F>()), batch->partition_of(stream.text())};
  if (loaded->repeated) return detail::Attempt{std::nullopt, {partition, *loaded->repeated, loaded->as_of, true}};

  Result<void> added;
  EventMeta next_meta = meta;
  try {
    const auto decision = F::decide(std::as_const(loaded->state), command);
    for_each_event(decision, [&](const auto& event) {
      if (added) added = batch->add(stream, event, next_meta);
      next_meta.id = {};  // the id belongs to the append: its first record carries it
    });
  } catch (const rejected& refusal) {
    return Error{Errc::rejected, refusal.what()};
  } catch (...) {
    return Error{Errc::handler_failed, "decide of " + std::string(category_name<F>()) + ": " + current_exception_text()};
  }
  if (!added) return added.error();
  if (batch->count() == 0) return detail::Attempt{std::nullopt, {partition, loaded->as_of, loaded->as_of, false}};
  batch->expect_unchanged(stream.text(), loaded->as_of);
  return detail::Attempt{std::move(*batch), {partition, {}, {}, false}};
}

template <WholeFold F>
Result<Loaded<F>> Aggregates<F>::load_stream(const StreamId& stream, std::string_view command_id, std::optional<Offset> since) {
  Result<void> prepared = prepare();
  if (!prepared) return prepared.error();
  Loaded<F> loaded;
  Offset begin{0};
  Offset snapshot_end{0};  // of the newest one, used or not
  std::string snapshot_key;
  if constexpr (requires { F::snapshot_every; }) {
    snapshot_key = "decider/" + std::string(category_name<F>()) + "/" + stream.text();
    Result<std::optional<Snapshot>> snapshot =
        detail::usable_snapshot(store_, snapshots_, snapshot_key, topic_of<F>(), shape_of<State>().hash());
    if (!snapshot) return snapshot.error();
    if (*snapshot) snapshot_end = (*snapshot)->position.offset;
    // A command's id may lie inside the snapshot: then the whole stream is folded.
    if (*snapshot && (!since || *since >= snapshot_end)) {
      if (decode((*snapshot)->state, loaded.state)) {
        begin = snapshot_end;
      } else {  // it is a cache: the stream has it all
        loaded.state = State{};
        snapshot_end = Offset{0};
      }
    }
  }
  Result<StreamEvents> events = store_.read_stream(topic_of<F>(), stream, begin);
  if (!events) return events.error();
  loaded.as_of = events->as_of();
  std::unique_ptr<Loader> loader = take_loader();
  Result<std::int64_t> behind_snapshot = fold(*events, *loader, command_id, snapshot_end, loaded);
  give_back(std::move(loader));
  if (!behind_snapshot) return behind_snapshot.error();
  if constexpr (requires { F::snapshot_every; }) {
    if (*behind_snapshot > 0 && *behind_snapshot >= F::snapshot_every && !store_.log().read_only()) {
      Bytes state;
      encode(loaded.state, state);
      detail::save_snapshot(store_, snapshots_, snapshot_key, events->partition(), loaded.as_of,
                            {{}, shape_of<State>().hash(), std::move(state)});
    }
  }
  return loaded;
}

template <WholeFold F>
Result<std::int64_t> Aggregates<F>::fold(StreamEvents& events, Loader& loader, std::string_view command_id, Offset snapshot_end,
                                         Loaded<F>& loaded) {
  std::int64_t behind_snapshot = 0;
  while (true) {
    Result<const StreamEvent*> next = events.next();
    if (!next) return next.error();
    if (*next == nullptr) return behind_snapshot;
    const Envelope& envelope = (*next)->envelope;
    if (!command_id.empty() && envelope.id == command_id) loaded.repeated = envelope.offset;
    Result<Decoded> decoded = loader.decoder.decode(envelope);
    if (!decoded) return decoded.error();
    if (decoded->type < 0) {
      return Error{Errc::unknown_event,
                   "stream " + std::string(envelope.stream) + " holds " + std::string(envelope.type) + ", which " +
                       std::string(category_name<F>()) + " does not list",
                   envelope.offset};
    }
    try {
      loader.steps[static_cast<std::size_t>(decoded->type)](loaded.state, decoded->event);
    } catch (...) {
      return Error{Errc::handler_failed, "evolve of " + std::string(category_name<F>()) + ": " + current_exception_text(),
                   envelope.offset};
    }
    ++loaded.events;
    if (envelope.offset >= snapshot_end) ++behind_snapshot;
  }
}

template <WholeFold F>
Result<void> Aggregates<F>::prepare() {
  const std::lock_guard lock(mutex_);
  if (prepared_) return {};
  Result<TopicInfo> topic = store_.stream_topic(topic_of<F>(), partitions_);
  if (!topic) return topic.error();
  if constexpr (requires { F::snapshot_every; }) {
    Result<void> ready = store_.log().read_only() ? Result<void>{} : snapshots_.prepare();
    if (!ready) return ready;
  }
  prepared_ = true;
  return {};
}

template <WholeFold F>
auto Aggregates<F>::take_loader() -> std::unique_ptr<Loader> {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Loader> loader = std::move(idle_.back());
      idle_.pop_back();
      return loader;
    }
  }
  return std::make_unique<Loader>(store_.shapes());
}

template <WholeFold F>
void Aggregates<F>::give_back(std::unique_ptr<Loader> loader) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(loader));
}

template <WholeFold F>
Result<detail::CommandLoop*> Aggregates<F>::loop() {
  const std::lock_guard lock(mutex_);
  if (loop_) return loop_.get();
  Result<detail::CommandLoopPtr> started = detail::start_command_loop(store_);
  if (!started) return started.error();
  loop_ = std::move(*started);
  return loop_.get();
}

}  // namespace lungo
