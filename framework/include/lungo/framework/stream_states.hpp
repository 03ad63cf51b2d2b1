// Loads the streams of one decider: from the state that was kept, from a snapshot, or from their start.
//
// For Aggregates<F>, which decides on them.
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/fold.hpp>
#include <lungo/framework/kept_states.hpp>
#include <lungo/framework/snapshots.hpp>
#include <lungo/framework/stream_draft.hpp>
#include <lungo/framework/stream_owners.hpp>
#include <lungo/log/check.hpp>

namespace lungo {

/// `F::category`, otherwise the struct's own name.
template <class F>
constexpr std::string_view category_name() {
  if constexpr (requires { std::string_view{F::category}; }) {
    return F::category;
  } else {
    return detail::plain_type_name<F>();
  }
}

struct AggregatesOptions {
  std::int32_t partitions = 4;  // of the topic, where the first command makes it
  /// States of busy streams are kept, so that a command reads only what its stream has got since; so many bytes of them, those
  /// used last. 0: none. What a State holds by pointers or in classes of its own is taken to be what its events brought.
  std::size_t kept_bytes_max = 64u << 20;
};

/// A state as the log had it at `as_of`.
template <WholeFold F>
struct Loaded {
  typename F::State state{};
  Offset as_of;
  std::int64_t events = 0;         // in the stream, those inside a snapshot not counted
  std::optional<Offset> repeated;  // the event that carried the command's id
};

namespace detail {

/// The snapshot under `key` if its State has this shape and the log has all the events in it: a cut may have taken some of
/// them back. Nothing, also for one that does not read back: the whole stream is to be folded. Errors: as Snapshots::load()
/// and EventLog::validate().
Result<std::optional<Snapshot>> usable_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key,
                                                std::string_view topic, const ShapeHash& shape);
/// Stores `snapshot` as the state at `as_of`. It may fail: later loads take longer.
void save_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key, const TopicPartition& partition, Offset as_of,
                   Snapshot snapshot);

template <WholeFold F>
class StreamStates final : public StreamLoads {
 public:
  using State = typename F::State;

  StreamStates(EventStore store, const AggregatesOptions& options)
      : store_(std::move(store)),
        snapshots_(store_),
        partitions_(options.partitions),
        kept_(std::make_shared<KeptStates>(options.kept_bytes_max)),
        owners_(kept_) {}

  /// Of what the log has, whatever is kept. Errors: as Aggregates::load().
  Result<Loaded<F>> load(const StreamId& stream);
  Result<bool> is_mine(const StreamId& stream) override;
  Result<StreamPlace> place_of(const StreamId& stream) override;
  Result<StreamDraft> draft(const StreamId& stream, std::string_view command_id, std::optional<Offset> since) override;
  void evolve(StreamDraft& draft, std::size_t begin) override;

  static const State& state_of(const StreamDraft& draft) { return static_cast<const Kept&>(*draft.state).state; }

 private:
  using Kept = KeptStateOf<State>;
  /// A stream that was read up to `as_of`.
  struct Reading {
    TopicPartition partition;
    std::unique_ptr<Kept> kept;
    Offset as_of;
    std::int64_t events = 0;  // that were read
    std::optional<Offset> repeated;
  };
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

  Result<Reading> read(const StreamId& stream, std::string_view command_id, std::optional<Offset> since);
  std::optional<Reading> go_on(const StreamId& stream, std::string_view command_id, std::optional<Offset> since);
  Result<void> begin(const StreamId& stream, std::optional<Offset> since, Kept& kept, Offset& snapshot_end);
  Result<void> fold(StreamEvents& events, std::string_view command_id, Offset snapshot_end, Reading& reading);
  Result<void> fold_one(const Envelope& envelope, Loader& loader, Kept& kept);
  void save_when_due(const StreamId& stream, Reading& reading);
  [[nodiscard]] static std::string snapshot_key(const StreamId& stream) {
    return "decider/" + std::string(category_name<F>()) + "/" + stream.text();
  }
  Result<void> prepare();
  Result<void> prepare_to_write();
  std::unique_ptr<Loader> take_loader();
  void give_back(std::unique_ptr<Loader> loader);

  EventStore store_;
  Snapshots snapshots_;
  const std::int32_t partitions_;
  const std::shared_ptr<KeptStates> kept_;
  std::mutex mutex_;
  bool prepared_ = false;
  std::atomic<std::int32_t> partitions_joined_{0};  // of the topic; 0: its partitions are not shared yet
  std::vector<std::unique_ptr<Loader>> idle_;
  StreamOwners owners_;  // last: it goes first
};

template <WholeFold F>
Result<Loaded<F>> StreamStates<F>::load(const StreamId& stream) {
  if (Result<void> prepared = prepare(); !prepared) return prepared.error();
  Result<Reading> reading = read(stream, {}, std::nullopt);
  if (!reading) return reading.error();
  return Loaded<F>{std::move(reading->kept->state), reading->as_of, reading->events, reading->repeated};
}

template <WholeFold F>
Result<StreamDraft> StreamStates<F>::draft(const StreamId& stream, std::string_view command_id, std::optional<Offset> since) {
  if (Result<void> prepared = prepare_to_write(); !prepared) return prepared.error();
  Result<EventBatch> batch = store_.batch(topic_of<F>());
  if (!batch) return batch.error();
  std::optional<Reading> reading = go_on(stream, command_id, since);
  if (!reading) {
    Result<Reading> whole = read(stream, command_id, since);
    if (!whole) return whole.error();
    reading = std::move(*whole);
  }
  return StreamDraft{stream.text(),     std::move(reading->partition), reading->as_of, reading->repeated,
                     std::move(*batch), std::move(reading->kept),      kept_};
}

/// From the newest snapshot or the stream's start.
template <WholeFold F>
auto StreamStates<F>::read(const StreamId& stream, std::string_view command_id, std::optional<Offset> since)
    -> Result<Reading> {
  Result<TopicInfo> topic = store_.log().topic(topic_of<F>());  // as it is now: before what is read of it
  Reading reading;
  reading.kept = std::make_unique<Kept>();
  Offset snapshot_end{0};  // of the newest one, used or not
  if (Result<void> begun = begin(stream, since, *reading.kept, snapshot_end); !begun) return begun.error();
  Result<StreamEvents> events = store_.read_stream(topic_of<F>(), stream, reading.kept->begin);
  if (!events) return events.error();
  reading.partition = events->partition();
  reading.as_of = events->as_of();
  if (topic) {
    reading.kept->position.topic = topic->id;
    reading.kept->position.partition = reading.partition.partition;
  }
  if (Result<void> folded = fold(*events, command_id, snapshot_end, reading); !folded) return folded.error();
  save_when_due(stream, reading);
  return reading;
}

/// From the state that was kept. Nothing where that will not do, for whatever reason: a whole load can tell it.
template <WholeFold F>
auto StreamStates<F>::go_on(const StreamId& stream, std::string_view command_id, std::optional<Offset> since)
    -> std::optional<Reading> {
  std::unique_ptr<KeptState> kept = kept_->take(stream.text());
  if (!kept) return std::nullopt;
  if (!command_id.empty() && ((since && *since < kept->begin) || kept->ids.may_have(command_id))) return std::nullopt;
  const TopicPartition partition{std::string(topic_of<F>()), kept->position.partition};
  const std::optional<Ends> ends = ends_behind(store_.log(), partition, *kept);
  if (!ends) return std::nullopt;
  Reading reading;
  reading.partition = partition;
  reading.kept.reset(static_cast<Kept*>(kept.release()));
  reading.as_of = ends->committed;
  StreamEvents events{store_.shared_log(), partition, stream.text(), reading.kept->position.offset, ends->committed};
  if (!fold(events, command_id, reading.kept->begin, reading)) return std::nullopt;
  save_when_due(stream, reading);
  return reading;
}

/// Where the fold begins.
template <WholeFold F>
Result<void> StreamStates<F>::begin(const StreamId& stream, std::optional<Offset> since, Kept& kept, Offset& snapshot_end) {
  if constexpr (requires { F::snapshot_every; }) {
    Result<std::optional<Snapshot>> snapshot =
        usable_snapshot(store_, snapshots_, snapshot_key(stream), topic_of<F>(), shape_of<State>().hash());
    if (!snapshot) return snapshot.error();
    if (!*snapshot) return {};
    snapshot_end = (*snapshot)->position.offset;
    // A command's id may lie inside the snapshot: then the whole stream is folded.
    if (since && *since < snapshot_end) return {};
    if (decode((*snapshot)->state, kept.state)) {
      kept.position = (*snapshot)->position;
      kept.begin = snapshot_end;
      kept.grown_by((*snapshot)->state.size());
    } else {  // it is a cache: the stream has it all
      kept.state = State{};
      snapshot_end = Offset{0};
    }
  }
  return {};
}

template <WholeFold F>
Result<void> StreamStates<F>::fold(StreamEvents& events, std::string_view command_id, Offset snapshot_end, Reading& reading) {
  std::unique_ptr<Loader> loader = take_loader();
  Result<void> folded;
  while (folded) {
    Result<const StreamEvent*> next = events.next();
    if (!next) folded = next.error();
    if (!next || *next == nullptr) break;
    const Envelope& envelope = (*next)->envelope;
    if (!command_id.empty() && envelope.id == command_id) reading.repeated = envelope.offset;
    folded = fold_one(envelope, *loader, *reading.kept);
    reading.kept->position.offset = envelope.offset.next();
    reading.kept->position.epoch = envelope.epoch;
    if (envelope.offset >= snapshot_end) ++reading.kept->unsaved_events;
    ++reading.events;
  }
  give_back(std::move(loader));
  return folded;
}

template <WholeFold F>
Result<void> StreamStates<F>::fold_one(const Envelope& envelope, Loader& loader, Kept& kept) {
  Result<Decoded> decoded = loader.decoder.decode(envelope);
  if (!decoded) return decoded.error();
  if (decoded->type < 0) {
    return Error{Errc::unknown_event,
                 "stream " + std::string(envelope.stream) + " holds " + std::string(envelope.type) + ", which " +
                     std::string(category_name<F>()) + " does not list",
                 envelope.offset};
  }
  try {
    loader.steps[static_cast<std::size_t>(decoded->type)](kept.state, decoded->event);
  } catch (...) {
    return Error{Errc::handler_failed, "evolve of " + std::string(category_name<F>()) + ": " + current_exception_text(),
                 envelope.offset};
  }
  if (!envelope.id.empty()) kept.ids.add(envelope.id);
  kept.grown_by(envelope.payload.size());
  return {};
}

template <WholeFold F>
void StreamStates<F>::evolve(StreamDraft& draft, std::size_t begin) {
  auto& kept = static_cast<Kept&>(*draft.state);
  std::unique_ptr<Loader> loader = take_loader();
  const PartitionId partition = draft.partition.partition;
  for (std::size_t index = begin; index < draft.batch.count(partition); ++index) {
    const Result<Envelope> event = draft.batch.event(partition, index);
    if (!event || !fold_one(*event, *loader, kept)) {
      draft.state.reset();
      break;
    }
    ++kept.unsaved_events;
  }
  give_back(std::move(loader));
}

template <WholeFold F>
void StreamStates<F>::save_when_due(const StreamId& stream, Reading& reading) {
  if constexpr (requires { F::snapshot_every; }) {
    Kept& kept = *reading.kept;
    if (kept.unsaved_events <= 0 || kept.unsaved_events < F::snapshot_every || store_.log().read_only()) return;
    Bytes state;
    encode(kept.state, state);
    save_snapshot(store_, snapshots_, snapshot_key(stream), reading.partition, reading.as_of,
                  {{}, shape_of<State>().hash(), std::move(state)});
    kept.unsaved_events = 0;
  }
}

template <WholeFold F>
Result<void> StreamStates<F>::prepare() {
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

/// Who only reads takes no part in sharing the topic.
template <WholeFold F>
Result<void> StreamStates<F>::prepare_to_write() {
  if (partitions_joined_.load(std::memory_order_acquire) > 0) return {};
  if (Result<void> prepared = prepare(); !prepared) return prepared;
  const std::lock_guard lock(mutex_);
  if (partitions_joined_.load(std::memory_order_relaxed) > 0) return {};
  Result<TopicInfo> topic = store_.topic(topic_of<F>());
  if (!topic) return topic.error();
  Result<void> joined = owners_.join(store_.log(), topic->spec);
  if (joined) partitions_joined_.store(topic->spec.partitions, std::memory_order_release);
  return joined;
}

template <WholeFold F>
Result<bool> StreamStates<F>::is_mine(const StreamId& stream) {
  if (Result<void> prepared = prepare_to_write(); !prepared) return prepared.error();
  return owners_.is_mine(partition_of_stream(stream.text(), partitions_joined_.load(std::memory_order_acquire)));
}

template <WholeFold F>
Result<StreamPlace> StreamStates<F>::place_of(const StreamId& stream) {
  if (Result<void> prepared = prepare_to_write(); !prepared) return prepared.error();
  const std::int32_t partitions = partitions_joined_.load(std::memory_order_acquire);
  StreamPlace place{{std::string(topic_of<F>()), partition_of_stream(stream.text(), partitions)}, {}};
  Result<std::optional<Membership::Owner>> owner = owners_.owner_of(place.partition);
  if (!owner) return owner.error();
  place.owner = std::move(*owner);
  return place;
}

template <WholeFold F>
auto StreamStates<F>::take_loader() -> std::unique_ptr<Loader> {
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
void StreamStates<F>::give_back(std::unique_ptr<Loader> loader) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(loader));
}

}  // namespace detail
}  // namespace lungo
