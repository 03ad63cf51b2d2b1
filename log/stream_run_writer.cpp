#include "stream_run_writer.hpp"

#include <limits>
#include <utility>

#include <lungo/log/check.hpp>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"

namespace lungo {

using namespace stream_run;

Result<std::unique_ptr<StreamRunWriter>> StreamRunWriter::create(Storage& storage, std::string path,
                                                                 const StreamRunOrigin& origin) {
  check(origin.begin >= Offset{0} && origin.begin <= origin.end, "a run has a range");
  Result<std::unique_ptr<File>> file = storage.open(path + ".tmp", OpenMode::create);
  if (!file) return file.error();
  std::unique_ptr<StreamRunWriter> writer{new StreamRunWriter(storage, std::move(path), origin, std::move(*file))};
  if (Result<void> emptied = writer->file_->truncate(0); !emptied) return emptied.error();
  return writer;
}

StreamRunWriter::StreamRunWriter(Storage& storage, std::string path, const StreamRunOrigin& origin, std::unique_ptr<File> file)
    : storage_(storage), path_(std::move(path)), origin_(origin), file_(std::move(file)) {}

StreamRunWriter::~StreamRunWriter() {
  if (!published_) static_cast<void>(storage_.remove(temporary()).has_value());  // best effort: the next opening removes it
}

Result<void> StreamRunWriter::write_page(Page& page, PageKind kind, PageNumber number) {
  seal_page(page, kind, number, origin_);
  bytes_written_ += page.size();
  return file_->write_at(std::uint64_t{number} * kPageBytes, page);
}

Result<PageNumber> StreamRunWriter::take_page() {
  if (pages_ == std::numeric_limits<PageNumber>::max()) return Error{Errc::too_large, path_ + ": more than 16 TiB"};
  return pages_++;
}

void StreamRunWriter::begin_stream(std::uint64_t hash, Offset head, std::uint32_t place) {
  check(!in_stream_ && !pages_closed_ && hash > entry_.hash, "streams come one by one, by hash");
  check(head >= origin_.begin && head < origin_.end, "a record lies in its run");
  entry_ = Entry{};
  entry_.hash = hash;
  entry_.count = 1;
  entry_.head = head;
  entry_.place = place;
  earliest_ = head;
  in_stream_ = true;
}

Result<void> StreamRunWriter::add_earlier(Offset offset) {
  check(in_stream_ && offset < earliest_ && offset >= origin_.begin, "records come from the latest on");
  const auto distance = static_cast<std::uint64_t>(earliest_ - offset);
  earliest_ = offset;
  ++entry_.count;
  if (entry_.count <= kInlineRecordsMax) {
    entry_.inline_distances[entry_.inline_count++] = distance;
    return {};
  }
  // The first that the entry has no room for takes the others along.
  const std::size_t others = std::exchange(entry_.inline_count, 0);
  for (std::size_t i = 0; i < others; ++i) {
    if (Result<void> posted = post(entry_.inline_distances[i]); !posted) return posted;
  }
  return post(distance);
}

Result<void> StreamRunWriter::post(std::uint64_t distance) {
  std::array<std::byte, kVarintBytesMax> bytes;
  const std::byte* const end = write_varint(bytes.data(), distance);
  for (const std::byte* byte = bytes.data(); byte != end; ++byte) {
    if (Result<void> posted = post_byte(*byte); !posted) return posted;
  }
  return {};
}

Result<void> StreamRunWriter::post_byte(std::byte byte) {
  if (posting_.size == kPostingRoom) {
    const Result<PageNumber> number = take_page();
    if (!number) return number.error();
    if (Result<void> closed = close_posting(*number); !closed) return closed;
    posting_ = Posting{.page = {}, .number = *number, .size = 0, .is_open = true};
  }
  if (entry_.posting.size++ == 0) entry_.posting.at = std::uint64_t{posting_.number} * kPostingRoom + posting_.size;
  posting_.page[posting_.size++] = byte;
  return {};
}

Result<void> StreamRunWriter::close_posting(PageNumber next) {
  if (!std::exchange(posting_.is_open, false)) return {};
  store_little_endian(posting_.page.data() + kPostingRoom, next);
  return write_page(posting_.page, PageKind::posting, posting_.number);
}

Result<void> StreamRunWriter::end_stream() {
  check(in_stream_, "a stream has begun");
  in_stream_ = false;
  ++streams_;
  records_ += entry_.count;
  if (block_.add(entry_, origin_.end)) return {};
  if (Result<void> closed = close_block(); !closed) return closed;
  check(block_.add(entry_, origin_.end), "an empty block takes any entry");
  return {};
}

Result<void> StreamRunWriter::close_block() {
  if (block_.empty()) return {};
  const Result<PageNumber> number = take_page();
  if (!number) return number.error();
  fence_.push_back({block_.first_hash(), *number});
  Result<void> written = write_page(block_.page(), PageKind::block, *number);
  block_.clear();
  return written;
}

Result<void> StreamRunWriter::close_pages() {
  check(!in_stream_, "the last stream has ended");
  if (std::exchange(pages_closed_, true)) return {};
  if (Result<void> closed = close_posting(0); !closed) return closed;
  return close_block();
}

Result<bool> StreamRunWriter::finish(std::size_t bytes) {
  if (whole_) return true;
  if (Result<void> closed = close_pages(); !closed) return closed.error();
  for (std::size_t done = 0; filtered_blocks_ < fence_.size(); done += kPageBytes) {
    if (done >= bytes && done > 0) return false;
    if (Result<void> added = filter_block(fence_[filtered_blocks_++]); !added) return added.error();
  }
  if (Result<void> filtered = filter_up_to(filter_pages(streams_)); !filtered) return filtered.error();
  if (Result<void> written = write_tail(); !written) return written.error();
  whole_ = true;
  return true;
}

// Hashes ascend over all blocks, and so do their lines: one page of the filter is enough.
Result<void> StreamRunWriter::filter_block(const Fence& fence) {
  Page page;
  const Result<std::size_t> read = file_->read_at(std::uint64_t{fence.page} * kPageBytes, page);
  if (!read) return read.error();
  Entry entry;
  BlockReader block{page, origin_};
  const bool holds = *read == page.size() && page_holds(page, PageKind::block, fence.page, origin_);
  const std::uint64_t lines = filter_lines(streams_);
  while (holds && block.next(entry)) {
    const std::uint64_t line = filter_line(entry.hash, lines);
    if (Result<void> filtered = filter_up_to(line / kLinesPerPage); !filtered) return filtered;
    add_to_line(filter_.data() + line % kLinesPerPage * kLineBytes, entry.hash);
  }
  if (!holds || !block.ok())
    return Error{Errc::corrupt, temporary() + ": page " + std::to_string(fence.page) + " reads otherwise"};
  return {};
}

// Writes the pages before `page`, which becomes the one in hand.
Result<void> StreamRunWriter::filter_up_to(std::uint64_t page) {
  for (; filter_page_ < page; ++filter_page_) {
    // Below 16 TiB of blocks the filter's pages have numbers of 32 bits, too: a block holds no more than 1,023 streams.
    const std::uint64_t number = pages_ + filter_page_;
    if (number > std::numeric_limits<PageNumber>::max()) return Error{Errc::too_large, path_ + ": more than 16 TiB"};
    Result<void> written = write_page(filter_, PageKind::filter, static_cast<PageNumber>(number));
    if (!written) return written;
    filter_.fill(std::byte{0});
  }
  return {};
}

Result<void> StreamRunWriter::write_tail() {
  Footer footer{.origin = origin_, .streams = streams_, .records = records_, .pages = pages_};
  footer.blocks = static_cast<std::uint32_t>(fence_.size());
  Bytes fence(fence_.size() * kFenceEntryBytes);
  std::byte* out = fence.data();
  for (const Fence& entry : fence_) {
    store_little_endian(out, entry.hash);
    store_little_endian(out + sizeof entry.hash, entry.page);
    out += kFenceEntryBytes;
  }
  footer.fence_crc = crc32c(fence);
  if (Result<void> written = file_->write_at(footer.fence_at(), fence); !written) return written;
  bytes_written_ += fence.size() + kFooterBytes;
  return file_->write_at(footer.fence_at() + fence.size(), encode(footer));
}

Result<void> StreamRunWriter::publish(bool durable) {
  check(whole_ && !published_, "a run is published once, when it is whole");
  if (durable) {
    if (Result<void> synced = file_->sync(); !synced) return synced;
  }
  if (Result<void> renamed = storage_.rename(temporary(), path_); !renamed) return renamed;
  published_ = true;
  if (!durable) return {};
  return storage_.sync_directory(parent_directory(path_));
}

}  // namespace lungo
