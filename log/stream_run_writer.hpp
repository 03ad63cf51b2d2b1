// Writes a stream run (version 2) as its streams come, in ascending order of their hashes.
//
// Promise: memory is two pages and the fence (12 bytes a block), whatever the run holds; nothing stands under the run's name
// before it is whole. The bytes: stream_run_format.hpp.
// Threads: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>

#include "stream_run_format.hpp"

namespace lungo {

class StreamRunWriter {
 public:
  /// Begins `path`.tmp anew. `storage` outlives the writer. Errors: no_space, io.
  static Result<std::unique_ptr<StreamRunWriter>> create(Storage& storage, std::string path, const StreamRunOrigin& origin);
  /// Removes the temporary file unless publish() has succeeded.
  ~StreamRunWriter();
  StreamRunWriter(const StreamRunWriter&) = delete;
  StreamRunWriter& operator=(const StreamRunWriter&) = delete;

  // One stream: begin, its earlier records from the latest on, end. After an error the writer is of no use.

  /// `hash` is above all before it. `place`: where head's batch begins in its segment file.
  void begin_stream(std::uint64_t hash, Offset head, std::uint32_t place);
  /// Errors: no_space, io.
  Result<void> add_earlier(Offset offset);
  /// Errors: no_space, io.
  Result<void> end_stream();

  /// After the last stream: makes the rest of the file, in turns of about `bytes` read. True when it is whole. The filter's
  /// size is known only now, so the blocks are read once more. Errors: corrupt (what was written reads otherwise), no_space,
  /// io.
  Result<bool> finish(std::size_t bytes);
  /// Gives the whole file its name. `durable`: file and name are synced. Errors: no_space, io.
  Result<void> publish(bool durable);

  /// Of the file so far: what a merge counts its steps by.
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  struct Fence {
    std::uint64_t hash;
    stream_run::PageNumber page;
  };
  /// A posting page that is being filled; its number is taken when it begins, so that entries can name it.
  struct Posting {
    stream_run::Page page{};
    stream_run::PageNumber number = 0;
    std::size_t size = stream_run::kPostingRoom;  // full: there is none yet
    bool is_open = false;
  };

  StreamRunWriter(Storage& storage, std::string path, const StreamRunOrigin& origin, std::unique_ptr<File> file);
  [[nodiscard]] std::string temporary() const { return path_ + ".tmp"; }
  Result<void> write_page(stream_run::Page& page, stream_run::PageKind kind, stream_run::PageNumber number);
  Result<stream_run::PageNumber> take_page();
  Result<void> post(std::uint64_t distance);
  Result<void> post_byte(std::byte byte);
  Result<void> close_posting(stream_run::PageNumber next);
  Result<void> close_block();
  Result<void> close_pages();
  Result<void> filter_block(const Fence& fence);
  Result<void> filter_up_to(std::uint64_t page);
  Result<void> write_tail();

  Storage& storage_;
  const std::string path_;
  const StreamRunOrigin origin_;
  std::unique_ptr<File> file_;
  std::uint64_t bytes_written_ = 0;
  stream_run::PageNumber pages_ = 0;

  stream_run::BlockBuilder block_;
  Posting posting_;
  std::vector<Fence> fence_;
  std::uint64_t streams_ = 0;
  std::uint64_t records_ = 0;

  stream_run::Entry entry_;  // of the stream that has begun
  Offset earliest_;
  bool in_stream_ = false;

  bool pages_closed_ = false;
  std::size_t filtered_blocks_ = 0;
  stream_run::Page filter_{};
  std::uint64_t filter_page_ = 0;
  bool whole_ = false;
  bool published_ = false;
};

}  // namespace lungo
