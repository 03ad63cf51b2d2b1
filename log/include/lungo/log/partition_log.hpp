// One partition's durable log: an ordered set of segments, of which the last is written.
//
// For the embedded log and, later, the cluster's replicas; applications use EventLog.
// Promise: append() returns when the bytes are with the operating system; sync() moves synced_end() only over bytes that are on
// disk; read() returns whole verified batches below the end it is given.
// Threads: the owner serialises append(), truncate and close(); sync() and all readers run beside it, on any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// Positions inside a segment are 32 bits in Kafka's index, signed. A batch that is larger than the limit begins at zero.
inline constexpr std::uint64_t kSegmentBytesMax = (1ull << 31) - 1;

struct PartitionOptions {
  std::uint64_t segment_bytes = 64ull << 20;
  // Of larger ones the next is made ahead. Small ones could fill faster than a disk syncs them, one after the other.
  std::uint64_t made_ahead_bytes_min = 1u << 20;
  std::uint32_t index_interval_bytes = 4096;     // Kafka's: one index entry per so many bytes of batches
  bool streams = false;                          // keep a stream index
  std::uint32_t stream_table_records = 131'072;  // with a key, of the stream index in memory before they go into a file
  bool read_only = false;                        // never writes, repairs or deletes; used beside a live writer
  bool gaps = false;                             // offsets may be missing: what is compacted, and what Apache Kafka wrote
  Offset start;                                  // records below it are gone, whether or not their segment is still there
  Compression compression = Compression::none;   // of the batches that are written
  TimestampKind timestamps = TimestampKind::create;
  std::chrono::milliseconds producer_expiry{86'400'000};
  bool dense_end = false;    // with gaps: none in the last segment, as compaction alone makes them, and leaves that one alone
  bool gaps_inside = false;  // with gaps: inside of batches alone, each of which begins where the one before it ended
};

/// What the clean-stop marker knew of this partition; absent after a crash.
struct CleanEnd {
  Offset end;
  std::uint32_t last_batch_crc;
};

class ProducerBatch;  // batch_validation.hpp
struct CopiedBatch;   // mirror_batch.hpp

/// One append inside a group, and what became of it.
struct GroupItem {
  EncodedRecords* records = nullptr;     // those of an append that is alone in its batch are stamped
  const Condition* condition = nullptr;  // may be absent
  std::optional<Offset> since;
  std::optional<Result<Appended>> outcome;  // set by append()
  ProducerBatch* batch = nullptr;           // instead of records; such an item is alone in its group
};

/// What opening had to do.
struct RecoveryReport {
  std::uint64_t bytes_scanned = 0;
  std::uint64_t bytes_cut = 0;  // torn tail
  std::size_t damaged_ranges = 0;
};

/// What retention has to know of a segment.
struct SegmentFacts {
  Offset base;
  Offset end;
  std::uint64_t bytes = 0;
  std::optional<Timestamp> newest;  // its largest timestamp; nothing in an empty segment
};

/// A round of compaction.
struct CompactionRound {
  Offset begin;                                // keys are unique below it: where the round before ended
  Offset end;                                  // a segment's base; committed and synced up to there
  Timestamp now;                               // what delete horizons are set by
  std::chrono::milliseconds tombstone_age{0};  // so long tombstones stay
  std::size_t memory_bytes = 32u << 20;        // for the keys of [begin, end); where it doesn't do, the round ends earlier
  std::size_t step_bytes = 1u << 20;           // about so much is read or written in a step
};

/// What a step of a scrub has found.
struct Scrubbed {
  std::uint64_t bytes = 0;      // that were read
  bool is_done = false;         // all that was there has been read; the next call begins at the start again
  bool found_damage = false;    // that nobody knew of
  bool digest_differs = false;  // a segment is whole, and not as its digest says
};

class PartitionLog {
 public:
  /// Opens `directory`, made when absent. With a `clean` that fits nothing is scanned. Otherwise every segment that reaches
  /// above `recovery_point` (a lower bound of what was synced) is read in full; a torn tail is cut, damage to what was synced
  /// is kept and becomes a hole, see damage(); docs/internals/recovery.md. What is there afterwards counts as synced. Segments
  /// wholly below options.start go now if they have not gone before.
  /// Errors: corrupt, naming file and byte; newer_format; invalid_argument; no_space; io.
  static Result<std::unique_ptr<PartitionLog>> open(Ports ports, std::string directory, PartitionOptions options,
                                                    std::optional<CleanEnd> clean, Offset recovery_point);
  /// In the place of a log that open() found to be corrupt, so that those beside it can be served: each call answers `cause`.
  /// `end` is the least that it is known to have reached.
  static std::unique_ptr<PartitionLog> unreadable(Ports ports, std::string directory, const PartitionOptions& options,
                                                  const Error& cause, Offset end);
  ~PartitionLog();
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;

  // Owner's side.

  /// Writes one batch out of the group's accepted items, in order, and sets every item's outcome: conflict, history_trimmed,
  /// repeated, or the offsets. Checks each condition and id against the log and the items before it. On a failed write nothing
  /// of the batch stays behind, and every item that would have been written gets the error. `epoch` is noted with its first
  /// batch. Errors: conflict, history_trimmed, invalid_argument (`as_of` or `since` above the end), too_large, unsupported
  /// (a condition or `since` without a stream index; a read-only log), closed, partition_failed, no_space, corrupt, io; of a
  /// producer's batch out_of_sequence and producer_fenced, and one that is there already is `repeated`.
  void append(std::span<GroupItem> group, LeaderEpoch epoch);
  /// Writes a batch of another log's records as it is. It begins at the written end. Errors: invalid_argument when it begins
  /// elsewhere (offset() = the end); unsupported (a log without gaps, or read-only); closed, partition_failed, no_space, io:
  /// then nothing of it stays behind.
  Result<void> append_copy(const CopiedBatch& batch);
  /// Of a log of copies: where `records` lie, as append() would recognise them by the id of the first: looked for in
  /// [since, end) under its key, without `since` among the last 10,000. Nothing when they are not there. Errors:
  /// invalid_argument when the id names another append (offset() = its first record); corrupt, io.
  Result<std::optional<Appended>> find_appended(const EncodedRecords& records, std::optional<Offset> since);
  /// The latest record with this key in [from, end). Errors: unsupported without a stream index; corrupt, io.
  Result<std::optional<Offset>> find_latest(std::string_view key, Offset from);
  /// Cuts the log so that `end`, a batch border, becomes its end; durable when it returns. A recovery point above `end` must be
  /// lowered before, or a crash meanwhile looks like damage. Errors: invalid_argument when `end` lies inside a batch or outside
  /// the log; unsupported (read-only), closed; corrupt, no_space, io: then the partition has failed.
  Result<void> truncate_to(Offset end);
  /// Before anybody is told that the log is to start at `start`: what opens the log next removes what lies below, and must find
  /// what is known of the producers there. True: there are some, and a sync() has to follow. Errors: as roll().
  Result<bool> keep_producers(Offset start);
  /// Makes `start` the log's start, unless that is there or above. Whoever opens the log next has to be told before: only then
  /// may remove_trimmed() follow. Errors: invalid_argument above the synced end; unsupported (read-only), closed,
  /// partition_failed.
  Result<void> set_start(Offset start);
  /// Begins a new segment, unless the last one is empty. Errors: as set_start(); no_space, io: then nothing has changed.
  Result<void> roll();
  /// Of all segments, ascending; the last one is being written.
  [[nodiscard]] std::vector<SegmentFacts> segments() const;
  /// Time of the first batch of the segment that is being written; nothing when it is empty. Errors: corrupt.
  [[nodiscard]] Result<std::optional<Timestamp>> active_since() const;
  /// Takes the place of what the options said, for what comes from now on.
  void change(std::uint64_t segment_bytes, TimestampKind timestamps, std::chrono::milliseconds producer_expiry);
  /// Syncs everything, writes the stream index of the active segment, and tells what the clean-stop marker needs. Errors:
  /// closed (before, or read-only); partition_failed; no_space, io.
  Result<CleanEnd> close();

  // Any thread.

  /// Makes durable what was written when the call began; returns the new synced end. One caller at a time does the work,
  /// others wait. A failure answers partition_failed, and so does every later append and sync.
  Result<Offset> sync();
  /// Goes one bounded step towards a disk without the segments below the start: gives some of them names to be removed under,
  /// durably, or removes what the step before has named. True: there is more to do. One caller at a time. Errors: those of
  /// sync(); no_space, io: what is left goes at the next opening.
  Result<bool> remove_trimmed();
  /// Does what an append should not wait for: makes the files of the next segment, gives back the room behind full ones, and
  /// goes one bounded step towards a stream index that is whole, on disk, and in few files. True: there is more to do. One
  /// caller at a time. Errors: corrupt (the log), no_space, io: what was to be done is found again by a later call.
  Result<bool> do_chores();
  /// Whether keep_digests() is worth a call.
  [[nodiscard]] bool digests_due() const;
  /// Goes one bounded step towards a digest of each sealed segment that is synced and whole (segment_digest.hpp). How many
  /// bytes of batches it has read; nothing when there is nothing to do by now. One caller at a time. Errors: no_space, io: that
  /// segment's is made after the next opening.
  Result<std::optional<std::uint64_t>> keep_digests();
  /// Reads about so many bytes more of all there is, without trust in what was read before, and compares whole segments with
  /// their digests. Damage becomes a hole, as when a reader meets it. A partition that has failed is passed. One caller at a
  /// time. Errors: io.
  Result<Scrubbed> scrub(std::uint64_t bytes);
  /// `wake` is called when do_chores() is worth a call, at once if it is now; from then on with the owner's mutex held or by
  /// a reader. Before the first append.
  void when_chores_are_due(std::function<void()> wake);
  /// Goes one bounded step of a round of compaction, which `round` begins where none is under way; compaction.hpp says what
  /// becomes of the records. Offsets stay, readers go on, and a crash leaves the old segments or the new ones. Where the round
  /// ended, once it is over: keys are unique below that; nothing while there is more to do. One caller at a time.
  /// Errors: unsupported for a log without gaps or read-only; corrupt, no_space, io, or what sync() answers: then the round is
  /// given up, and what has been exchanged stays so. When that leaves files that can't be told apart after a crash, the
  /// partition has failed.
  Result<std::optional<Offset>> compact(const CompactionRound& round);
  /// Once it is true, nothing is written, synced or removed any more, and `cause` is what is answered: the directory is
  /// another's. False while something of that runs, which it does not wait for: then it is to be called again.
  [[nodiscard]] bool try_refuse(const Error& cause);
  [[nodiscard]] Offset start() const;
  [[nodiscard]] Offset written_end() const;
  [[nodiscard]] Offset synced_end() const;
  [[nodiscard]] LeaderEpoch last_epoch() const;
  /// Bytes written and not yet synced.
  [[nodiscard]] std::uint64_t unsynced_bytes() const;
  /// First batch that holds or follows `from`, and as many more as fit `bytes_max`, all below `end` (a batch border).
  /// `topic` and `partition` only fill the position that is returned. Errors: offset_out_of_range (below the start, above
  /// `end`); corrupt (file, byte and damaged range); io.
  Result<Fetched> read(Offset from, Offset end, std::size_t bytes_max, const TopicId& topic, PartitionId partition);
  /// The same as bytes of a file. Errors: as read(); unsupported by the storage.
  Result<FileRange> read_range(Offset from, Offset end, std::uint64_t bytes_max, const TopicId& topic, PartitionId partition);
  /// The last batches that end at or below `end`, ascending: as many as fit `bytes_max`, at least one; empty when none does.
  /// `committed` is what the result tells as committed end. Errors: as read().
  Result<Fetched> read_back(Offset end, Offset committed, std::size_t bytes_max, const TopicId& topic, PartitionId partition);
  /// Records with this key in [begin, end), by the stream index. Errors: unsupported without one; history_trimmed when `begin`
  /// lies below the start; corrupt, io.
  Result<KeyRecords> read_key(std::string_view key, Offset begin, Offset end, std::size_t records_max);
  /// First record below `end` whose timestamp is at least `time`; nothing when there is none. Errors: corrupt, unsupported
  /// codec, io.
  Result<std::optional<Offset>> offset_at(Timestamp time, Offset end);
  /// The same of what is left where records are damaged.
  Result<std::optional<Offset>> offset_at_of_what_is_left(Timestamp time, Offset end);
  /// End offset of `epoch` in this log: the start of the next one, or the written end. Nothing when the epoch is unknown.
  std::optional<Offset> end_of_epoch(LeaderEpoch epoch) const;
  /// Read-only logs: looks for what the writer added up to `end`, including new segments. Does nothing on a writer's log.
  /// Errors: corrupt, not_found (a segment that went meanwhile), io.
  Result<void> refresh(Offset end);
  /// Read-only logs: what the writer has made the start, at most the written end.
  void follow_start(Offset start);
  [[nodiscard]] RecoveryReport recovery() const;
  /// What is known to be lost at or above the start, ascending.
  [[nodiscard]] std::vector<DamagedRange> damage() const;
  /// Why nothing can be read, if nothing can.
  [[nodiscard]] const std::optional<Error>& unreadable_since_opening() const;
  /// Why nothing has been written since the opening, nor will be: damage reaches up to the end, or nothing can be read.
  [[nodiscard]] const std::optional<Error>& refused_since_opening() const;

 private:
  struct Parts;
  Result<std::optional<Offset>> find_time(Timestamp time, Offset end);
  explicit PartitionLog(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace lungo
