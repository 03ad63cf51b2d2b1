// Walks a stream run: the records of one stream, and all streams in the order of their hashes.
//
// Memory is one page each. What contradicts the grammar or the run's range is `corrupt`, never an answer.
// Threads: one each; the run may be read by others meanwhile.
#pragma once

#include <memory>
#include <optional>

#include "stream_run_reader.hpp"

namespace lungo {

/// The records of one stream in one run, from the latest on.
class StreamRecords {
 public:
  /// `run` outlives it.
  explicit StreamRecords(const StreamRunReader& run) : run_(run) {}
  /// Begins with an entry of the run. A posting page that is in hand is kept: neighbours share pages.
  void start(const stream_run::Entry& entry);
  /// The next one; nothing after the last. Errors: corrupt, io.
  Result<std::optional<Offset>> next();
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  Result<std::uint64_t> distance();
  Result<std::uint64_t> posted_distance();
  Result<std::byte> posted_byte();
  Result<void> load(std::uint64_t page);

  const StreamRunReader& run_;
  stream_run::Entry entry_;
  std::uint64_t given_ = 0;
  Offset last_;

  stream_run::Page page_;
  std::optional<stream_run::PageNumber> page_number_;  // in page_
  std::size_t page_position_ = 0;
  bool posting_begun_ = false;
  std::uint64_t posting_rest_ = 0;
  std::uint64_t bytes_read_ = 0;
};

/// All streams of one run.
class StreamRunCursor {
 public:
  explicit StreamRunCursor(std::shared_ptr<const StreamRunReader> run) : run_(std::move(run)), records_(*run_) {}
  /// Goes to the next stream, at first to the first; false behind the last. Errors: corrupt, io.
  Result<bool> next();
  /// The stream that it is at.
  [[nodiscard]] const stream_run::Entry& stream() const { return entry_; }
  /// The next record of that stream, from the latest on; nothing after the last. Errors: corrupt, io.
  Result<std::optional<Offset>> next_record() { return records_.next(); }
  [[nodiscard]] const StreamRunReader& run() const { return *run_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_ + records_.bytes_read(); }

 private:
  std::shared_ptr<const StreamRunReader> run_;
  StreamRecords records_;
  stream_run::Page page_;
  std::optional<stream_run::BlockReader> block_;  // over page_
  std::size_t next_block_ = 0;
  stream_run::Entry entry_;
  std::uint64_t streams_ = 0;
  std::uint64_t counted_ = 0;  // records
  std::uint64_t bytes_read_ = 0;
};

}  // namespace lungo
