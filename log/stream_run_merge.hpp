// Makes one stream run of neighbouring ones, in steps of a size that the caller says.
//
// Promise: the memory of a merge is three pages an input, two for the output and the output's fence, however long a stream is.
// The new run is on disk under its name, synced, before done() is true: only then may the inputs be removed.
// Threads: one; the inputs may be read by others meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_run_cursor.hpp"
#include "stream_run_writer.hpp"

namespace lungo {

class StreamRunMerge {
 public:
  using Runs = std::vector<std::shared_ptr<const StreamRunReader>>;

  /// Begins to merge `runs`, which are neighbours, oldest first. Records below `start` are left out; it is below their end. The
  /// merged run covers [max(begin, start), end). Errors: invalid_argument  no runs, or no neighbours;  no_space, io.
  static Result<std::unique_ptr<StreamRunMerge>> begin(Storage& storage, std::string path, const Runs& runs,
                                                       Offset start = Offset{0});

  /// Goes on for about `bytes` of reading and writing, at least one page. True when the merged run is published. An error ends
  /// the merge, whose file is removed with it. Errors: corrupt (the text names the input), too_large, no_space, io.
  Result<bool> step(std::size_t bytes);
  [[nodiscard]] bool done() const { return done_; }

 private:
  StreamRunMerge(const Runs& runs, Offset start, std::unique_ptr<StreamRunWriter> writer);
  struct Input {
    explicit Input(std::shared_ptr<const StreamRunReader> run) : cursor(std::move(run)) {}
    StreamRunCursor cursor;
    bool at_end = false;
  };

  [[nodiscard]] std::uint64_t work() const;
  Result<void> start_inputs();
  Result<bool> begin_stream();
  Result<bool> copy_record();
  Result<void> take(Offset offset, std::uint32_t place);
  Result<void> end_stream();

  const Offset start_;
  std::unique_ptr<StreamRunWriter> writer_;
  std::vector<std::unique_ptr<Input>> inputs_;  // newest first
  bool started_ = false;
  std::uint64_t hash_ = 0;  // of the stream that is being copied; 0: between two
  std::size_t input_ = 0;   // whose records of it are copied
  bool writing_ = false;    // the writer has begun it: a record at or above start_ was found
  bool copied_ = false;     // all streams are
  bool done_ = false;
};

}  // namespace lungo
