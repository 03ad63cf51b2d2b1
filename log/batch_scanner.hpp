// Walks the batches of one segment file from a known batch border on, checking each against its neighbours.
//
// Promise: a batch is returned only when its base offset continues the one before, its epoch does not go back, and (with
// `Depth::whole`) its CRC holds. A claimed length is never believed beyond the end of the file, so memory is bounded by it.
// Threads: one; others may append to the file meanwhile, behind `end`.
#pragma once

#include <optional>
#include <string>

#include <lungo/log/record_batch.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

struct ScannedBatch {
  BatchHeader header;
  std::uint64_t position = 0;
  BytesView bytes;  // whole batch with Depth::whole, empty otherwise; holds until the next call

  [[nodiscard]] std::uint64_t end_position() const { return position + header.size_bytes(); }
};

class BatchScanner {
 public:
  enum class Depth { headers, whole };

  /// Scans [position, end) of `file`, which outlives the scanner; the first batch has to begin at `expected`.
  /// `name` is what errors call the file.
  BatchScanner(File& file, std::string name, Depth depth, std::uint64_t position, std::uint64_t end, Offset expected,
               LeaderEpoch epoch = kNoEpoch);

  /// The next batch; nothing at the end. Errors: corrupt, with file and byte position: position() and expected() then tell
  /// where the good part ends; io.
  Result<std::optional<ScannedBatch>> next();

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] Offset expected() const { return expected_; }
  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }

 private:
  Result<BytesView> window(std::size_t size);
  [[nodiscard]] Error corrupt(std::string_view what) const;

  File& file_;
  std::string name_;
  Depth depth_;
  std::uint64_t position_;
  std::uint64_t end_;
  Offset expected_;
  LeaderEpoch epoch_;
  Bytes buffer_;
  std::uint64_t buffered_from_ = 0;
  std::size_t buffered_size_ = 0;
};

/// What is wrong with a batch at this place, if anything: the fields that the CRC does not cover. Empty when all is well.
std::string neighbour_fault(const BatchHeader& header, Offset expected, LeaderEpoch epoch_at_least);

/// "file 00000000000000000000.log, byte 4711: what"
Error corrupt_at(std::string_view name, std::uint64_t position, std::string_view what);

}  // namespace lungo
