#include <lungo/framework/snapshots.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/answer.hpp>

#include "compacted_topic.hpp"

namespace lungo {

namespace {

constexpr std::size_t kChunkBytesMax = 900'000;  // stays below the 1 MB that brokers take by default

/// The row itself. The state is in it, or in chunks that were written before it.
struct SnapshotRow {
  static constexpr std::string_view event_name = "lungo.Snapshot";
  std::array<std::uint8_t, 16> topic_id{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t epoch = -1;
  std::string shape;  // 16 bytes
  std::int64_t state_bytes = 0;
  std::string state;                        // empty when there are chunks
  std::vector<std::int64_t> chunk_offsets;  // in this topic
  std::string chunk_key;                    // what the chunks' keys begin with; empty in rows of earlier versions
};

struct SnapshotChunk {
  static constexpr std::string_view event_name = "lungo.SnapshotChunk";
  std::string bytes;
};

AppendRequest request_to_snapshots(const TopicPartition& of) {
  return {
      .to = {std::string(kSnapshotsTopic), PartitionId{0}}, .records = {}, .condition = {}, .since = {}, .on_behalf_of = {of}};
}

/// `position` is the snapshot's, as it is to be stored.
SnapshotRow row_of(const Snapshot& snapshot, const Position& position) {
  SnapshotRow row;
  row.topic_id = position.topic.bytes;
  row.partition = position.partition.value();
  row.offset = position.offset.value();
  row.epoch = position.epoch.value();
  row.shape = as_text(snapshot.shape);
  row.state_bytes = static_cast<std::int64_t>(snapshot.state.size());
  return row;
}

std::string chunk_key_of(const std::string& chunk_key, std::size_t number) { return chunk_key + "#" + std::to_string(number); }

/// A snapshot whose chunks are on their way; behind the last goes the row that lists them, and behind that a record without a
/// value for each chunk of the row that it replaces: their keys never come again, so compaction would keep them for good.
class ChunkedSave : public std::enable_shared_from_this<ChunkedSave> {
 public:
  /// `row` lacks the state, and the chunks that hold it. `replaced` is in force now.
  ChunkedSave(EventLog& log, std::string key, TopicPartition of, SnapshotRow row, std::optional<SnapshotRow> replaced,
              Bytes state, std::function<void(Result<void>)> done)
      : log_(&log),
        key_(std::move(key)),
        of_(std::move(of)),
        row_(std::move(row)),
        replaced_(std::move(replaced)),
        state_(std::move(state)),
        done_(std::move(done)) {
    // Of each save its own: compaction would take the chunks of the last row that is whole, while the next ones are on their
    // way.
    row_.chunk_key = key_ + "@" + std::to_string(log.ports().clock.now().time_since_epoch().count());
  }

  /// One chunk at a time, whose completion sends the next: all at once might be more than the log lets wait.
  void send_next() {
    const std::size_t begin = row_.chunk_offsets.size() * kChunkBytesMax;
    if (begin >= state_.size()) return send_row();
    const BytesView bytes = BytesView{state_}.subspan(begin, std::min(kChunkBytesMax, state_.size() - begin));
    AppendRequest request = request_to_snapshots(of_);
    const std::string chunk_key = chunk_key_of(row_.chunk_key, row_.chunk_offsets.size() + 1);
    Result<void> added = add_row(*log_, chunk_key, SnapshotChunk{std::string(as_text(bytes))}, request.records);
    if (!added) return done_(added);
    log_->append(std::move(request), [self = shared_from_this()](const Result<Appended>& appended) {
      if (!appended) return self->done_(appended.error());
      self->row_.chunk_offsets.push_back(appended->first.value());
      self->send_next();
    });
  }

 private:
  void send_row() {
    AppendRequest request = request_to_snapshots(of_);
    Result<void> added = add_row(*log_, key_, row_, request.records);
    if (!added) return done_(added);
    log_->append(std::move(request), [self = shared_from_this()](const Result<Appended>& row) {
      if (row) self->remove_replaced();
      self->done_(row ? Result<void>{} : Result<void>{row.error()});
    });
  }
  /// Where that fails they stay, and no more than that.
  void remove_replaced() {
    if (!replaced_ || replaced_->chunk_key.empty() || replaced_->chunk_key == row_.chunk_key) return;
    AppendRequest request = request_to_snapshots(of_);
    for (std::size_t number = 1; number <= replaced_->chunk_offsets.size(); ++number) {
      const Result<void> added =
          add_tombstone<SnapshotChunk>(*log_, chunk_key_of(replaced_->chunk_key, number), request.records);
      if (!added) return;
    }
    if (!request.records.empty()) log_->append(std::move(request), [](const Result<Appended>&) {});
  }

  EventLog* const log_;  // not owned: the log runs our completions, and must not end on its own thread
  const std::string key_;
  const TopicPartition of_;
  SnapshotRow row_;
  const std::optional<SnapshotRow> replaced_;
  const Bytes state_;
  std::function<void(Result<void>)> done_;
};

/// Keeps the last row of one key among the records it is shown.
class RowFinder {
 public:
  RowFinder(EventStore& store, std::string_view key) : decoder_(store.shapes()), key_(key) { decoder_.add<SnapshotRow>(); }

  Result<void> take(const Envelope& envelope) {
    ++seen_;
    if (envelope.stream != key_) return {};
    Result<Decoded> decoded = decoder_.decode(envelope);
    if (!decoded) return decoded.error();
    if (decoded->type >= 0) row_ = *static_cast<const SnapshotRow*>(decoded->event);
    return {};
  }
  [[nodiscard]] const std::optional<SnapshotRow>& row() const { return row_; }
  [[nodiscard]] std::int64_t seen() const { return seen_; }

 private:
  EventDecoder decoder_;
  std::string_view key_;
  std::optional<SnapshotRow> row_;
  std::int64_t seen_ = 0;
};

/// Shows `finder` the last record of `key` in [begin, end).
Result<void> take_last(EventLog& log, const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                       RowFinder& finder) {
  constexpr std::size_t kRecordsMax = 256;
  KeyRecords last;
  for (KeyRecords page{{}, {}, begin, false}; !page.done;) {
    Result<KeyRecords> more = log.read_key(partition, key, page.next, end, kRecordsMax);
    if (!more) return more.error();
    page = std::move(*more);
    if (!page.records.empty()) last = page;
  }
  if (last.records.empty()) return {};
  Result<Envelope> envelope = parse_envelope(partition.topic, partition.partition, last.records.back());
  return envelope ? finder.take(*envelope) : Result<void>{envelope.error()};
}

/// The row of `key` that is in force.
Result<std::optional<SnapshotRow>> newest_row(EventStore& store, std::string_view key) {
  constexpr std::int64_t kFirstWindow = 256;  // offsets; a row that is not there is behind many of other keys
  constexpr std::int64_t kWindowGrowth = 8;
  const TopicPartition partition{std::string(kSnapshotsTopic), PartitionId{0}};
  Result<Ends> ends = store.log().ends(partition);
  if (!ends && ends.error() == Errc::not_found) return std::optional<SnapshotRow>{};
  if (!ends) return ends.error();
  // A busy key has many rows that were not compacted yet: from the end backwards, of which the last row is taken.
  RowFinder finder{store, key};
  Offset end = ends->committed;
  for (std::int64_t window = kFirstWindow; end > ends->start && !finder.row(); window *= kWindowGrowth) {
    const Offset begin = std::max(ends->start, end.plus(-window));
    Result<void> taken = take_last(store.log(), partition, key, begin, end, finder);
    if (!taken) return taken.error();
    end = begin;
  }
  return finder.row();
}

/// Reads the chunks that a row lists.
Result<void> gather(EventStore& store, const SnapshotRow& row, Bytes& state) {
  EventDecoder decoder{store.shapes()};
  decoder.add<SnapshotChunk>();
  const TopicPartition partition{std::string(kSnapshotsTopic), PartitionId{0}};
  for (const std::int64_t offset : row.chunk_offsets) {
    Result<Fetched> fetched = store.log().read(partition, Offset{offset}, 1);
    if (!fetched) return fetched.error();
    RecordCursor cursor = fetched->records();
    const RecordView* record = cursor.next();
    if (record == nullptr || record->offset != Offset{offset}) {
      return Error{Errc::corrupt, "chunk of a snapshot is gone", Offset{offset}};
    }
    Result<Envelope> envelope = parse_envelope(partition.topic, partition.partition, *record);
    if (!envelope) return envelope.error();
    Result<Decoded> decoded = decoder.decode(*envelope);
    if (!decoded) return decoded.error();
    if (decoded->type < 0) return Error{Errc::corrupt, "not a chunk of a snapshot", Offset{offset}};
    const BytesView bytes = as_bytes(static_cast<const SnapshotChunk*>(decoded->event)->bytes);
    state.insert(state.end(), bytes.begin(), bytes.end());
  }
  return {};
}

}  // namespace

Snapshots::Snapshots(EventStore store) : store_(std::move(store)) {}

Result<void> Snapshots::prepare() {
  Result<TopicInfo> topic = internal_topic(store_, kSnapshotsTopic, true);
  if (!topic) return topic.error();
  return store_.declare(events<SnapshotRow, SnapshotChunk>{});
}

void Snapshots::save(std::string_view key, const TopicPartition& of, const Snapshot& snapshot,
                     std::function<void(Result<void>)> done) {
  const Result<Position> position = store_.log().to_store(of.topic, snapshot.position);
  if (!position) return done(position.error());
  SnapshotRow row = row_of(snapshot, *position);
  if (snapshot.state.size() > kChunkBytesMax) {
    const Result<std::optional<SnapshotRow>> found = newest_row(store_, key);
    const std::optional<SnapshotRow> replaced = found ? *found : std::nullopt;  // where it can't be told its chunks stay
    std::make_shared<ChunkedSave>(store_.log(), std::string(key), of, std::move(row), replaced, snapshot.state, std::move(done))
        ->send_next();
    return;
  }
  row.state = as_text(snapshot.state);
  AppendRequest request = request_to_snapshots(of);
  Result<void> added = add_row(store_.log(), key, row, request.records);
  if (!added) return done(added);
  store_.log().append(std::move(request), [done = std::move(done)](const Result<Appended>& appended) {
    done(appended ? Result<void>{} : Result<void>{appended.error()});
  });
}

Result<void> Snapshots::save_wait(std::string_view key, const TopicPartition& of, const Snapshot& snapshot, Duration timeout) {
  Answer<void> answer{store_.log().ports(), timeout};
  save(key, of, snapshot, answer.completion());
  if (std::optional<Result<void>> saved = answer.wait()) return *std::move(saved);
  return Error{Errc::timed_out, "snapshot " + std::string(key) + " is not committed yet"};
}

namespace {

/// Without its state.
Result<Snapshot> head_of(std::string_view key, const SnapshotRow& row) {
  Snapshot snapshot;
  snapshot.position = {TopicId{row.topic_id}, PartitionId{row.partition}, Offset{row.offset}, LeaderEpoch{row.epoch}};
  if (row.shape.size() != snapshot.shape.size()) return Error{Errc::corrupt, "snapshot " + std::string(key) + ": its shape"};
  std::ranges::copy(as_bytes(row.shape), snapshot.shape.begin());
  return snapshot;
}

Result<std::optional<Snapshot>> snapshot_of(EventStore& store, std::string_view key, const std::optional<SnapshotRow>& row) {
  if (!row) return std::optional<Snapshot>{};
  Result<Snapshot> snapshot = head_of(key, *row);
  if (!snapshot) return snapshot.error();
  const BytesView inlined = as_bytes(row->state);
  snapshot->state.assign(inlined.begin(), inlined.end());
  Result<void> gathered = gather(store, *row, snapshot->state);
  if (!gathered) return gathered.error().with_context("snapshot " + std::string(key));
  if (static_cast<std::int64_t>(snapshot->state.size()) != row->state_bytes) {
    return Error{Errc::corrupt, "snapshot " + std::string(key) + ": its chunks do not add up"};
  }
  return std::optional{*std::move(snapshot)};
}

}  // namespace

Result<std::optional<Snapshot>> Snapshots::load(std::string_view key) {
  const Result<std::optional<SnapshotRow>> row = newest_row(store_, key);
  if (!row) return row.error();
  return snapshot_of(store_, key, *row);
}

Result<std::optional<Snapshot>> Snapshots::peek(std::string_view key) {
  const Result<std::optional<SnapshotRow>> row = newest_row(store_, key);
  if (!row) return row.error();
  if (!*row) return std::optional<Snapshot>{};
  Result<Snapshot> head = head_of(key, **row);
  if (!head) return head.error();
  return std::optional{*std::move(head)};
}

Result<std::optional<Snapshot>> Snapshots::load_recent(std::string_view key) {
  constexpr std::int64_t kProbedMax = 256;
  RowFinder finder{store_, key};
  const auto wants_more = [&] { return !finder.row() && finder.seen() < kProbedMax; };
  Result<void> scanned = scan_backwards(
      store_.log(), kSnapshotsTopic, [&](const Envelope& envelope) { return finder.take(envelope); }, wants_more);
  if (!scanned) return scanned.error();
  if (!finder.row() && finder.seen() >= kProbedMax) return load(key);
  return snapshot_of(store_, key, finder.row());
}

Result<std::vector<std::string>> Snapshots::keys(std::string_view prefix) {
  const Result<TopicInfo> topic = store_.topic(kSnapshotsTopic);
  if (!topic && topic.error() == Errc::not_found) return std::vector<std::string>{};
  if (!topic) return topic.error();
  const Result<Ends> ends = store_.log().ends({std::string(kSnapshotsTopic), PartitionId{0}});
  if (!ends) return ends.error();
  std::set<std::string> found;
  PartitionReader reader{store_.log(), *topic, {topic->id, PartitionId{0}, ends->start, kNoEpoch}};
  while (reader.position().offset < ends->committed) {
    const Result<const Envelope*> row = reader.next();
    if (!row) return row.error();
    if (*row == nullptr) break;
    if ((*row)->type == event_name<SnapshotRow>() && (*row)->stream.starts_with(prefix)) found.emplace((*row)->stream);
  }
  return std::vector<std::string>(found.begin(), found.end());
}

}  // namespace lungo
