#include "stream_run_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "stream_run_cursor.hpp"

namespace lungo {

using namespace stream_run;

Error StreamRunReader::corrupt(std::string_view what) const { return Error{Errc::corrupt, path_ + ": " + std::string(what)}; }

Result<std::shared_ptr<const StreamRunReader>> StreamRunReader::open(Storage& storage, const std::string& path) {
  Result<std::unique_ptr<File>> file = storage.open(path, OpenMode::read);
  if (!file) return file.error();
  std::shared_ptr<StreamRunReader> run{new StreamRunReader(path, std::move(*file))};
  if (Result<void> loaded = run->load_footer(); !loaded) return loaded.error();
  if (Result<void> loaded = run->load_fence(); !loaded) return loaded.error();
  return std::shared_ptr<const StreamRunReader>{std::move(run)};
}

Result<void> StreamRunReader::load_footer() {
  const Result<std::uint64_t> size = file_->size();
  if (!size) return size.error();
  if (*size < kFooterBytes) return corrupt("shorter than a footer");
  std::array<std::byte, kFooterBytes> bytes{};
  const Result<std::size_t> read = file_->read_at(*size - kFooterBytes, bytes);
  if (!read) return read.error();
  const Result<Footer> footer = decode_footer(BytesView{bytes}.first(*read), *size);
  if (!footer) return footer.error().with_context(path_);
  footer_ = *footer;
  return {};
}

Result<void> StreamRunReader::load_fence() {
  Bytes bytes(footer_.blocks * kFenceEntryBytes);
  const Result<std::size_t> read = file_->read_at(footer_.fence_at(), bytes);
  if (!read) return read.error();
  if (*read != bytes.size() || crc32c(bytes) != footer_.fence_crc) return corrupt("fence fails its check");
  fence_hashes_.reserve(footer_.blocks);
  fence_pages_.reserve(footer_.blocks);
  for (std::size_t at = 0; at < bytes.size(); at += kFenceEntryBytes) {
    const auto hash = load_little_endian<std::uint64_t>(bytes.data() + at);
    const auto page = load_little_endian<PageNumber>(bytes.data() + at + sizeof hash);
    const bool ascends = fence_hashes_.empty() ? hash > 0 : hash > fence_hashes_.back() && page > fence_pages_.back();
    if (!ascends || page >= footer_.pages) return corrupt("fence does not ascend");
    fence_hashes_.push_back(hash);
    fence_pages_.push_back(page);
  }
  return {};
}

Result<void> StreamRunReader::load_filter() const {
  const std::lock_guard lock(loading_);
  if (filter_is_loaded_.load(std::memory_order_relaxed)) return {};
  Bytes filter(filter_pages(footer_.streams) * kPageBytes);
  const Result<std::size_t> read = file_->read_at(footer_.filter_at(), filter);
  if (!read) return read.error();
  if (*read != filter.size()) return corrupt("filter is cut off");
  for (std::size_t at = 0; at < filter.size(); at += kPageBytes) {
    const std::uint64_t number = footer_.pages + at / kPageBytes;
    const bool holds = number <= UINT32_MAX && page_holds(BytesView{filter}.subspan(at, kPageBytes), PageKind::filter,
                                                          static_cast<PageNumber>(number), footer_.origin);
    if (!holds) return corrupt("filter fails its check at page " + std::to_string(number));
  }
  filter_ = std::move(filter);
  filter_is_loaded_.store(true, std::memory_order_release);
  return {};
}

std::size_t StreamRunReader::resident_bytes() const {
  const std::size_t fence = fence_hashes_.capacity() * sizeof(std::uint64_t) + fence_pages_.capacity() * sizeof(PageNumber);
  return fence + (filter_is_loaded_.load(std::memory_order_acquire) ? filter_.capacity() : 0);
}

Result<bool> StreamRunReader::may_hold(std::uint64_t hash) const {
  if (fence_hashes_.empty() || hash < fence_hashes_.front()) return false;
  if (!filter_is_loaded_.load(std::memory_order_acquire)) {
    if (Result<void> loaded = load_filter(); !loaded) return loaded.error();
  }
  const std::uint64_t line = filter_line(hash, filter_lines(footer_.streams));
  return line_may_hold(filter_.data() + line / kLinesPerPage * kPageBytes + line % kLinesPerPage * kLineBytes, hash);
}

Result<void> StreamRunReader::read_page(PageNumber number, PageKind kind, Page& page) const {
  const Result<std::size_t> read = file_->read_at(std::uint64_t{number} * kPageBytes, page);
  if (!read) return read.error();
  if (*read == page.size() && page_holds(page, kind, number, footer_.origin)) return {};
  return corrupt("page " + std::to_string(number) + " fails its check");
}

Result<void> StreamRunReader::read_block(std::size_t block, Page& page) const {
  if (Result<void> read = read_page(fence_pages_[block], PageKind::block, page); !read) return read;
  if (load_little_endian<std::uint64_t>(page.data()) == fence_hashes_[block]) return {};
  return corrupt("page " + std::to_string(fence_pages_[block]) + " is not the block that the fence names");
}

Result<std::optional<Entry>> StreamRunReader::entry(std::uint64_t hash) const {
  const Result<bool> may = may_hold(hash);
  if (!may) return may.error();
  if (!*may) return std::optional<Entry>{};
  // Not in front of the first one, or it would not be in the filter's reach: see may_hold().
  const auto above = std::upper_bound(fence_hashes_.begin(), fence_hashes_.end(), hash);
  const auto block = static_cast<std::size_t>(above - fence_hashes_.begin()) - 1;
  Page page;
  if (Result<void> read = read_block(block, page); !read) return read.error();
  BlockReader entries{page, footer_.origin};
  Entry entry;
  while (entries.next(entry)) {
    if (entry.hash >= hash) return entry.hash == hash ? std::optional{entry} : std::nullopt;
  }
  if (!entries.ok()) return corrupt("page " + std::to_string(fence_pages_[block]) + " holds no entries");
  return std::optional<Entry>{};
}

Result<std::optional<StreamHead>> StreamRunReader::head(std::uint64_t hash) const {
  const Result<std::optional<Entry>> found = entry(hash);
  if (!found) return found.error();
  if (!*found) return std::optional<StreamHead>{};
  return std::optional{StreamHead{.offset = (*found)->head, .place = (*found)->place}};
}

Result<void> StreamRunReader::find(std::uint64_t hash, Offset begin, Offset end, std::size_t limit,
                                   std::vector<Offset>& out) const {
  if (end <= origin().begin || begin >= origin().end) return {};
  const Result<std::optional<Entry>> found = entry(hash);
  if (!found) return found.error();
  if (!*found) return {};
  StreamRecords records{*this};
  records.start(**found);
  std::vector<Offset> ring;  // the earliest so far; the next one takes the place of the latest
  std::size_t count = 0;
  for (;;) {
    const Result<std::optional<Offset>> offset = records.next();
    if (!offset) return offset.error();
    if (!*offset || **offset < begin) break;
    if (**offset >= end) continue;
    if (ring.size() < limit) {
      ring.push_back(**offset);
    } else {
      ring[count % limit] = **offset;
    }
    ++count;
  }
  for (std::size_t i = 0; i < ring.size(); ++i) out.push_back(ring[(count - 1 - i) % limit]);
  return {};
}

}  // namespace lungo
