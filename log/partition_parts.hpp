// What a PartitionLog is made of; its members are spread over partition_log.cpp (open, close), partition_append.cpp,
// partition_batches.cpp, partition_chores.cpp, partition_sync.cpp, partition_truncate.cpp, partition_start.cpp,
// partition_compaction.cpp, partition_read.cpp, partition_damage.cpp, partition_digests.cpp, partition_scrub.cpp and
// partition_streams.cpp.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include <lungo/log/partition_log.hpp>

#include "buffer_pool.hpp"
#include "compaction.hpp"
#include "damage.hpp"
#include "epoch_history.hpp"
#include "missing_digests.hpp"
#include "next_segment.hpp"
#include "partition_producers.hpp"
#include "recent_ids.hpp"
#include "record_lookup.hpp"
#include "segment_list.hpp"
#include "stream_index.hpp"
#include "synced_mark.hpp"

namespace lungo {

/// The first failure after which nothing may be written; stays set.
class FailureLatch {
 public:
  /// False when an earlier one stands.
  bool set(const Error& error) {
    const std::lock_guard lock(mutex_);
    const bool is_first = !error_;
    if (is_first) error_ = error;
    is_set_.store(true, std::memory_order_release);
    return is_first;
  }
  [[nodiscard]] std::optional<Error> get() const {
    if (!is_set_.load(std::memory_order_acquire)) return std::nullopt;
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  std::atomic<bool> is_set_{false};
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

/// Lets one thread at a time sync; the mutex is not held meanwhile.
class SyncTurn {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [this] { return !taken_; });
    taken_ = true;
  }
  bool try_lock() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(taken_, true);
  }
  void unlock() {
    {
      const std::lock_guard lock(mutex_);
      taken_ = false;
    }
    free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

struct PartitionLog::Parts {
  Parts(Ports ports_given, std::string directory_given, const PartitionOptions& options_given)
      : ports(ports_given),
        directory(std::move(directory_given)),
        options(options_given),
        segment_bytes(options_given.segment_bytes),
        out_of_memory(Errc::partition_failed,
                      "writes to " + directory + " are refused until it is opened again: out of memory"),
        producers(ports.storage, directory, options.producer_expiry),
        next_segment(ports.storage, directory),
        timestamps(options_given.timestamps) {}

  const Ports ports;
  const std::string directory;
  const PartitionOptions options;
  RecoveryReport recovery;
  std::optional<Error> unreadable;       // stands for all that could be read
  std::optional<Error> opening_refusal;  // the first failure, when there was one before anything was written

  // Shared.
  SegmentList segments;
  EpochHistory epochs;
  KnownDamage damage;
  mutable BufferPool buffers;
  std::unique_ptr<StreamIndex> streams;  // null: none is kept
  FailureLatch failure;
  std::atomic<std::uint64_t> segment_bytes;  // options.segment_bytes, until it is changed
  std::atomic<std::int64_t> start{0};        // stored before the segments below it leave the list
  std::atomic<std::int64_t> written_end{0};  // stored after the bytes and the segment that holds them can be seen
  std::atomic<std::int64_t> synced_end{0};
  std::atomic<std::uint64_t> written_bytes{0};  // since opening
  std::atomic<std::uint64_t> synced_bytes{0};   // of those
  std::atomic<bool> names_changed{false};       // the directory is to be synced
  std::atomic<bool> digests_due{false};         // a segment may be sealed that has none
  const Error out_of_memory;                    // made while there is some

  PartitionProducers producers;      // the owner's, but for its sync()
  NextSegment next_segment;          // made by do_chores()
  std::function<void()> chores_due;  // set before the first append; null: nobody does them

  // The owner's.
  TimestampKind timestamps;            // options.timestamps, until it is changed
  Segment* active = nullptr;           // the last of `segments`; null: read-only and empty
  std::optional<Offset> half_made;     // a segment that could not be added, of which a file may be there
  LeaderEpoch noted_epoch = kNoEpoch;  // of the last batch, as `epochs` knows it
  BatchBuilder builder;
  Bytes compressed;                       // the batch that is being written, where the topic compresses
  std::vector<std::uint64_t> key_hashes;  // of an append
  std::uint32_t last_batch_crc = 0;
  DamageList damage_on_disk;
  std::unique_ptr<RecentIds> recent_ids;  // null until it is needed
  bool closed = false;

  // Segments that have left the list, and whose files are still there.
  std::mutex trimmed_mutex;
  std::vector<Offset> trimmed;             // under trimmed_mutex: their bases
  std::mutex removing;                     // before sync_turn; held while files go, and for a step of compaction
  std::vector<std::string> set_aside;      // under removing: files that go next
  std::unique_ptr<Compaction> compaction;  // under removing: the round under way
  MissingDigests digests;                  // under removing
  std::mutex full_mutex;
  std::vector<std::shared_ptr<Segment>> full;  // under full_mutex: with room behind their end. Emptied under removing

  // The scrub's.
  std::unique_ptr<SegmentPass> scrubbed;  // the segment that it is at
  Offset scrub_next;                      // base of the first that it has not seen in this round

  // Whoever has the turn to sync.
  SyncTurn sync_turn;
  std::unique_ptr<SyncedMark> mark;  // null: read-only
  Offset first_unsynced_segment;     // base of the first segment that may have unsynced bytes

  Error fail(const Error& cause);
  void refuse_from_now_on(const Error& cause);
  Result<void> keep_damage();
  bool note_damage(const Segments& list, std::size_t index, Offset begin, Offset end);
  bool is_new_damage(const Segments& list, std::size_t index, Offset begin, Offset end,
                     const std::shared_ptr<const DamageList>& known);
  template <class Run, class Look>
  Result<std::optional<Run>> first_run(Offset from, Offset end, bool& is_news, Look look);
  Result<Fetched> read(Offset from, Offset end, std::size_t bytes_max, const TopicId& topic, PartitionId partition,
                       bool& is_news);
  Result<FileRange> read_range(Offset from, Offset end, std::uint64_t bytes_max, const TopicId& topic, PartitionId partition,
                               bool& is_news);
  Result<Fetched> read_back(Offset end, Offset committed, std::size_t bytes_max, const TopicId& topic, PartitionId partition,
                            bool& is_news);
  bool note_damage(const Compaction::Reading& reading);
  bool reads_again(const DamagedRange& hole);
  bool finds_rotten_headers(const Segments& list, std::size_t index);
  bool finds_rotten_headers(const Segments& list, Offset end);
  bool note_damage(Segment& segment, const Result<std::optional<DamagedRange>>& range);
  /// `odd` is a batch that only the history of epochs speaks against. True when that is what was wrong, and is made anew.
  bool relearn_rotten_epochs(const Segments& list, const DamagedRange& odd);
  [[nodiscard]] bool history_fits(const Segments& list, Offset offset) const;
  [[nodiscard]] std::optional<Error> refusal() const;

  [[nodiscard]] bool makes_ahead() const { return chores_due && segment_bytes >= options.made_ahead_bytes_min; }
  Result<void> roll(Offset base);
  Result<void> add_segment(Offset base);
  Result<void> remove_half_made();
  Result<Appended> append_unchecked(EncodedRecords& records, LeaderEpoch epoch);
  void append_checked(std::span<GroupItem> group, LeaderEpoch epoch);
  Result<Appended> append_batch(ProducerBatch& batch, LeaderEpoch epoch);
  Result<std::optional<Appended>> check_producer(const BatchHeader& batch, Timestamp now);
  void note_ids(BytesView batch, Offset first);
  [[nodiscard]] std::optional<Timestamp> log_append_time() const;
  Result<void> write_records(BytesView batch, LeaderEpoch epoch, std::int32_t count, Timestamp max_timestamp,
                             std::span<const std::uint64_t> hashes);
  Result<void> write(BytesView batch, LeaderEpoch epoch, std::int32_t count, Timestamp max_timestamp,
                     std::span<const std::uint64_t> hashes);
  Result<StreamIndex::Batch> write_to_segment(BytesView batch, LeaderEpoch epoch, Offset end, std::optional<Timestamp> newest);
  void move_end(Offset end, std::size_t bytes);
  [[nodiscard]] RecordLookup lookup(Offset end);
  Result<const RecentIds*> ids();
  [[nodiscard]] StreamIndex::Log stream_log() const;
  Result<void> cut(const Segments& list, std::size_t index, std::uint64_t position, Offset end);
  Result<void> make_durable(Offset target);
  void write_changed_epochs();
  void give_back_room();
  Result<void> follow(Offset end);
  void find_last_batch_crc();
  [[nodiscard]] Offset synced_names() const;
  void trim(Offset new_start);
  Result<void> exchange(Compaction& round);
  void put_in_list(const Compaction& round);
  Result<std::shared_ptr<Segment>> open_to_read(Offset base, bool waits = false) const;
  Result<std::shared_ptr<Segment>> open_to_read_behind(Offset reached) const;
};

}  // namespace lungo
