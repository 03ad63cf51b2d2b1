// Typed appends and reads over an EventLog: the door to the log for applications and for the rest of the framework.
//
// Promise: an event is committed after its shape, so whoever can read it can also decode it. What append() answers is
// committed. Threads: an EventStore may be copied and used from any thread; an EventBatch and a StreamEvents belong to one
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/codec.hpp>
#include <lungo/framework/envelope.hpp>
#include <lungo/framework/event.hpp>
#include <lungo/framework/forwarder.hpp>
#include <lungo/framework/shape_registry.hpp>
#include <lungo/log/event_log.hpp>

namespace lungo {

/// Where an append lies: [first, end) of a partition. What at_least() takes. Empty (first = end) when nothing was to be
/// written.
struct Commit {
  TopicPartition partition;
  Offset first;
  Offset end;
  bool repeated = false;         // recognised by its id: written earlier, not now
  LeaderEpoch epoch = kNoEpoch;  // of its batch, where the append said so
};

struct AppendOptions {
  EventMeta meta;
  /// The append fails with `conflict` when the stream has a record in [as_of, end). 0 = the stream must not exist yet.
  std::optional<Offset> as_of;
  /// With meta.id and without as_of: look for the id in [since, end).
  std::optional<Offset> since;
  Duration timeout = std::chrono::seconds{30};
};

/// One event of a stream, with its dense number: 1 for the stream's first. Display only; conditions use offsets.
struct StreamEvent {
  Envelope envelope;
  std::int64_t number = 0;
};

/// The events of one stream, pulled in chunks through the stream index.
class StreamEvents {
 public:
  /// Made by EventStore::read_stream().
  StreamEvents(std::shared_ptr<EventLog> log, TopicPartition partition, std::string stream, Offset begin, Offset end);

  /// The next event, valid until the next call; null behind the last. Errors: as EventLog::read_key(); undecodable.
  Result<const StreamEvent*> next();
  /// The end that the read stops at: the partition's committed end when the read began. The `as_of` of a conditional append.
  [[nodiscard]] Offset as_of() const { return end_; }
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }

 private:
  std::shared_ptr<EventLog> log_;
  TopicPartition partition_;
  std::string stream_;
  Offset end_;
  KeyRecords chunk_;
  std::size_t next_in_chunk_ = 0;
  StreamEvent event_;
};

/// An event type without its C++ type: what is needed to declare it.
struct DeclaredType {
  TypeKey key = nullptr;
  const Shape* shape = nullptr;
  Result<void> (*add_name)(EventNames& names) = nullptr;
};

template <class E>
DeclaredType declared_type_of() {
  return {type_key<E>(), &shape_of<E>(), [](EventNames& names) { return names.add<E>(); }};
}

/// Events that go to one topic together, encoded as they are added and grouped by partition; each partition's part is one
/// append and one batch. Made for importers: no allocation per event once its buffers have grown.
class EventBatch {
 public:
  EventBatch(EventBatch&&) noexcept;
  EventBatch& operator=(EventBatch&&) noexcept;
  ~EventBatch();

  /// Adds an event to a stream in its written form, "[scope/]category-id". Publishes E's shape on its first use, which blocks.
  /// Errors: invalid_argument (names, ids, headers); too_large; as ShapeRegistry::publish().
  template <class E>
  Result<void> add(std::string_view stream, const E& event, const EventMeta& meta = {});
  template <class E>
  Result<void> add(const StreamId& stream, const E& event, const EventMeta& meta = {}) {
    return add(stream.text(), event, meta);
  }

  /// The part of the partition that `stream` lies in fails with `conflict` when the stream has a record in [as_of, end).
  /// One per partition: a later call replaces an earlier one.
  void expect_unchanged(std::string_view stream, Offset as_of);
  /// Where to look for the first record's id of that partition's part, when it has no condition.
  void look_for_id_since(PartitionId partition, Offset since);

  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] std::size_t size_bytes() const;
  [[nodiscard]] PartitionId partition_of(std::string_view stream) const;
  /// So many events go to that partition.
  [[nodiscard]] std::size_t count(PartitionId partition) const;
  /// One of them as its readers will see it, but for offset and epoch, which it has not got yet. Valid until the batch changes.
  /// Errors: as parse_envelope().
  [[nodiscard]] Result<Envelope> event(PartitionId partition, std::size_t index) const;
  /// Forgets that partition's events behind the first `count`.
  void truncate(PartitionId partition, std::size_t count);
  /// Forgets the events and keeps the memory.
  void clear();

 private:
  friend class EventStore;
  struct Parts;
  explicit EventBatch(std::unique_ptr<Parts> parts);
  [[nodiscard]] bool is_declared(TypeKey type) const;
  Result<void> declare(const DeclaredType& type);
  Bytes& empty_payload();
  /// Adds what empty_payload() was filled with.
  Result<void> add_encoded(std::string_view stream, std::string_view name, const ShapeHash& shape, const EventMeta& meta);

  std::unique_ptr<Parts> parts_;
};

class EventStore {
 public:
  explicit EventStore(std::shared_ptr<EventLog> log);

  /// Opens a stream topic, or makes it with so many partitions. Errors: already_exists when it exists and holds no streams;
  /// not_found on a log opened read-only; as EventLog::create_topic().
  Result<TopicInfo> stream_topic(std::string_view name, std::int32_t partitions = 4);

  /// Writes and commits the events' shapes. Appending does it by itself; declaring early keeps the wait out of the first
  /// append. Errors: already_exists when another type of this process has one of the names; as ShapeRegistry::publish().
  template <class... E>
  Result<void> declare(events<E...> = {});
  Result<void> declare_types(std::span<const DeclaredType> types);

  /// Appends one event and waits until it is committed. The topic must exist.
  /// Errors: conflict (offset() = the record in the way); as EventBatch::add() and EventLog::append(); timed_out.
  template <class E>
  Result<Commit> append(std::string_view topic, const StreamId& stream, const E& event, const AppendOptions& options = {});

  /// An empty batch for a topic. Errors: not_found.
  Result<EventBatch> batch(std::string_view topic);
  /// Submits the batch, one append per partition. `done` runs once, as a Completion does, with the commits in the order of the
  /// partitions; or with the first error, in which case other partitions' parts may still have been written.
  void append(EventBatch batch, std::function<void(Result<std::vector<Commit>>)> done);
  /// The same, and waits. Errors: also timed_out.
  Result<std::vector<Commit>> append_wait(EventBatch batch, Duration timeout = std::chrono::seconds{30});

  /// The batch as what append() submits, one a partition, in their order; for ForwardedAppends (forwarded_appends.hpp).
  static std::vector<AppendRequest> requests_of(EventBatch batch);

  /// The stream's events from `begin` on, up to the committed end of now. Errors: not_found; history_trimmed when `begin` lies
  /// below the partition's start; as EventLog::ends().
  Result<StreamEvents> read_stream(std::string_view topic, const StreamId& stream, Offset begin = Offset{0});

  /// Cached; streams of this topic lie in so many partitions. Errors: not_found, which says what makes it and which there are.
  Result<TopicInfo> topic(std::string_view name);

  /// Commands for partitions that another process owns go there from now on; those of Aggregates and processes that are made
  /// behind this call, with this store or a copy. Without it they are answered `not_owner`.
  void forward_with(std::shared_ptr<Forwarder> forwarder);
  /// Null: none.
  [[nodiscard]] std::shared_ptr<Forwarder> forwarder() const;

  [[nodiscard]] EventLog& log() const;
  [[nodiscard]] const std::shared_ptr<EventLog>& shared_log() const;
  [[nodiscard]] ShapeRegistry& shapes() const;

 private:
  friend class EventBatch;
  struct Shared;

  Result<TopicInfo> find_topic(std::string_view name);

  std::shared_ptr<Shared> shared_;
};

template <class E>
Result<void> EventBatch::add(std::string_view stream, const E& event, const EventMeta& meta) {
  if (!is_declared(type_key<E>())) {
    Result<void> declared = declare(declared_type_of<E>());
    if (!declared) return declared;
  }
  encode(event, empty_payload());
  return add_encoded(stream, event_name<E>(), shape_of<E>().hash(), meta);
}

template <class... E>
Result<void> EventStore::declare(events<E...>) {
  const std::array<DeclaredType, sizeof...(E)> types{declared_type_of<E>()...};
  return declare_types(types);
}

template <class E>
Result<Commit> EventStore::append(std::string_view topic_name, const StreamId& stream, const E& event,
                                  const AppendOptions& options) {
  Result<EventBatch> one = batch(topic_name);
  if (!one) return one.error();
  Result<void> added = one->add(stream, event, options.meta);
  if (!added) return added.error();
  if (options.as_of) one->expect_unchanged(stream.text(), *options.as_of);
  if (options.since) one->look_for_id_since(one->partition_of(stream.text()), *options.since);
  Result<std::vector<Commit>> commits = append_wait(std::move(*one), options.timeout);
  if (!commits) return commits.error();
  return std::move(commits->front());
}

}  // namespace lungo
