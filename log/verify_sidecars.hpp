// What lies beside a partition's segments, against what went by in them: leader epochs, snapshots of producers, stream runs.
//
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "epoch_history.hpp"
#include "stream_run_files.hpp"
#include "verify.hpp"

namespace lungo {

/// Says what is wrong, of a file; or nothing more than that something is so.
using TakeFault = std::function<void(FaultSeverity severity, const std::string& file, const std::string& what)>;

class EpochCheck {
 public:
  void add(const BatchHeader& batch);
  /// Of what was synced, that is below `proven`. Errors: io.
  Result<void> finish(Storage& storage, const std::string& directory, Offset proven, const TakeFault& take) const;

 private:
  struct Seen {
    LeaderEpoch epoch;
    Offset first;
    Offset end;  // of its batches
  };
  std::vector<Seen> seen_;
};

/// The last batch of each producer in each snapshot has to be met.
class SnapshotCheck {
 public:
  /// Reads the snapshots. Errors: io.
  Result<void> begin(Storage& storage, const std::string& directory, const TakeFault& take);
  void add(const BatchHeader& batch);
  /// `begin`, `end`: what was gone over; `is_whole`: nothing of it is damaged, and no batch may be missing.
  void finish(Offset begin, Offset end, bool is_whole, const TakeFault& take) const;

 private:
  struct Named {
    std::int64_t producer = 0;
    std::int16_t epoch = 0;
    std::int32_t last_sequence = 0;
    std::string file;
  };
  std::vector<std::pair<std::string, Offset>> files_;
  std::multimap<Offset, Named> unmet_;  // by the last offset of the batch that is named
};

/// The records in each run are those of its range that have a key: compared by a sum over both. Where records may be gone, as
/// compaction takes some and leaves the runs alone, each that is there has to be in the run: eight bytes of memory a record.
class StreamRunCheck {
 public:
  /// Finds the runs. Records below `from` are not compared: a merge may have left them out. Errors: io.
  Result<void> begin(Storage& storage, const std::string& directory, Offset from, bool gaps);
  [[nodiscard]] bool empty() const { return runs_.empty(); }
  void add(const RecordView& record);
  /// Reads the runs. `end` is where the records have ended, of which none was damaged when `is_whole`. Errors: io.
  Result<void> finish(Storage& storage, const std::string& directory, Offset end, bool is_whole, const TakeFault& take) const;

 private:
  struct Sum {
    std::uint64_t records = 0;
    std::uint64_t hash = 0;
    void add(std::uint64_t key_hash, Offset offset);
    friend bool operator==(const Sum&, const Sum&) = default;
  };
  struct Run {
    StreamRunName name;
    Sum sum;
    std::vector<std::uint64_t> records;  // where some may be gone: a hash of each
  };
  using TakeRecord = std::function<void(std::uint64_t key_hash, Offset offset)>;
  static Result<void> for_each_record(Storage& storage, const std::string& path, Offset from, const TakeRecord& take);
  static Result<bool> agrees(Storage& storage, const std::string& path, Offset from, const Run& run, bool gaps);
  Offset from_;
  bool gaps_ = false;
  std::vector<Run> runs_;
};

}  // namespace lungo
