// Which leader epoch began at which offset: `leader-epoch-checkpoint`, in Kafka's text format.
//
//   0            version
//   2            number of lines that follow
//   0 0          epoch and its first offset, both ascending
//   3 1042
//
// Promise: the file is a cache of what the batches say. A sync tries to write it before the batches of a new epoch count as
// synced, and again with the next sync when it could not; opening learns from the batches what the file lacks, and drops
// entries at or above the log's end. Threads: the owner changes it; any thread asks.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

struct EpochStart {
  LeaderEpoch epoch;
  Offset start;
  friend bool operator==(const EpochStart&, const EpochStart&) = default;
};

/// An epoch and the offset at which it ends; by default one that no offset lies in.
struct EpochSpan {
  LeaderEpoch epoch = kNoEpoch;
  Offset end{0};
};

class EpochHistory {
 public:
  static constexpr const char* kFileName = "leader-epoch-checkpoint";

  /// Reads the text. Errors: corrupt; newer_format.
  static Result<std::vector<EpochStart>> parse(std::string_view text);
  static std::string to_text(const std::vector<EpochStart>& entries);

  void assign(std::vector<EpochStart> entries);
  /// In the place of what begins below `end`, `entries` that were learnt from `begin` on; what begins at `end` or later was
  /// noted meanwhile, and stays. So does the epoch of what lies in front of `begin`, where the first of the entries allows it:
  /// there are positions behind that.
  void replace(Offset begin, Offset end, std::vector<EpochStart> entries);
  /// Takes note of a batch: a later epoch than the last begins at `offset`.
  void note(LeaderEpoch epoch, Offset offset);
  /// Forgets what begins at or above `end`.
  void trim_to(Offset end);
  /// Forgets what ended below `begin`. That of the record in front of `begin` stays: there are positions behind it.
  void trim_front(Offset begin);

  [[nodiscard]] std::vector<EpochStart> entries() const;
  /// kNoEpoch while nothing was noted.
  [[nodiscard]] LeaderEpoch last() const;
  /// Epoch of the record at `offset`; kNoEpoch below the first entry.
  [[nodiscard]] LeaderEpoch epoch_at(Offset offset) const { return span_at(offset).epoch; }
  /// The same, and up to where it holds; the last epoch holds for ever.
  [[nodiscard]] EpochSpan span_at(Offset offset) const;
  /// Start of the epoch behind `epoch`, or `log_end` for the last one; nothing when `epoch` is unknown.
  [[nodiscard]] std::optional<Offset> end_of(LeaderEpoch epoch, Offset log_end) const;

  /// True once after each change: the caller writes the file.
  bool take_changed();
  /// The file could not be written: it is still to be done.
  void keep_changed();

 private:
  mutable std::mutex mutex_;
  std::vector<EpochStart> entries_;
  bool changed_ = false;
};

}  // namespace lungo
