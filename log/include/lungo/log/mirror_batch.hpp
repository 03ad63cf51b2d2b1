// Records of a foreign log as batches of ours, at the offsets that they have there.
//
// For who fills a mirror (mirror_log.hpp). What a fetch has covered, [base, end), becomes one batch, or several side by side:
//
//   fetched from 10 on    records 12 13 17, and the next fetch begins at 20
//   one batch             baseOffset 10, lastOffsetDelta 9, three records with offsetDelta 2, 3 and 7
//
// Between two batches nothing is missing. What is (control records, records of aborted transactions, what the source has
// compacted away) lies inside of them, in front of the first record and behind the last one too, as compaction leaves it; and a
// range without any record is a batch without records, whose times are -1.
//
//   * Another batch begins where a record would make one larger than `batch_bytes`; the one before ends there. A single larger
//     record is a batch alone. Small batches, as a look-up by key reads a whole one.
//   * Keys, values and values of headers stay null or empty as they are. Nothing is compressed.
//   * Times are kept one by one, those that the source's log gave too: its batches, each with a time, are not ours.
//   * The leader epoch is kMirrorEpoch, whoever led the source: a copy that is made again is the same.
//
// Threads: none of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <lungo/log/growing_bytes.hpp>
#include <lungo/log/record_batch.hpp>

namespace lungo {

inline constexpr LeaderEpoch kMirrorEpoch{0};

/// One of the batches. The views hold as long as MirrorBatches stays as it is.
struct CopiedBatch {
  Offset base;
  Offset end;
  BytesView bytes;
  std::optional<Timestamp> newest;              // the largest time; nothing without records
  std::span<const std::uint64_t> key_hashes;    // of each record, for the stream index
  std::span<const std::int32_t> offset_deltas;  // of each record
};

/// A value type; begin() keeps the memory.
class MirrorBatches {
 public:
  static constexpr std::size_t kBatchBytes = 64u << 10;

  explicit MirrorBatches(Offset base = Offset{0}, std::size_t batch_bytes = kBatchBytes)
      : batch_bytes_(std::min(batch_bytes, kRecordBytesMax)), base_(base), end_(base) {}

  /// Forgets what it holds, and begins where a fetch began.
  void begin(Offset base);
  /// Takes over a record; `offset` is not below end(). Errors: invalid_argument for another offset, or one that lies 2^40 above
  /// the last; too_large for a record above kRecordBytesMax, which no log of ours takes.
  Result<void> add(Offset offset, const RecordFields& record);
  /// No record lies in [end(), `end`), where the fetch ended. To be called last. Errors: invalid_argument, as add().
  Result<void> end_at(Offset end);

  [[nodiscard]] Offset base() const { return base_; }
  /// One past the last record, or what end_at() said.
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] std::size_t records() const { return key_hashes_.size(); }

  // Behind end_at().

  /// None where the fetch covered nothing.
  [[nodiscard]] std::size_t count() const { return batches_.size(); }
  [[nodiscard]] CopiedBatch batch(std::size_t index) const;
  /// All of them, side by side.
  [[nodiscard]] BytesView bytes() const { return bytes_.view(); }

 private:
  struct Batch {
    Offset base;
    Offset end;
    std::size_t position = 0;  // in bytes_
    std::size_t size = 0;
    std::size_t first_record = 0;
    std::size_t records = 0;
    Timestamp base_timestamp{};
    Timestamp max_timestamp{};
  };

  [[nodiscard]] Result<void> check_place(Offset offset) const;
  void make_room_for_one();
  Batch& open_batch();
  void end_batch(Offset end);
  void end_batches_below(Offset offset);

  std::size_t batch_bytes_;
  Offset base_;
  Offset end_;
  GrowingBytes bytes_;
  std::vector<Batch> batches_;
  bool is_open_ = false;  // the last batch; its `end` and `size` are not set
  std::vector<std::uint64_t> key_hashes_;
  std::vector<std::int32_t> offset_deltas_;
};

}  // namespace lungo
