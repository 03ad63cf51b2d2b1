// The producers of one partition: their state, when somebody needs it, and its snapshots on disk.
//
// State is made when it is first needed: the snapshot at the base of the newest segment that has a good one, and then the
// headers of the batches from there on, which makes five of a producer's batches known again and not only the last. A partition
// without producers has no state and no files.
//
// On disk: once there are producers each roll writes a snapshot at the new segment's base, with the roll and before the segment
// is there; it is synced no later than what lies below it, so a recovery point never passes a roll whose snapshot can be lost.
// A clean stop writes one at the end, as Kafka's brokers do. Snapshots are hints that nobody believes: one that fails its
// checks is removed and the one before taken, in the end the log alone; one above the log's end speaks of records that are
// gone, and goes before others come.
//
// Where some of the log is damaged when state is made, producers of which nothing is known behind that are in doubt
// (producer_state.hpp), as long as the damage is there: a snapshot may have been made behind it. What is found to be damaged
// later takes nothing from what is known by then.
//
// Threads: the owner's, but for sync(), which is for whoever has the turn to sync.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "producer_state.hpp"
#include "segment_list.hpp"

namespace lungo {

class PartitionProducers {
 public:
  PartitionProducers(Storage& storage, std::string directory, std::chrono::milliseconds expiry)
      : storage_(storage), directory_(std::move(directory)), expiry_(expiry) {}

  /// Looks at what is there of a log that ends at `end`; removes, durably, the snapshots above it, and those below the first
  /// segment. `batches_seen`: recovery has come by a producer's batch. Snapshots at or above `unsynced_from`, where it is
  /// given, may have been in the page cache only: they are synced, and those that are lost made anew. Errors: no_space, io.
  Result<void> open(const Segments& segments, Offset end, bool batches_seen, std::optional<Offset> unsynced_from,
                    Timestamp now);

  /// Who is silent for so long is forgotten, from now on.
  void set_expiry(std::chrono::milliseconds expiry);

  /// Whether there may be producers.
  [[nodiscard]] bool has_any() const { return has_any_; }
  /// As ProducerState::check(). `segments` hold the log up to its end, `end`. Errors: io, too.
  Result<std::optional<ProducedBatch>> check(const Segments& segments, Offset end, const BatchHeader& batch, Timestamp now);
  /// The batch that was checked last lies in the log.
  void note(const BatchHeader& batch, Timestamp now);
  /// A segment is about to begin at the end of the log, `base`: writes its snapshot, if there are producers. Errors: no_space,
  /// io.
  Result<void> roll(const Segments& segments, Offset base, Timestamp now);
  /// The segments in front of `segments[kept]` are about to go, and with them what a snapshot could be made of: sees to it that
  /// there is one at its base. sync() has to follow. Errors: no_space, io.
  Result<void> keep(const Segments& segments, std::size_t kept, Timestamp now);
  /// The log stops cleanly at `end`, where all of it is synced. Errors: no_space, io.
  Result<void> save(const Segments& segments, Offset end, Timestamp now);
  /// The log is about to be cut at `end`; the caller syncs the directory. Errors: io.
  Result<void> cut(Offset end);

  /// Makes durable, with the directory, which the caller syncs, the snapshots of the rolls so far. Errors: no_space, io.
  Result<void> sync();

 private:
  [[nodiscard]] std::string path(Offset base) const;
  /// What is known, and where the last damage begins that may hide more.
  struct Made {
    ProducerState& state;
    std::optional<Offset> lost_from;

    void note_lost(Offset offset) { lost_from = std::max(lost_from.value_or(offset), offset); }
  };
  Result<void> load(const Segments& segments, Offset end, Timestamp now);
  Result<void> make(std::span<const std::shared_ptr<Segment>> segments, Offset end, Timestamp now, Made& made);
  Result<void> write_snapshot(Offset base, const ProducerState& state);
  Result<bool> load_snapshot(Offset base, ProducerState& state, Timestamp now);
  static Result<void> walk(std::span<const std::shared_ptr<Segment>> segments, Offset end, Made& made, Timestamp now);
  Result<void> sync_again(Offset from);
  Result<void> make_up_for_lost(const Segments& segments, Offset from, Timestamp now);
  Result<void> remove_where(bool (*gone)(Offset snapshot, Offset border), Offset border);

  Storage& storage_;
  const std::string directory_;

  // The owner's.
  std::chrono::milliseconds expiry_;
  bool has_any_ = false;                  // producers, or snapshots that say so
  std::vector<Offset> snapshots_;         // ascending; some may have gone with their segment
  std::optional<Offset> none_below_;      // where the first producer came after the opening
  std::optional<Offset> written_from_;    // snapshots from here on are ours, and good
  std::unique_ptr<ProducerState> state_;  // null until it is needed
  std::optional<Offset> lost_from_;       // of the damage that was known then, where the last begins

  std::mutex unsynced_mutex_;
  std::vector<std::unique_ptr<File>> unsynced_;  // under unsynced_mutex_
};

}  // namespace lungo
