// The bytes of a stream run, version 2: blocks, postings, filter, fence and footer. Pure, no I/O.
//
// The grammar and what holds between its parts stand in docs/reference/stream-index.md. Writer, reader and merge share this.
// Promise: what is read here is untrusted; every length is checked against the bytes and against the run's range.
// Threads: none of its own.
#pragma once

#include <array>
#include <optional>
#include <string>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

/// What a run belongs to: its records, and the batch that ends where it ends.
struct StreamRunOrigin {
  Offset begin;
  Offset end;
  std::uint32_t batch_crc = 0;
  LeaderEpoch epoch = kNoEpoch;
  friend bool operator==(const StreamRunOrigin&, const StreamRunOrigin&) = default;
};

/// The last record of a stream, as an index has it.
struct StreamHead {
  Offset offset;
  std::uint32_t place = 0;  // where its batch begins in its segment file: a hint
  friend bool operator==(const StreamHead&, const StreamHead&) = default;
};

namespace stream_run {

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::size_t kCrcBytes = 4;
inline constexpr std::size_t kPageRoom = kPageBytes - kCrcBytes;
inline constexpr std::size_t kPostingRoom = kPageRoom - 4;  // less the number of the next page
inline constexpr std::size_t kInlineRecordsMax = 16;        // of a stream without a posting
inline constexpr std::size_t kFenceEntryBytes = 12;
inline constexpr std::size_t kFooterBytes = 64;
inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::size_t kLinesPerPage = 63;

using Page = std::array<std::byte, kPageBytes>;

enum class PageKind : std::uint32_t { block = 1, posting = 2, filter = 3 };

/// Which of the file's pages: counted from 0, so page n begins at byte n * kPageBytes.
using PageNumber = std::uint32_t;

/// Sets the check of a page that is whole otherwise.
void seal_page(Page& page, PageKind kind, PageNumber number, const StreamRunOrigin& origin);
/// `page` has kPageBytes.
[[nodiscard]] bool page_holds(BytesView page, PageKind kind, PageNumber number, const StreamRunOrigin& origin);

/// Bytes in posting pages.
struct PostingPlace {
  std::uint64_t at = 0;
  std::uint64_t size = 0;
};

/// One stream of a run, as its entry has it.
struct Entry {
  std::uint64_t hash = 0;
  std::uint64_t count = 0;
  Offset head;
  std::uint32_t place = 0;  // of head's batch in its segment file: a hint
  std::size_t inline_count = 0;
  std::array<std::uint64_t, kInlineRecordsMax - 1> inline_distances{};  // the first inline_count, latest first
  PostingPlace posting;                                                 // of a stream without inline distances
};

/// Fills a block.
class BlockBuilder {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint64_t first_hash() const { return first_hash_; }
  /// False when it does not fit; an empty block takes any entry.
  bool add(const Entry& entry, Offset end);
  Page& page() { return page_; }
  void clear();

 private:
  Page page_{};
  std::size_t size_ = 0;
  std::uint64_t first_hash_ = 0;
  std::uint64_t last_hash_ = 0;
};

/// Walks the entries of a block whose check holds. The page outlives the reader.
class BlockReader {
 public:
  BlockReader(const Page& page, const StreamRunOrigin& origin) : rest_(BytesView{page}.first(kPageRoom)), origin_(origin) {}
  /// The next entry; false at the end and where an entry contradicts the grammar: see ok().
  bool next(Entry& entry);
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  bool fail();

  BytesView rest_;
  StreamRunOrigin origin_;
  std::uint64_t last_hash_ = 0;
  bool ok_ = true;
};

// The filter: lines of a blocked Bloom filter (Putze, Sanders, Singler 2007). A look-up touches one line.

std::uint64_t filter_lines(std::uint64_t streams);
std::uint64_t filter_pages(std::uint64_t streams);
/// Ascends with the hash.
std::uint64_t filter_line(std::uint64_t hash, std::uint64_t lines);
void add_to_line(std::byte* line, std::uint64_t hash);
bool line_may_hold(const std::byte* line, std::uint64_t hash);

struct Footer {
  StreamRunOrigin origin;
  std::uint64_t streams = 0;
  std::uint64_t records = 0;
  std::uint32_t pages = 0;   // blocks and postings
  std::uint32_t blocks = 0;  // of them
  std::uint32_t fence_crc = 0;

  [[nodiscard]] std::uint64_t filter_at() const { return std::uint64_t{pages} * kPageBytes; }
  [[nodiscard]] std::uint64_t fence_at() const { return filter_at() + filter_pages(streams) * kPageBytes; }
  [[nodiscard]] std::uint64_t file_bytes() const {
    return fence_at() + std::uint64_t{blocks} * kFenceEntryBytes + kFooterBytes;
  }
};

std::array<std::byte, kFooterBytes> encode(const Footer& footer);
/// Checks the footer, alone and against the size of the file: afterwards every part lies inside the file, and what a reader
/// allocates for filter and fence is below its size. Errors: corrupt, newer_format; the text lacks the file's name.
Result<Footer> decode_footer(BytesView bytes, std::uint64_t file_bytes);

}  // namespace stream_run
}  // namespace lungo
