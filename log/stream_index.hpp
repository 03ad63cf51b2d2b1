// The stream index of one partition: where the records of a key hash are.
//
//   run | run | hole | run | table | table | open table          ascending, side by side, up to the log's end
//
// The owner adds each batch to the open table. A table that is full rests until the housekeeper writes it as a run, and runs
// that lie side by side become one (stream_merge_choice.hpp). A hole is a range that nothing covers: at first all that is found
// at opening, later what a crash, a damaged run or a truncation left. Whoever needs it has it read from the log; so does the
// housekeeper.
//
// Where the log itself is damaged (damage.hpp) nothing is read, and the hole there stays: no run says of records that are lost
// that there are none, so nothing has to be taken back once they are mended. Runs from before the damage know of them. No
// look-up goes there: RecordLookup stops in front.
//
// Promise: a hit is a record whose key may have the hash, and every such record is a hit. Nothing is answered from a run that
// fails a check or is of another history. Memory: the open table and kTablesMax that rest, and of runs fence and filter.
// Threads: the owner serialises add(), truncate() and save(); look-ups and step() run beside it, on any thread. add() waits for
// no disk, and no look-up waits for a build that it does not need.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "epoch_history.hpp"
#include "open_stream_run.hpp"
#include "segment_list.hpp"
#include "stream_run_files.hpp"
#include "stream_run_merge.hpp"

namespace lungo {

class StreamIndex {
 public:
  /// Tables at rest, at most: what is too much for who writes them becomes a hole.
  static constexpr std::size_t kTablesMax = 2;
  /// How much a step reads and writes of a merge.
  static constexpr std::size_t kStepBytes = 1u << 20;

  /// The log that it is of. What it refers to outlives the index.
  struct Log {
    Storage& storage;
    const std::string& directory;
    const SegmentList& segments;
    const EpochHistory& epochs;
    const std::atomic<std::int64_t>& start;
    const PartitionOptions& options;
  };

  /// Of a log whose end is `end`: runs that reach above it are removed, and that is durable; nothing else is read yet. Errors:
  /// io.
  static Result<std::unique_ptr<StreamIndex>> open(const Log& log, Offset end);

  // The owner's side.

  struct Batch {
    Offset first;
    std::uint64_t place = 0;  // in its segment file
    std::uint32_t crc = 0;
    LeaderEpoch epoch;
  };
  /// The records of a batch that was written, one hash each. Before anybody is told of it.
  void add(const Batch& batch, std::span<const std::uint64_t> hashes);
  /// The same of a batch up to `end` that lacks offsets, with the offset delta of each record.
  void add(const Batch& batch, std::span<const std::uint64_t> hashes, std::span<const std::int32_t> deltas, Offset end);
  /// The log is about to end at `end`. What reaches above is removed; durable with the directory's next sync. Errors: io.
  Result<void> truncate(Offset end);
  /// Writes the open table, for the next opening; nothing is kept up behind it. Errors: no_space, io.
  Result<void> save();

  // Any thread.

  /// One bounded step: a table is written, a hole read from the log, runs are merged. True: there is more to do. Errors:
  /// corrupt (the log), no_space, io: what was to be done is found again by a later step.
  Result<bool> step();
  /// `wake` is called when step() is worth a call: now and later, by whoever causes it. Set before the first append.
  void when_due(std::function<void()> wake);
  /// The log's start has moved up.
  void note_start() { call_due(); }
  /// Once it is true, nothing is written or removed any more. False while a step runs, which it does not wait for.
  [[nodiscard]] bool try_stop();

  /// Appends the offsets of [from, end) with this hash, ascending, of a first part of it, at most `limit`; returns up to where
  /// that is all. Errors: corrupt, io.
  Result<Offset> find(std::uint64_t hash, Offset from, Offset end, std::size_t limit, std::vector<Offset>& out);

 private:
  friend class StreamWalk;

  /// A table that grows no more, and the batch that ends where it ends.
  struct Table {
    OpenStreamRun records;
    std::uint32_t crc = 0;
    LeaderEpoch epoch = kNoEpoch;
  };
  /// What covers some of the log; neither table nor run: a hole.
  struct Piece {
    Offset begin;
    Offset end;
    std::shared_ptr<const Table> table = nullptr;
    std::shared_ptr<const StreamRunReader> run = nullptr;
    [[nodiscard]] bool is_hole() const { return table == nullptr && run == nullptr; }
  };
  using Pieces = std::vector<Piece>;
  /// What holds an offset; a table was used already.
  struct Found {
    Offset begin;
    Offset end;
    bool in_table = false;
    std::shared_ptr<const StreamRunReader> run = nullptr;
  };

  StreamIndex(const Log& log, Offset end, bool is_due);

  // Look-ups.
  [[nodiscard]] std::optional<Found> use_piece(Offset offset, const std::function<void(const OpenStreamRun&)>& use) const;
  [[nodiscard]] Offset end() const;
  Result<void> reach(Offset end);
  Result<void> fill(Offset wanted);
  void discard(const std::shared_ptr<const StreamRunReader>& run, const Error& cause);

  void note_last(const Batch& batch, bool is_full);
  void rest_table();
  void rest_table_of_reader();
  [[nodiscard]] std::shared_ptr<const Pieces> pieces() const;
  void call_due();

  // With `working_` held.
  void replace(Offset begin, Offset end, const Pieces& by);
  Result<void> load();
  [[nodiscard]] Result<Pieces> open_runs(Offset end) const;
  [[nodiscard]] Result<std::shared_ptr<const StreamRunReader>> open_run(const StreamRunName& name, Offset end) const;
  [[nodiscard]] Result<bool> belongs(const StreamRunOrigin& origin) const;
  Result<void> fill_part(const Piece& hole, Offset wanted);
  [[nodiscard]] std::optional<DamagedRange> lost_at(Offset offset) const;
  Result<void> read_log(const Segment& segment, Offset begin, Offset end, const std::function<Result<void>(Table)>& take) const;
  Result<std::shared_ptr<const StreamRunReader>> write(const Table& table) const;
  Result<void> drop_deleted();
  Result<bool> write_oldest_table();
  Result<bool> fill_a_hole();
  Result<bool> merge();
  Result<bool> begin_merge();
  Result<void> finish_merge();
  void drop_merge();
  void stop();
  void make_hole_of(const std::shared_ptr<const StreamRunReader>& run, const Error& cause);
  [[nodiscard]] bool writes() const { return !log_.options.read_only && !stopped_; }
  [[nodiscard]] Offset start() const { return Offset{log_.start.load(std::memory_order_acquire)}; }
  [[nodiscard]] std::string path_of(Offset begin, Offset end) const;

  const Log log_;

  std::mutex working_;   // before mutex_: held by whoever changes what lies below the open table, over reads and writes
  bool loaded_ = false;  // under working_, as what follows
  bool stopped_ = false;
  bool merge_failed_ = false;       // until there is a new run
  std::vector<Offset> unreadable_;  // ends of holes that steps leave alone, such as those that stay
  std::unique_ptr<StreamRunMerge> merge_;
  StreamRunMerge::Runs merging_;  // its inputs, oldest first
  std::string merged_path_;
  std::uint32_t reading_place_ = 0;  // of the batch that a read-only log's table takes over

  mutable std::mutex mutex_;              // never held over a read
  std::unique_ptr<OpenStreamRun> table_;  // under mutex_
  std::shared_ptr<const Pieces> pieces_;  // under mutex_: up to table_->begin()
  std::uint32_t last_crc_ = 0;            // of the last batch that was added; the owner's, as the next
  LeaderEpoch last_epoch_ = kNoEpoch;
  std::atomic<bool> is_due_;
  std::function<void()> wake_;
};

}  // namespace lungo
