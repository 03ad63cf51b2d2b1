// `synced-end`: a lower bound of what this partition has synced, so that recovery can tell a torn tail from rot.
//
// After a power cut any of the unsynced writes may be missing, later ones surviving earlier ones. Damage at or above the mark
// is therefore an unsynced tail, even with whole batches behind it, and is cut; damage below it hit bytes that were promised,
// and is kept and reported. Without the mark both would have to be guessed.
//
//   file = slot at byte 0, slot at byte 4096; written in turn, so that a torn write leaves the other
//   slot = magic:u32 "LGSE" version:u16 (=1) zero:u16 sequence:u64 end:i64 crc32c:u32 (of the 24 bytes before), little-endian
//
// Promise: the mark is written after a sync and never before, so any slot that survives is true; it is itself synced about
// once a second. Threads: whoever holds the partition's turn to sync.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <lungo/log/storage.hpp>

namespace lungo {

class SyncedMark {
 public:
  static constexpr const char* kFileName = "synced-end";

  /// Reads the mark. Nothing when the file is absent, or both its slots are torn: a crash while it was made, or rot.
  /// Errors: newer_format, io.
  static Result<std::optional<Offset>> read(Storage& storage, const std::string& directory);

  /// Opens the file for writing, made when absent, sets it to `end` and makes it durable. `is_as_stopped`: whoever wrote it
  /// last stopped cleanly, so that nothing is to be done where it says `end`. Errors: no_space, io.
  static Result<std::unique_ptr<SyncedMark>> open(Storage& storage, const std::string& directory, Offset end,
                                                  bool is_as_stopped = false);

  /// Notes that everything below `end` is durable. A failed write is let pass: what the file says stays true.
  void note(Offset end);
  /// Syncs the file when it is about a second since the last time. Errors: io.
  Result<void> sync_if_due(Instant now);
  /// Notes it and syncs the file: for who relies on it. Errors: no_space, io.
  Result<void> make_durable(Offset end);
  /// Sets both slots to `end`, which may lie below what was noted, and syncs: before a log is cut. Errors: no_space, io.
  Result<void> reset(Offset end);

 private:
  explicit SyncedMark(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<void> write_slot(Offset end);

  std::unique_ptr<File> file_;
  std::uint64_t sequence_ = 0;
  Instant next_sync_{};
};

}  // namespace lungo
