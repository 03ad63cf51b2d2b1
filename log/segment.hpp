// One segment of a partition: `BASE.log` with its two indexes, where BASE is the first offset in 20 digits.
//
// Promise: the file's size is the end of its data at all times (room is reserved behind it without changing the size), so
// Kafka's own tools read a live directory. A failed append is cut off again. Bytes leave verified: base offset and leader epoch
// against their neighbours each time; the CRC once per open, as a mark tells up to where it held.
// Threads: append(), seal() and cut() by the owner; everything const, sync() and give_back_room() beside it on any
// thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/partition_log.hpp>

#include "batch_scanner.hpp"
#include "buffer_pool.hpp"
#include "epoch_history.hpp"
#include "position_hints.hpp"
#include "sparse_index.hpp"

namespace lungo {

/// `00000000000000000042.log`
std::string segment_file_name(Offset base, std::string_view suffix);
/// The base offset in such a name; nothing when it is no segment file with this suffix.
std::optional<Offset> segment_base(std::string_view file_name, std::string_view suffix);

inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kIndexSuffix = ".index";
inline constexpr std::string_view kTimeIndexSuffix = ".timeindex";

/// Room behind the end of a new segment.
inline constexpr std::uint64_t kReservedBytesMin = 64u << 10;

/// A run of whole verified batches in a buffer.
struct BatchRun {
  std::shared_ptr<const Bytes> buffer;
  BytesView batches;  // empty: nothing below the end that was asked for
  Offset end;         // one past the last record
  LeaderEpoch epoch;  // of the last batch
  [[nodiscard]] bool empty() const { return batches.empty(); }
};

/// A run of whole verified batches in the file.
struct ByteRun {
  FileHandle file;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;  // 0: nothing below the end that was asked for, and no handle
  Offset end;               // as BatchRun's
  LeaderEpoch epoch;
  [[nodiscard]] bool empty() const { return bytes == 0; }
};

/// What a scan of a whole segment found.
struct SegmentScan {
  Offset end;                       // of the good part
  std::uint64_t position = 0;       // where the good part ends
  std::optional<BatchHeader> last;  // batch; nothing in an empty segment
  std::optional<Error> damage;      // why it ends before the file does
  std::uint64_t last_position = 0;  // of that batch, by rebuild()
  LeaderEpoch epoch_before;         // of the one in front of it, by rebuild()
};

/// Where a scan has met damage, and what lies in front of it.
struct DamageSite {
  std::uint64_t position = 0;
  Offset expected;
  LeaderEpoch epoch;                        // of the batch in front
  std::optional<ScannedBatch> previous;     // that batch, if it was read
  std::optional<LeaderEpoch> epoch_before;  // of the one in front of that, if it is known
  std::optional<Offset> due_before;         // where `previous` was expected to begin, if that is known
  bool is_unreadable = false;               // the disk does not read it: nobody knows what is there
};

/// Tells what is damaged there, and that the scan goes on behind it; or nothing: it ends there.
using PassDamage = std::function<Result<std::optional<DamagedRange>>(const DamageSite& site)>;

/// Where a search for whole batches behind damage may end.
struct SearchLimits {
  Offset base_max;  // what follows begins at or below it
  Offset gaps_below = kNoGaps;
  bool is_sealed = false;  // the segment ends there for good
};

class Segment {
 public:
  /// Which CRCs a read does not check: those below verified_up_to(), or none. What is about to get a new CRC is checked anew.
  enum class Trust { checked_before, nothing };

  /// Opens the segment's files, made when absent; with options.read_only nothing is ever made or written. `name_suffix` stands
  /// behind their names as long as they have not taken their place (segment_swap.hpp).
  /// Call load_tail() or rebuild() before the first append to what has records. Errors: not_found, no_space, io.
  static Result<std::shared_ptr<Segment>> open(Storage& storage, const std::string& directory, Offset base,
                                               const PartitionOptions& options, std::string_view name_suffix = {});

  [[nodiscard]] Offset base() const { return base_; }
  [[nodiscard]] std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool may_have_gaps() const { return may_have_gaps_.load(std::memory_order_relaxed); }
  /// kNoGaps or kGapsAnywhere.
  [[nodiscard]] Offset gaps_below() const { return may_have_gaps() && !gaps_inside_ ? kGapsAnywhere : kNoGaps; }
  /// Nobody but append() has written to it: before the first look at its batches.
  void expect_no_gaps() { may_have_gaps_.store(false, std::memory_order_relaxed); }
  [[nodiscard]] std::string file_name() const { return segment_file_name(base_, kLogSuffix); }
  /// What of it is lost: scans step over that. Null: nothing is known to be.
  [[nodiscard]] std::shared_ptr<const DamageList> damage() const { return damage_.get(); }
  void set_damage(DamageList damage) { damage_.assign(std::move(damage)); }
  void add_damage(const DamagedRange& range) { damage_.add(range); }
  /// Whether the disk reads all bytes of the range by now.
  [[nodiscard]] bool can_read(const DamagedRange& range) const;
  /// It is as if nobody had looked at it yet.
  void forget_damage(const DamagedRange& range);

  /// Where the next segment begins: no batch here reaches past it.
  void set_end_max(Offset next_base) { end_max_.store(next_base.value(), std::memory_order_relaxed); }

  // Opening.

  /// Finds the end from the last offset entry on, without a look at what lies before: for a segment that was closed or sealed.
  /// Errors: corrupt when an index or the batches behind its last entry do not fit; io.
  Result<SegmentScan> load_tail();
  /// Reads and verifies the whole segment and makes its indexes anew. `note` is told each good batch; epochs below
  /// `epoch_at_least` are damage, and so are gaps above `gaps_below`, where the segment may have gaps at all. Damage is not an
  /// error: `pass` tells whether to go on behind it. What the disk does not read is one, where `pass` does not. With
  /// `write_indexes` false the index files stay as they are. Errors: io, no_space, and those of `pass`.
  Result<SegmentScan> rebuild(bool write_indexes, LeaderEpoch epoch_at_least,
                              const std::function<void(const BatchHeader&)>& note, Offset gaps_below = kGapsAnywhere,
                              const PassDamage& pass = {});
  /// The same from the start, header by header and without a trace.
  Result<SegmentScan> walk_headers(const std::function<void(const BatchHeader&)>& note) const;
  /// Scans all of it as it is now, for who holds it meanwhile.
  [[nodiscard]] BatchScanner scan_all(BatchScanner::Depth depth) const { return scanner(depth, {0, base_}); }
  /// Writes everything behind the batch border at `from` (all, if it is none) once more, as it is: after a failed sync the
  /// cache may hold pages that count as clean and are not on disk. But for damage that the disk does not read. Errors: corrupt,
  /// no_space, io.
  Result<void> write_again(Offset from);
  /// True when a whole batch with a base offset of at least `expected` begins anywhere at or behind `position`, or may: the
  /// search is bounded, hostile bytes can make it longer than that, and the disk may not read all of it. Errors: io.
  [[nodiscard]] Result<bool> holds_batch_after(std::uint64_t position, Offset expected) const;
  /// Whether the batch at `position`, whose epoch is below `epoch`, is in its place and the one in front of it is odd, as
  /// `epoch_before` was the epoch before that. Leader epochs are outside of the CRC: one that was turned into a later one shows
  /// only by the batch behind it, which is innocent. Errors: io.
  [[nodiscard]] Result<bool> is_odd_in_front(std::uint64_t position, Offset expected, LeaderEpoch epoch,
                                             std::optional<LeaderEpoch> epoch_before) const;
  /// The batch in front of the site, where it came behind a gap, what stands here fits without it, and what follows agrees: its
  /// base offset, which is outside of the CRC, was turned into a later one. Errors: io.
  [[nodiscard]] Result<std::optional<DamagedRange>> risen_one_in_front(const DamageSite& site) const;
  /// The same for a batch that was found where `due` was expected. Costs a look behind it, where it came behind a gap only.
  [[nodiscard]] Result<std::optional<DamagedRange>> risen_batch(const ScannedBatch& batch, Offset due) const;
  /// The damage that begins at the site, up to the batches that follow. They follow where the length of the damaged batch says
  /// so, or else at the first place from which whole batches go on to the end: less would mistake for the log what is
  /// stored in a record. Bounded as holds_batch_after(). Nothing where none follows. Errors: io.
  [[nodiscard]] Result<std::optional<DamagedRange>> damage_up_to_batches(const DamageSite& site,
                                                                         const SearchLimits& limits) const;
  /// Whether a whole batch with this base offset stands there. Errors: io.
  [[nodiscard]] Result<bool> is_batch_at(std::uint64_t position, Offset base) const;
  /// The first damage that is not known in or in front of the batches of [begin, end), from the index entry below `begin` on;
  /// `epochs`, if given, is what they have to agree with, from `start` on. Nothing when there is none, or nothing good behind
  /// it. Errors: io.
  [[nodiscard]] Result<std::optional<DamagedRange>> find_damage(Offset begin, Offset end, const SearchLimits& limits,
                                                                const EpochHistory* epochs, Offset start) const;
  /// Limits what readers see to `position`; the file stays as it is. For read-only use.
  void limit_to(std::uint64_t position) { size_.store(position, std::memory_order_release); }
  /// Takes over what another process appended. Errors: io.
  Result<void> refresh();

  // The owner's side.

  /// Appends one finished batch; one without records has no time. On failure the file is cut back to where it was, later where
  /// no descriptor is left for it now. Errors: no_space, io; partition_failed when cutting back failed otherwise: then nothing
  /// may be written any more.
  Result<void> append(BytesView batch, Offset last_offset, std::optional<Timestamp> max_timestamp);
  /// What an append has left to be cut, if any; before another segment follows. Errors: io.
  Result<void> cut_back();
  /// True when the batch belongs into the next segment.
  [[nodiscard]] bool is_full_for(std::size_t batch_bytes, Offset last_offset, std::uint64_t segment_bytes) const;
  /// For a segment that closes: finish_indexes() and give_back_room().
  void seal();
  /// As Kafka leaves them behind a segment that is not written to any more: the time index ends with the largest time. False
  /// when that could not be written.
  bool finish_indexes();
  /// The largest timestamp so far; nothing in an empty segment.
  [[nodiscard]] std::optional<Timestamp> largest_time() const;
  /// Largest timestamp of the first batch that is not lost; nothing when there is none. Errors: corrupt, io.
  [[nodiscard]] Result<std::optional<Timestamp>> first_time() const;
  /// Cuts the log file; the indexes are made anew by rebuild(). Errors: io.
  Result<void> cut(std::uint64_t position);

  // Any thread.

  /// Gives back the room behind the end, once nothing is appended any more, and not beside cut(). A file system may take
  /// milliseconds for it.
  void give_back_room();
  /// Makes the log file durable, and the indexes of a segment that will not change any more. Errors: io, no_space.
  Result<void> sync(bool with_indexes);

  /// Whole batches from the one that holds or follows `from` on: at most `bytes_max`, but at least one, all below `end`; none
  /// when none follows here. `epochs` is the log's history, which they have to agree with; it may begin at `start` only.
  /// Errors: corrupt, io.
  Result<BatchRun> read(Offset from, Offset end, std::size_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                        Offset start = Offset{0}, Trust trust = Trust::checked_before) const;
  /// Where such batches lie in the file, and a handle to it. What was verified before is not read again. Errors: as read();
  /// unsupported by the storage.
  Result<ByteRun> range(Offset from, Offset end, std::uint64_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                        Offset start = Offset{0}) const;
  /// The last whole batches that end at or below `end`: at most `bytes_max`, but at least one; none when there is none.
  /// Errors: as read().
  Result<BatchRun> read_back(Offset end, std::size_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                             Offset start = Offset{0}) const;
  /// Batches that end at or below this byte had their CRC checked since the segment was opened, or were appended since.
  [[nodiscard]] std::uint64_t verified_up_to() const { return verified_up_to_.load(std::memory_order_acquire); }
  /// Whether its headers were compared with its digest since it was opened.
  [[nodiscard]] bool headers_compared() const { return headers_compared_.load(std::memory_order_acquire); }
  void note_headers_compared() { headers_compared_.store(true, std::memory_order_release); }
  /// How often the disk did not read what was to be looked at for damage.
  [[nodiscard]] std::uint32_t read_faults() const { return read_faults_.load(std::memory_order_relaxed); }
  /// False where `io` says nothing of the disk: there is no descriptor left.
  [[nodiscard]] bool can_be_opened() const { return file_->size().has_value(); }
  /// Whether its file is the one that has its name now. Errors: not_found; io.
  [[nodiscard]] Result<bool> has_its_name(Storage& storage) const;

  /// Header of the batch that holds `offset`; nothing when the segment ends below it. Errors: corrupt, io.
  [[nodiscard]] Result<std::optional<BatchHeader>> batch_holding(Offset offset) const;

  /// What stands there, if it may be a header at all, and the disk reads it. Errors: io.
  [[nodiscard]] Result<std::optional<BatchHeader>> header_if_any(std::uint64_t position) const;

  /// The batch that holds `offset`, if it begins at `place` and nothing about it is in doubt: where it ends is where the next
  /// one begins, or `segment_end`. One read, and nothing otherwise: `place` is a hint. Errors: io.
  Result<std::optional<BatchRun>> read_hinted(std::uint64_t place, Offset offset, Offset segment_end, BufferPool& buffers,
                                              const EpochHistory& epochs, Offset start) const;

  /// Reads and verifies the batches from the border `from` up to one that reaches `end`, and hands over each of their records;
  /// control batches hold none, and what is known to be lost is stepped over. `begin_batch` is told before of each batch and
  /// where it begins in the file. Errors: its own; corrupt, also when the segment ends below `end` or a batch lacks records,
  /// unless the segment may have gaps; unsupported codec; io.
  Result<void> scan_records(Offset from, Offset end, const std::function<void(const RecordView&)>& take,
                            const std::function<Result<void>(const BatchHeader&, std::uint64_t)>& begin_batch = {}) const;

  /// Position of the batch border at `end`. Errors: invalid_argument when it lies inside a batch; corrupt, io.
  [[nodiscard]] Result<std::uint64_t> border_at(Offset end) const;

  /// Walks the headers from the batch border `from` up to `end` or the end of the segment; tells `epochs` of each batch and
  /// returns where it stopped. Errors: corrupt, io.
  Result<Offset> walk_from(Offset from, Offset end, EpochHistory& epochs) const;

  /// First batch of records that reaches above `from` and whose largest timestamp is at least `time`: its base offset. Whether
  /// a record of it has such a time has to be looked at, where some were compacted away. Errors: corrupt, io.
  Result<std::optional<Offset>> first_batch_at(Timestamp time, Offset from) const;

 private:
  struct Place {
    std::uint64_t position = 0;
    Offset expected;
  };

  Segment(Offset base, std::string path, std::unique_ptr<File> file, std::unique_ptr<OffsetIndex> offsets,
          std::unique_ptr<TimeIndex> times, const PartitionOptions& options);

  struct Behind {
    std::uint64_t position = 0;
    Offset base;
  };

  struct IndexEntries {
    std::vector<OffsetEntry> offsets;
    std::vector<TimeEntry> times;
  };

  [[nodiscard]] bool is_lost(Offset offset) const;
  [[nodiscard]] Result<bool> is_whole(std::uint64_t position, const BatchHeader& header, std::span<std::byte> scratch) const;
  [[nodiscard]] Result<std::optional<DamagedRange>> odd_one_in_front(const DamageSite& site) const;
  [[nodiscard]] Result<std::optional<DamagedRange>> damage_up_to_end(const DamageSite& site, const SearchLimits& limits) const;
  [[nodiscard]] Result<bool> is_confirmed(std::uint64_t position, const BatchHeader& header,
                                          const std::optional<BatchHeader>& before, const SearchLimits& limits) const;
  [[nodiscard]] Result<std::optional<Behind>> batch_behind_lengths(const DamageSite& site, const SearchLimits& limits,
                                                                   bool& reaches_end) const;
  [[nodiscard]] Result<std::optional<Behind>> batches_to_the_end(const DamageSite& site, const SearchLimits& limits) const;
  [[nodiscard]] Offset end_max() const { return Offset{end_max_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] BatchScanner scanner(BatchScanner::Depth depth, Place from, LeaderEpoch epoch = kNoEpoch) const;
  [[nodiscard]] Place verified_border(Place at, Offset end, std::uint64_t room) const;
  [[nodiscard]] Result<Place> first_place(Offset from) const;
  [[nodiscard]] Place place_of(const std::optional<OffsetEntry>& entry) const;
  [[nodiscard]] Place place_by_index(Offset target) const { return place_of(offsets_->find_at_most(target - base_)); }
  [[nodiscard]] Result<std::optional<Place>> place_named_by(const TimeEntry& entry) const;
  [[nodiscard]] std::optional<BatchHeader> header_at(std::uint64_t position) const;
  Result<Place> find(Offset target) const;
  Result<Place> border_before(Place end, std::size_t bytes_max) const;
  [[nodiscard]] Place behind_damage(Place place, Place end) const;
  Result<BatchRun> read_at(Place place, Offset end, std::size_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                           Offset start, Trust trust = Trust::checked_before) const;
  void note_verified(std::uint64_t begin, std::uint64_t end) const;
  void reserve_room(std::size_t batch_bytes);
  void collect(const ScannedBatch& batch, IndexEntries& entries);
  void note_time(TimeEntry entry);
  void index_batch(std::size_t bytes, Offset last_offset, std::optional<Timestamp> max_timestamp, std::uint64_t position);
  [[nodiscard]] std::int32_t relative(Offset offset) const { return static_cast<std::int32_t>(offset - base_); }

  const Offset base_;
  const std::string path_;  // of the log file
  const std::unique_ptr<File> file_;
  const std::unique_ptr<OffsetIndex> offsets_;
  const std::unique_ptr<TimeIndex> times_;
  const std::uint32_t index_interval_bytes_;
  std::atomic<bool> may_have_gaps_;
  const bool gaps_inside_;
  KnownDamage damage_;
  std::atomic<std::int64_t> end_max_{kNoEndMax.value()};
  std::atomic<std::uint64_t> size_{0};
  mutable std::atomic<std::uint64_t> verified_up_to_{0};
  std::atomic<bool> headers_compared_{false};
  mutable PositionHints hints_;
  mutable std::atomic<std::uint32_t> read_faults_{0};  // that a search has stepped over

  // The owner's.
  std::uint64_t reserved_ = 0;             // room on disk up to here
  bool is_to_be_cut_ = false;              // behind size(): an append has failed
  std::uint64_t bytes_since_index_ = 0;    // of batches behind the last index entry
  std::optional<TimeEntry> largest_time_;  // so far, and the last offset of the batch that brought it
  std::optional<std::int64_t> last_indexed_time_;
  bool is_unindexed_ = false;  // there are batches whose times are not known
};

}  // namespace lungo
