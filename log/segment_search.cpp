// Looking for whole batches behind damage, at any byte: what tells rot in the middle of a log from a torn tail.

#include <algorithm>

#include "base/byte_order.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kMagicAt = 16;

// True when a whole batch stands at `position` of the file. `head` begins with its header's bytes.
Result<bool> is_batch(File& file, std::uint64_t position, std::uint64_t file_size, BytesView head, Offset expected) {
  if (std::to_integer<int>(head[kMagicAt]) != 2) return false;
  const Result<BatchHeader> header = parse_batch_header(head);
  if (!header || header->base_offset < expected || header->size_bytes() > file_size - position) return false;
  Bytes batch(header->size_bytes());
  const Result<std::size_t> read = file.read_at(position, batch);
  if (!read) return read.error();
  return *read == batch.size() && verify_batch(batch).has_value();
}

}  // namespace

Result<bool> Segment::holds_batch_after(std::uint64_t position, Offset expected) const {
  const std::uint64_t end = size();
  Bytes window(kWindowBytes);
  while (position + kBatchHeaderBytes <= end) {
    const std::size_t wanted = std::min<std::uint64_t>(window.size(), end - position);
    const Result<std::size_t> read = file_->read_at(position, std::span{window}.first(wanted));
    if (!read) return read.error().with_context(path_);
    if (*read < kBatchHeaderBytes) return false;
    const BytesView bytes = BytesView{window}.first(*read);
    const std::size_t starts = bytes.size() - kBatchHeaderBytes + 1;
    for (std::size_t i = 0; i < starts; ++i) {
      const Result<bool> found = is_batch(*file_, position + i, end, bytes.subspan(i), expected);
      if (!found || *found) return found;
    }
    position += starts;
  }
  return false;
}

}  // namespace lungo
