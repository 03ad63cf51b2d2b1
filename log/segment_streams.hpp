// The stream index of one segment, wherever it is: a table while the segment is written, a sorted run once it is sealed.
//
// It is built when it is first needed: a segment opened with records in it starts with what its run covers, and what the run
// lacks is read from the log. After that the owner adds each batch as it is written.
// Threads: any. One thread builds at a time; no look-up waits for a build that it does not need. The owner's add() waits for
// nothing.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_run.hpp"
#include "stream_table.hpp"

namespace lungo {

class Segment;

class SegmentStreams {
 public:
  SegmentStreams(Storage& storage, const std::string& directory, const Segment& segment, bool read_only);

  /// The owner has written a batch whose first record is `first`. Does nothing when the index has not been built up to there.
  void add(Offset first, std::span<const std::uint64_t> hashes);
  /// Appends the offsets in [begin, end) with this hash, ascending. `sealed_end`: where the segment ends, if it will not grow.
  /// Errors: corrupt, io.
  Result<void> find(std::uint64_t hash, Offset begin, Offset end, std::optional<Offset> sealed_end, std::vector<Offset>& out);
  /// The segment ends at `end` for good: writes its run, unless it is there, and lets the table go. When the run can't be
  /// written the table stays. Errors: corrupt, io.
  Result<void> seal(Offset end);
  /// Writes what the table holds up to `end`, for the next opening. Errors: corrupt, no_space, io.
  Result<void> save(Offset end);

 private:
  Result<void> build(Offset end, std::optional<Offset> sealed_end);
  Result<void> start_table(std::optional<Offset> sealed_end);
  Result<void> read_log(Offset end);
  Result<void> write_run(Offset end);
  Result<std::shared_ptr<const StreamRun>> load_run() const;
  Result<StreamRun::Origin> origin_at(Offset end) const;

  Storage& storage_;
  const Segment& segment_;
  const std::string path_;
  const bool read_only_;

  std::mutex building_;       // the builder's, while it reads the log; who needs the result waits for it
  mutable std::mutex mutex_;  // never held over a read
  std::unique_ptr<StreamTable> table_;
  std::shared_ptr<const StreamRun> run_;  // of the whole sealed segment
  bool run_is_bad_ = false;
};

}  // namespace lungo
