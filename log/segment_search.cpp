// Looking for whole batches behind damage, at any byte: what tells rot in the middle of a log from a torn tail.

#include <algorithm>

#include "base/crc32c.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kPieceBytes = 64u << 10;
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kAttributesAt = 21;  // from here on the CRC counts

// Looking costs a checksum over all that a header claims, and bytes may look like headers everywhere. So looks are limited to
// a multiple of the bytes that are searched.
constexpr std::uint64_t kLooksPerByte = 8;

class BatchSearch {
 public:
  BatchSearch(File& file, std::uint64_t position, std::uint64_t end, Offset expected)
      : file_(file), end_(end), expected_(expected), bytes_left_(kWindowBytes + kLooksPerByte * (end - position)) {}

  /// True when a whole batch stands at `position`, or may for all that can be afforded to know. `head` begins with its header.
  Result<bool> is_batch(std::uint64_t position, BytesView head) {
    if (std::to_integer<int>(head[kMagicAt]) != 2) return false;
    const Result<BatchHeader> header = parse_batch_header(head);
    if (!header || header->base_offset < expected_ || header->size_bytes() > end_ - position) return false;
    if (header->size_bytes() > bytes_left_) return true;
    bytes_left_ -= header->size_bytes();
    const Result<std::uint32_t> crc = crc_of(position + kAttributesAt, header->size_bytes() - kAttributesAt);
    if (!crc) return crc.error();
    return *crc == header->crc;
  }

 private:
  Result<std::uint32_t> crc_of(std::uint64_t position, std::size_t size) {
    piece_.resize(kPieceBytes);
    std::uint32_t crc = 0;
    while (size > 0) {
      const std::span<std::byte> piece = std::span{piece_}.first(std::min(size, piece_.size()));
      const Result<std::size_t> read = file_.read_at(position, piece);
      if (!read) return read.error();
      if (*read < piece.size()) return ~crc;  // shorter than it was
      crc = crc32c(piece, crc);
      position += piece.size();
      size -= piece.size();
    }
    return crc;
  }

  File& file_;
  const std::uint64_t end_;
  const Offset expected_;
  std::uint64_t bytes_left_;
  Bytes piece_;
};

}  // namespace

Result<bool> Segment::holds_batch_after(std::uint64_t position, Offset expected) const {
  const std::uint64_t end = size();
  if (position >= end) return false;
  BatchSearch search{*file_, position, end, expected};
  Bytes window(kWindowBytes);
  while (position + kBatchHeaderBytes <= end) {
    const std::size_t wanted = std::min<std::uint64_t>(window.size(), end - position);
    const Result<std::size_t> read = file_->read_at(position, std::span{window}.first(wanted));
    if (!read) return read.error().with_context(path_);
    if (*read < kBatchHeaderBytes) return false;
    const BytesView bytes = BytesView{window}.first(*read);
    const std::size_t starts = bytes.size() - kBatchHeaderBytes + 1;
    for (std::size_t i = 0; i < starts; ++i) {
      const Result<bool> found = search.is_batch(position + i, bytes.subspan(i));
      if (!found) return found.error().with_context(path_);
      if (*found) return true;
    }
    position += starts;
  }
  return false;
}

}  // namespace lungo
