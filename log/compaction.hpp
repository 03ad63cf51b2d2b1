// One round of compaction over a partition, in bounded steps: which records give place to later ones of their key, and segments
// without them.
//
//   keys       the records of the round's range are read, and of each key the last offset is noted, as far as memory goes: the
//              round ends where it doesn't go any further
//   producers  the headers of all segments below that are walked: a producer's last batch stays, also without records, as what
//              it has sent is told by it
//   segments   from the oldest on, neighbours that fit one segment are written as one, `BASE.log.cleaned`, with what
//              compaction_filter.hpp leaves of their batches, and synced. Then it is the partition's turn to exchange them
//              (segment_swap.hpp). One that would stay as it is, is left alone. The last batch of each stays, also without
//              records: it says up to where the file took the place of others
//
// The older ones are exchanged first, so that a tombstone goes after what it deleted. Segments with a `.txnindex` of Kafka's
// are read, and left alone: what it says of them would have to be moved along. So are those of which something is damaged,
// which are not read either: their bytes are kept for whoever can mend them, and what is lost of them takes the place of
// nothing. Above one that is left alone tombstones stay: what they deleted may lie there. Threads: one at a time; the segments
// that it reads are sealed.
#pragma once

#include <string>
#include <unordered_map>

#include <lungo/log/partition_log.hpp>

#include "compaction_filter.hpp"
#include "segment_digest.hpp"
#include "segment_list.hpp"

namespace lungo {

class Compaction {
 public:
  enum class Turn {
    more,
    exchange,  // replacement() is whole and on disk, under the names that end with .cleaned
    done,
  };
  /// What it works on; all of it outlives the round.
  struct Log {
    Storage& storage;
    const std::string& directory;
    const PartitionOptions& options;
    BufferPool& buffers;
    const EpochHistory& epochs;
  };

  /// `segments`: all below round.end. New ones get no larger than `segment_bytes`, unless they are one alone.
  Compaction(Log log, Segments segments, std::uint64_t segment_bytes, const CompactionRound& round);

  /// `start`: of the log, by now. After `exchange` exchanged() has to be called before the next step.
  /// Errors: corrupt, too_large, unsupported codec, no_space, io: the round is over, and nothing of it counts.
  Result<Turn> step(Offset start);
  [[nodiscard]] const Segments& replaced() const { return group_; }
  /// What its keys come from, by which records go elsewhere.
  [[nodiscard]] const Segments& key_sources() const { return key_sources_; }
  [[nodiscard]] const std::shared_ptr<Segment>& replacement() const { return target_; }
  void exchanged();
  /// What the last step was reading, of the segment: where damage is, after it has answered `corrupt`.
  struct Reading {
    std::shared_ptr<Segment> segment;  // null: nothing
    Offset begin;
    Offset end;
  };
  [[nodiscard]] Reading reading() const;
  /// Below it keys are unique, once the round is done.
  [[nodiscard]] Offset cleaned_end() const { return keys_.end(); }
  [[nodiscard]] Offset begin() const { return round_.begin; }

 private:
  enum class Phase { begin, keys, producers, segments, done };

  Result<void> take_keys(Offset start);
  Result<void> note_producers();
  Result<Turn> clean_some(Offset start);
  Result<bool> begin_group();
  Result<bool> is_left_alone(const Segment& segment);
  Result<void> clean(BytesView batches);
  Result<Turn> finish_group();
  Result<void> write_digest_of_target();
  Result<void> write(BytesView batch);
  [[nodiscard]] Result<bool> next_joins();
  [[nodiscard]] bool is_last_of_producer(const BatchHeader& header) const;
  [[nodiscard]] Offset end_of(std::size_t source) const;

  const Log log_;
  const Segments sources_;
  const std::uint64_t segment_bytes_;
  const CompactionRound round_;
  Phase phase_ = Phase::begin;
  KeyOffsets keys_;
  Segments key_sources_;
  CompactionFilter filter_;
  std::size_t source_ = 0;  // that is read, in each phase
  Offset next_;             // where it is read on

  std::vector<Offset> records_end_;                        // of each source that has been walked: end of its last batch
  std::unordered_map<std::int64_t, Offset> last_batches_;  // of each producer: where it begins
  bool too_many_producers_ = false;                        // all their batches stay then

  Segments group_;                      // the sources that are written as one
  std::shared_ptr<Segment> target_;     // null between groups
  Bytes last_batch_;                    // of the group as far as it was read: header alone, where nothing else is left of it
  std::optional<HeaderDigest> digest_;  // of the target
  std::uint64_t unsynced_bytes_ = 0;
  bool changed_ = false;  // a batch of the group
};

}  // namespace lungo
