// Looking for whole batches behind damage, at any byte: what tells rot in the middle of a log from a torn tail.

#include <algorithm>

#include "batch_layout.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kPieceBytes = 64u << 10;
constexpr int kCodecMax = 4;  // zstd

// Looking costs a checksum over all that a header claims, and bytes may look like headers everywhere. So looks are limited to
// a multiple of the bytes that are searched.
constexpr std::uint64_t kLooksPerByte = 8;

// Whether `head` may begin with a batch's header. Stricter than parse_batch_header(), or the looks would be used up by
// compressed values alone: of the attributes Kafka defines seven bits, and "none" is -1 wherever a number may be absent.
std::optional<BatchHeader> header_in(BytesView head) {
  using namespace batch_layout;
  if (head[kMagicAt] != std::byte{2} || head[kAttributesAt] != std::byte{0} || head[kAttributesAt + 1] > std::byte{0x7f}) {
    return std::nullopt;
  }
  const Result<BatchHeader> header = parse_batch_header(head);
  if (!header || header->compression() > kCodecMax || header->epoch < kNoEpoch || header->producer < kNoProducer ||
      header->producer_epoch < -1 || header->base_sequence < -1) {
    return std::nullopt;
  }
  return *header;
}

class BatchSearch {
 public:
  BatchSearch(File& file, std::uint64_t position, std::uint64_t end, Offset expected)
      : file_(file), end_(end), expected_(expected), bytes_left_(kWindowBytes + kLooksPerByte * (end - position)) {}

  /// True when a whole batch stands at `position`, or may for all that can be afforded to know. `head` begins with its header.
  Result<bool> is_batch(std::uint64_t position, BytesView head) {
    const std::optional<BatchHeader> header = header_in(head);
    if (!header || header->base_offset < expected_ || header->size_bytes() > end_ - position) return false;
    if (header->size_bytes() > bytes_left_) return true;
    bytes_left_ -= header->size_bytes();
    piece_.resize(kPieceBytes);
    return has_its_crc(file_, position, *header, piece_);
  }

 private:
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
