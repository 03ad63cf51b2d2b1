// PORT: a partitioned, durable log of records, as every home of Lungo provides it.
//
// The framework is written against this page only. Homes: the embedded log (local_event_log.hpp); later Apache Kafka and a
// Lungo cluster. All members may be called from any thread.
//
// Three ends per partition: written >= synced, and committed, which is all that a reader ever sees.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/compression.hpp>
#include <lungo/log/file_range.hpp>
#include <lungo/log/metrics.hpp>
#include <lungo/log/ports.hpp>
#include <lungo/log/record_batch.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

/// When a record counts as committed. One meaning in every home.
enum class AckLevel {
  isr_sync,  // synced on every in-sync replica (embedded: fdatasync returned)
  isr,       // written on every in-sync replica (embedded: handed to the operating system)
};

/// What one append waits for. It changes nothing about when its records can be read.
enum class Durability {
  committed,  // as the topic's ack level says
  written,    // handed to the operating system
  synced,     // on disk
};

/// What a record's time is. In every home as Kafka's message.timestamp.type.
enum class TimestampKind {
  create,      // what the appender says
  log_append,  // when its batch was written, whatever the appender says
};

/// For a topic whose tail is synced only when somebody asks for it.
inline constexpr std::chrono::milliseconds kFlushNever = std::chrono::milliseconds::max();

/// What a topic is made with.
struct TopicSpec {
  std::string name;             // [a-zA-Z0-9._-]{1,249}, neither "." nor ".."
  std::int32_t partitions = 4;  // fixed for stream topics
  bool streams = false;         // lungo.streams: conditions, stream index, no compaction, no retention unless asked for
  bool compact = false;         // cleanup.policy=compact: of each key the last record stays; every record has a key
  AckLevel ack_level = AckLevel::isr_sync;
  std::chrono::milliseconds flush_interval{5};  // an unsynced tail is synced this long after its oldest byte; kFlushNever
  std::uint64_t segment_bytes = 64ull << 20;
  // Absent: no limit. What goes are whole segments, the oldest first, and nothing that is not committed and synced.
  std::optional<std::chrono::milliseconds> segment_age;    // a new segment begins when the last one's first record is older
  std::optional<std::chrono::milliseconds> retention_age;  // a segment goes when its newest record is older
  std::optional<std::uint64_t> retention_bytes;            // per partition: the oldest segments go while so much stays
  Compression compression = Compression::none;             // of batches from now on, except where it saves nothing
  // Of compacted topics. What is looked at are whole segments, never the one that is being written.
  std::chrono::milliseconds tombstone_age{24 * 3'600'000};  // a record without a value stays so long after the first time
  std::chrono::milliseconds compaction_lag{0};              // a record may stay beside later ones of its key at least so long
  double dirty_ratio_min = 0.5;                             // share of the bytes that were not compacted yet, 0 to 1
  TimestampKind timestamps = TimestampKind::create;
  std::uint32_t batch_bytes_max = 1'048'588;              // of a producer's finished batch; Kafka's max.message.bytes
  std::chrono::milliseconds producer_expiry{86'400'000};  // a producer that has not appended for so long is forgotten
  friend bool operator==(const TopicSpec&, const TopicSpec&) = default;
};

/// In a TopicChange: takes the limit away.
inline constexpr std::chrono::milliseconds kNoAgeLimit = std::chrono::milliseconds::max();
inline constexpr std::uint64_t kNoSizeLimit = std::numeric_limits<std::uint64_t>::max();

/// Which settings of a topic change, and to what; what is absent stays.
struct TopicChange {
  std::optional<AckLevel> ack_level;
  std::optional<std::chrono::milliseconds> flush_interval;
  std::optional<std::uint64_t> segment_bytes;
  std::optional<std::chrono::milliseconds> segment_age;    // or kNoAgeLimit
  std::optional<std::chrono::milliseconds> retention_age;  // or kNoAgeLimit
  std::optional<std::uint64_t> retention_bytes;            // or kNoSizeLimit
  std::optional<std::chrono::milliseconds> tombstone_age;
  std::optional<std::chrono::milliseconds> compaction_lag;
  std::optional<double> dirty_ratio_min;
  std::optional<TimestampKind> timestamps;
  std::optional<std::uint32_t> batch_bytes_max;
  std::optional<std::chrono::milliseconds> producer_expiry;
};

struct TopicInfo {
  TopicSpec spec;
  TopicId id;
};

/// "No record with this key in [as_of, end)", where end includes what queued earlier. Checked when the append is written.
struct Condition {
  std::string key;
  Offset as_of;
};

struct AppendRequest {
  TopicPartition to;
  EncodedRecords records;  // at least one
  std::optional<Condition> condition;
  /// For an unconditional append whose first record carries an `l.id`: that id is looked for in [since, end) under the
  /// record's key, and when it is found the append succeeds with the offsets it got then. Without `since` only the ids
  /// of the partition's last 10,000 records are known. A conditional append with an id looks in [as_of, end). In each case an
  /// id belongs to its record's key: two keys that use one id do not meet. Every record's id is found, the first one of an
  /// append or not: a retry may be of a part of what was appended.
  /// A retry is known by the keys and ids of all its records. What that can't tell apart: an append that is larger than what
  /// was written under its id, when the records that follow there have the same keys and ids (none, say) by chance; it passes
  /// for written. Who uses an id for one append only never meets this.
  std::optional<Offset> since;
  /// The call itself writes and syncs unless another thread does so already, and returns after its completion ran.
  /// Saves a thread switch where the caller has nothing else to do; append_wait() sets it. There is no deadline: on a disk that
  /// hangs the call hangs with it.
  bool caller_waits = false;
  Durability durability = Durability::committed;
  /// For records about the state of other partitions (a reader's position in them, a checkpoint, a snapshot), which only their
  /// owner may write: who does not own them all any more is answered `not_owner`, whatever he believes. One writer owns all of
  /// an embedded log.
  std::vector<TopicPartition> on_behalf_of;
};

struct Appended {
  Offset first;
  Offset end;  // one past the last record of this append
  LeaderEpoch epoch;
  bool repeated = false;  // recognised by its l.id, or by its producer's sequence: nothing was written now
};

/// Runs exactly once, when the records are committed (or what else `durability` asks for) or the append has failed. On the
/// appending or a syncing thread, without any lock held. Must not block or throw; may append again.
using Completion = std::function<void(Result<Appended>)>;

/// What a read returned: whole verified batches, of which some first records may lie below the offset asked for.
class Fetched {
 public:
  Fetched(std::shared_ptr<const Bytes> buffer, BytesView batches, Offset from, Position next, Offset committed_end)
      : buffer_(std::move(buffer)), batches_(batches), from_(from), next_(next), committed_end_(committed_end) {}
  [[nodiscard]] bool empty() const { return batches_.empty(); }
  [[nodiscard]] BytesView batches() const { return batches_; }
  [[nodiscard]] RecordCursor records() const { return RecordCursor{batches_, from_}; }
  /// The first record here that was asked for, and where reading backwards goes on.
  [[nodiscard]] Offset first() const { return from_; }
  /// Where to go on: one past the last record here, with its batch's epoch; in an empty result the end, or where it was asked.
  [[nodiscard]] const Position& next() const { return next_; }
  [[nodiscard]] Offset committed_end() const { return committed_end_; }
  /// Keeps the bytes alive for as long as views into them are in use.
  [[nodiscard]] const std::shared_ptr<const Bytes>& buffer() const { return buffer_; }

 private:
  std::shared_ptr<const Bytes> buffer_;
  BytesView batches_;
  Offset from_;
  Position next_;
  Offset committed_end_;
};

struct Ends {
  Offset start;
  Offset committed;
  Offset synced;
  Offset written;
};

/// Committed records of one key, ascending; `buffers` hold the bytes.
struct KeyRecords {
  std::vector<std::shared_ptr<const Bytes>> buffers;
  std::vector<RecordView> records;
  Offset next;        // where the search goes on
  bool done = false;  // nothing more below the end that was asked for
};

/// Records that were promised and are lost: the offsets [from, end), and the bytes of a segment's log file that held them. They
/// are kept as they are, for whoever can mend them; none where they are missing.
struct DamagedRange {
  Offset from;
  Offset end;
  std::string file;  // its name in the partition's directory
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  bool is_unreadable = false;  // the disk did not read them: nothing of that is written down, as it may read them again
  friend bool operator==(const DamagedRange&, const DamagedRange&) = default;
};

struct ReadOptions {
  bool skip_damaged = false;  // go on behind a damaged range instead of answering `corrupt`
};

class Appender;
class Membership;

class EventLog {
 public:
  virtual ~EventLog() = default;

  /// Makes the topic, or returns it when it exists with the same spec. Errors: already_exists with other settings (named);
  /// invalid_argument; busy while one of this name is being deleted; no_space, io.
  virtual Result<TopicInfo> create_topic(const TopicSpec& spec) = 0;
  /// Errors: not_found.
  virtual Result<TopicInfo> topic(std::string_view name) = 0;
  /// All that are known now, in the order in which they were made; what another process makes is seen a little later. Errors:
  /// io where the home has to ask; the embedded log never fails.
  virtual Result<std::vector<TopicInfo>> topics() = 0;
  /// Changes settings, durably and for what comes from now on. Errors: not_found; invalid_argument; unsupported (read-only, or
  /// a home that can't); no_space, io.
  virtual Result<TopicInfo> alter_topic(std::string_view name, const TopicChange& change);
  /// The topic and its records are gone; the name is free. Appends under way complete with `not_found`, who waits for records
  /// is told and finds none. Not from a completion. Until it returns, create_topic() of that name answers `busy`. Errors:
  /// not_found; unsupported; no_space, io; timed_out after 30 s, naming the partition, when a write or sync of it does not end:
  /// the topic is gone all the same, and its name is free when that ends.
  virtual Result<void> delete_topic(std::string_view name);
  /// Makes the topic have `partitions` of them; keys go to other partitions from then on, so stream topics refuse. Errors:
  /// not_found; invalid_argument when there are more, or the directory has no room; unsupported; no_space, io.
  virtual Result<TopicInfo> add_partitions(std::string_view name, std::int32_t partitions);
  /// Makes `below` the partition's start, durably, unless it begins there or later; returns the start. Whole segments below it
  /// are removed soon after, in the background. Where writes are refused as the partition's end is lost, they are taken again
  /// by the next opening behind one that reaches that end. Errors: offset_out_of_range above the committed end; not_found;
  /// unsupported; partition_failed; no_space, io: then the next opening may find the start moved.
  virtual Result<Offset> delete_records(const TopicPartition& partition, Offset below);

  /// Submits; see AppendRequest and Completion. All errors go to the completion: conflict (offset() = the record in the way),
  /// history_trimmed, too_large, not_found, no_space, partition_failed, busy, unsupported (read-only), io, closed;
  /// invalid_argument, also for an `l.id` under which another append was written (offset() = its first record).
  virtual void append(AppendRequest request, Completion completion) = 0;
  /// The same for a caller that waits; what lungo::append_wait() calls.
  virtual Result<Appended> append_wait(AppendRequest request, Duration timeout);
  /// A way into one partition for those who append often. After the log has gone it
  /// answers `closed`. Errors: not_found; io.
  virtual Result<std::shared_ptr<Appender>> appender(const TopicPartition& partition);

  /// Committed batches from `from` on, about `bytes_max` at least one batch; empty where none follows below that end. Never
  /// blocks for data. What lies in front of a damaged range is read; a read that would enter one answers `corrupt`, as does any
  /// look-up that would have to pass it. Errors: offset_out_of_range (below start or above the committed end), corrupt (file,
  /// position and range), not_found, io.
  virtual Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) = 0;

  /// What read() answers, as bytes of a file that the kernel can send: about `bytes_max`, at least one batch. What has been
  /// verified since the log was opened is not read again. Errors: as read(); unsupported by logs without files.
  virtual Result<FileRange> read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max);

  /// For "the last N": the last committed batches that end at or below `end`, ascending, about `bytes_max` but at least one
  /// batch; empty when none does. Who goes on with `end` = first() misses nothing and sees nothing twice. Errors: as read().
  virtual Result<Fetched> read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) = 0;

  /// Committed records with this key in [begin, end), by the stream index. Errors: unsupported unless lungo.streams;
  /// history_trimmed when begin lies below the start; corrupt, not_found, io.
  virtual Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                                      std::size_t records_max) = 0;

  /// What is known to be lost of the partition, ascending. That is what opening found, and what reads have run into since.
  virtual std::vector<DamagedRange> damage(const TopicPartition& partition);

  /// What it can tell of itself in numbers; empty where it counts nothing.
  virtual std::vector<Metric> metrics();

  /// As of now; opened read-only, `synced` and `written` are what it has followed its writer to. Errors: not_found; io.
  virtual Result<Ends> ends(const TopicPartition& partition) = 0;

  /// First committed offset whose record has a timestamp >= `time`; nothing when there is none. Errors: corrupt, unsupported
  /// codec, not_found, io.
  virtual Result<std::optional<Offset>> offset_at(const TopicPartition& partition, Timestamp time) = 0;
  /// The same of what is left where records are damaged: one that is lost may have been the first. Errors: as offset_at(), but
  /// `corrupt` for nothing that damage() knows.
  virtual Result<std::optional<Offset>> offset_at_of_what_is_left(const TopicPartition& partition, Timestamp time);

  /// Ok when the position still lies in this log's history. Errors: position_diverged (another topic id, or the epoch ended
  /// below the offset), history_trimmed, not_found.
  virtual Result<void> validate(std::string_view topic, const Position& position) = 0;
  /// The position as it is to be stored. Its epoch is then what tells validate(), later and maybe in another process, whether
  /// what lay below it is still in the log. In the embedded log a position is that already. Errors: as read().
  virtual Result<Position> to_store(std::string_view topic, const Position& position);

  /// Calls `notify` once, when the committed end is above `end` (at once if it is), or when the log closes. Must not block.
  /// The subscription ends when the returned token is destroyed.
  using NotifyToken = std::shared_ptr<void>;
  virtual NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) = 0;

  /// Which partitions are this process's own; see membership.hpp. In the embedded log, also opened read-only, all are: nobody
  /// shares them, and what may not be written it refuses by itself. Not to be used after the log has gone.
  virtual std::shared_ptr<Membership> membership();

  /// The ports this log runs on, for those above it.
  virtual Ports ports() = 0;
  /// The data directory of an embedded log; nothing elsewhere.
  virtual std::optional<std::string> directory() const = 0;
  virtual bool read_only() const = 0;
};

/// append() and wait for its completion. Errors: as append(); timed_out: it may still be committed. `timeout` bounds the wait
/// for a completion that comes from elsewhere, not the writing and syncing that the embedded log does on this thread: a disk
/// that hangs holds the caller.
Result<Appended> append_wait(EventLog& log, AppendRequest request, Duration timeout = std::chrono::seconds{30});

/// EventLog::read() and read_back() for those who may go on where records are lost: what was skipped shows by Fetched::first()
/// or, reading backwards, next().
Result<Fetched> read_with(EventLog& log, const TopicPartition& partition, Offset from, std::size_t bytes_max,
                          const ReadOptions& options);
Result<Fetched> read_back_with(EventLog& log, const TopicPartition& partition, Offset end, std::size_t bytes_max,
                               const ReadOptions& options);

/// Kafka's default partitioner: murmur2 of the key, sign bit cleared, modulo the count.
PartitionId partition_of_key(std::string_view key, std::int32_t partitions);

}  // namespace lungo
