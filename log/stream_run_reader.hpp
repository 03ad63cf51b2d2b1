// Reads a stream run (version 2): look-ups, and pages for the cursors that read all of it.
//
// Promise: with filter and fence in memory a look-up of a head reads one block, and mostly none where the stream is not there.
// Nothing wrong is answered from damaged or hostile bytes, and nothing is allocated by a number that was not checked.
// Threads: any, once opened.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_run_format.hpp"

namespace lungo {

class StreamRunReader {
 public:
  /// Opens and checks footer and fence; the filter is read at the first look-up. Errors: not_found, corrupt, newer_format, io.
  static Result<std::shared_ptr<const StreamRunReader>> open(Storage& storage, const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const StreamRunOrigin& origin() const { return footer_.origin; }
  [[nodiscard]] std::uint64_t streams() const { return footer_.streams; }
  [[nodiscard]] std::uint64_t records() const { return footer_.records; }
  [[nodiscard]] std::uint64_t file_bytes() const { return footer_.file_bytes(); }
  /// Of filter and fence, as far as they are in memory.
  [[nodiscard]] std::size_t resident_bytes() const;

  /// The last record with this hash. Errors: corrupt, io.
  [[nodiscard]] Result<std::optional<StreamHead>> head(std::uint64_t hash) const;
  /// What it has of this hash. Errors: corrupt, io.
  [[nodiscard]] Result<std::optional<stream_run::Entry>> entry(std::uint64_t hash) const;
  /// Appends the offsets in [begin, end) with this hash, ascending; only the first `limit` of them, which is not 0. Reads from
  /// the stream's end back to `begin`. Errors: corrupt, io; `out` is as it was.
  Result<void> find(std::uint64_t hash, Offset begin, Offset end, std::size_t limit, std::vector<Offset>& out) const;
  /// False: no record has this hash. True about once in a hundred where none has. Errors: corrupt, io.
  [[nodiscard]] Result<bool> may_hold(std::uint64_t hash) const;

  // For cursors.

  [[nodiscard]] std::size_t blocks() const { return fence_pages_.size(); }
  [[nodiscard]] stream_run::PageNumber pages() const { return footer_.pages; }
  [[nodiscard]] std::uint64_t first_hash(std::size_t block) const { return fence_hashes_[block]; }
  /// Errors: corrupt, io.
  Result<void> read_block(std::size_t block, stream_run::Page& page) const;
  Result<void> read_page(stream_run::PageNumber number, stream_run::PageKind kind, stream_run::Page& page) const;
  [[nodiscard]] Error corrupt(std::string_view what) const;

 private:
  StreamRunReader(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> load_footer();
  Result<void> load_fence();
  Result<void> load_filter() const;

  const std::string path_;
  const std::unique_ptr<File> file_;
  stream_run::Footer footer_;
  std::vector<std::uint64_t> fence_hashes_;
  std::vector<stream_run::PageNumber> fence_pages_;

  mutable std::mutex loading_;  // of the filter: who needs it waits for it
  mutable std::atomic<bool> filter_is_loaded_{false};
  mutable Bytes filter_;  // whole pages; not changed once it is loaded
};

}  // namespace lungo
