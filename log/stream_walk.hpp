// Backwards through the stream index of a partition: the latest record of a key first.
//
// Threads: one each; the index may change meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "stream_index.hpp"
#include "stream_run_cursor.hpp"

namespace lungo {

/// A record that may have the key: its hash is the same.
struct StreamHit {
  Offset offset;
  std::optional<std::uint32_t> place;  // where its batch begins in its segment file: a hint
};

/// The hits of one hash in [begin, end), from the latest back. Reads as far as it is asked.
class StreamWalk {
 public:
  /// `index` outlives it.
  StreamWalk(StreamIndex& index, std::uint64_t hash, Offset begin, Offset end)
      : index_(index), hash_(hash), begin_(begin), below_(end) {}
  /// The next hit; nothing behind the last. Errors: corrupt, io.
  Result<std::optional<StreamHit>> next();

 private:
  Result<void> enter();
  Result<void> enter_run(const std::shared_ptr<const StreamRunReader>& run);
  Result<std::optional<StreamHit>> next_of_run();

  StreamIndex& index_;
  const std::uint64_t hash_;
  const Offset begin_;
  Offset below_;                 // what is at or above it has been given
  std::vector<StreamHit> hits_;  // of a table, ascending
  std::size_t limit_ = 1;        // of them: most callers want one
  Offset floor_;                 // of a table: down to here hits_ are all
  std::shared_ptr<const StreamRunReader> run_;
  std::optional<StreamRecords> records_;  // of run_
  StreamHead head_;                       // of run_
};

}  // namespace lungo
