#include "stream_run_cursor.hpp"

#include "base/byte_order.hpp"

namespace lungo {

using namespace stream_run;

void StreamRecords::start(const Entry& entry) {
  entry_ = entry;
  given_ = 0;
  posting_begun_ = false;
}

Result<std::optional<Offset>> StreamRecords::next() {
  if (given_ == entry_.count) {
    if (posting_begun_ && posting_rest_ > 0) return run_.corrupt("a posting is longer than its stream");
    return std::optional<Offset>{};
  }
  if (given_++ == 0) {
    last_ = entry_.head;
    return std::optional{last_};
  }
  const Result<std::uint64_t> apart = distance();
  if (!apart) return apart.error();
  if (*apart == 0 || *apart > static_cast<std::uint64_t>(last_ - run_.origin().begin)) {
    return run_.corrupt("a record of a stream lies outside the run");
  }
  last_ = last_.plus(-static_cast<std::int64_t>(*apart));
  return std::optional{last_};
}

Result<std::uint64_t> StreamRecords::distance() {
  // given_ counts the head and the one that is asked for.
  return entry_.count <= kInlineRecordsMax ? entry_.inline_distances[given_ - 2] : posted_distance();
}

Result<std::uint64_t> StreamRecords::posted_distance() {
  if (!posting_begun_) {
    if (Result<void> loaded = load(entry_.posting.at / kPostingRoom); !loaded) return loaded.error();
    page_position_ = entry_.posting.at % kPostingRoom;
    posting_rest_ = entry_.posting.size;
    posting_begun_ = true;
  }
  std::uint64_t bits = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const Result<std::byte> byte = posted_byte();
    if (!byte) return byte.error();
    // Of the tenth byte one bit is left; without it the distance lies outside the run anyway.
    bits |= (std::to_integer<std::uint64_t>(*byte) & 0x7f) << shift;
    if (*byte < std::byte{0x80}) return bits;
  }
  return run_.corrupt("a posting holds no number");
}

Result<std::byte> StreamRecords::posted_byte() {
  if (posting_rest_ == 0) return run_.corrupt("a posting is shorter than its stream");
  if (page_position_ == kPostingRoom) {
    const auto next = load_little_endian<PageNumber>(page_.data() + kPostingRoom);
    if (next <= *page_number_) return run_.corrupt("a posting leads back");  // or nowhere; without this it may have no end
    if (Result<void> loaded = load(next); !loaded) return loaded.error();
    page_position_ = 0;
  }
  --posting_rest_;
  return page_[page_position_++];
}

Result<void> StreamRecords::load(std::uint64_t page) {
  if (page_number_ == page) return {};
  if (page >= run_.pages()) return run_.corrupt("a posting leads out of the file");
  page_number_.reset();
  const auto number = static_cast<PageNumber>(page);
  bytes_read_ += kPageBytes;
  Result<void> read = run_.read_page(number, PageKind::posting, page_);
  if (read) page_number_ = number;
  return read;
}

Result<bool> StreamRunCursor::next() {
  const std::uint64_t before = entry_.hash;
  while (!block_ || !block_->next(entry_)) {
    if (block_ && !block_->ok()) return run_->corrupt("block " + std::to_string(next_block_ - 1) + " holds no entries");
    if (next_block_ == run_->blocks()) {
      if (streams_ == run_->streams() && counted_ == run_->records()) return false;
      return run_->corrupt("streams and records are not those that the footer counts");
    }
    bytes_read_ += kPageBytes;
    if (Result<void> read = run_->read_block(next_block_++, page_); !read) return read.error();
    block_.emplace(page_, run_->origin());
  }
  if (entry_.hash <= before) return run_->corrupt("blocks do not ascend");
  ++streams_;
  counted_ += entry_.count;
  records_.start(entry_);
  return true;
}

}  // namespace lungo
