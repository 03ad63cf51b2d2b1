// Walks the batches of one segment file from a known batch border on, checking each against its neighbours.
//
// Promise: a batch is returned only when its base offset continues the one before (or ascends, where gaps are allowed), its
// epoch does not go back, and (with `Depth::checked` or `whole`) its CRC holds. Memory is bounded by a window of 512 KiB, and
// with `whole` by the largest batch: a claimed length is believed only when the CRC of what it claims holds. Threads: one;
// others may append to the file meanwhile, behind `end`.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/storage.hpp>

#include "damage.hpp"

namespace lungo {

/// How far up offsets may be missing: what lies behind a gap begins at or below it.
inline constexpr Offset kNoGaps{0};
inline constexpr Offset kGapsAnywhere{std::numeric_limits<std::int64_t>::max()};
inline constexpr Offset kNoEndMax{std::numeric_limits<std::int64_t>::max()};

/// Whether a batch or a segment may begin at `found` where `expected` is due.
inline bool continues(Offset found, Offset expected, Offset gaps_below) {
  return found == expected || (found > expected && found <= gaps_below);
}

struct ScannedBatch {
  BatchHeader header;
  std::uint64_t position = 0;
  BytesView bytes;  // whole batch with Depth::whole, not to be used otherwise; holds until the next call
  BytesView head;   // the bytes of its header; holds until the next call

  [[nodiscard]] std::uint64_t end_position() const { return position + header.size_bytes(); }
};

class BatchScanner {
 public:
  enum class Depth {
    headers,
    checked,  // CRCs too
    whole,    // the bytes are handed over
  };

  /// Scans [position, end) of `file`, which outlives the scanner; the first batch has to begin at `expected`, or behind a gap.
  /// `name` is what errors call the file.
  BatchScanner(File& file, std::string name, Depth depth, std::uint64_t position, std::uint64_t end, Offset expected,
               LeaderEpoch epoch = kNoEpoch, Offset gaps_below = kNoGaps);

  /// Batches may not reach past `end_max`, where another file begins. Base offsets are outside of the CRC, and neither where
  /// gaps are allowed nor at the end of a scan does a neighbour contradict one that is too large.
  void end_at_most(Offset end_max) { end_max_ = end_max; }
  /// Damage of this file that next() steps over; may be null.
  void pass_over(std::shared_ptr<const DamageList> damage) { damage_ = std::move(damage); }
  /// Stands behind the damage that begins here, unless a scan for `target` has to stop in front of it.
  void pass_damage_below(Offset target);

  /// The next batch, where it lies in the memory at hand and nothing is odd about it; null otherwise, and then next() goes on.
  /// Costs a header and a checksum: recovery is limited by how fast small batches are stepped over. Holds until the next call.
  const ScannedBatch* advance();
  /// The next batch; nothing at the end. Errors: corrupt, with file and byte position: position() and expected() then tell
  /// where the good part ends; io.
  Result<std::optional<ScannedBatch>> next();

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] Offset expected() const { return expected_; }
  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }

 private:
  Result<BytesView> window(std::size_t size);
  Result<BytesView> verified(const BatchHeader& header);
  void step_over(const BatchHeader& header);
  [[nodiscard]] Error corrupt(std::string_view what) const;

  File& file_;
  std::string name_;
  Depth depth_;
  std::uint64_t position_;
  std::uint64_t end_;
  Offset expected_;
  LeaderEpoch epoch_;
  Offset gaps_below_;
  Offset end_max_ = kNoEndMax;
  std::shared_ptr<const DamageList> damage_;
  std::array<std::byte, kBatchHeaderBytes> head_{};  // of the batch that was returned last
  Bytes buffer_;
  std::uint64_t buffered_from_ = 0;
  std::size_t buffered_size_ = 0;
  ScannedBatch current_;  // advance()'s
};

/// True when the batch of this header, at `position` of the file, is there with the CRC that it claims. Read piece by piece
/// into `scratch`. Errors: io.
Result<bool> has_its_crc(File& file, std::uint64_t position, const BatchHeader& header, std::span<std::byte> scratch);

/// What is wrong with a batch at this place, if anything: the fields that the CRC does not cover. Empty when all is well.
std::string neighbour_fault(const BatchHeader& header, Offset expected, LeaderEpoch epoch_at_least, Offset gaps_below,
                            Offset end_max = kNoEndMax);

/// "file 00000000000000000000.log, byte 4711: what"
Error corrupt_at(std::string_view name, std::uint64_t position, std::string_view what);

}  // namespace lungo
