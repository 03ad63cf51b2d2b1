#include "batch_scanner.hpp"

#include <algorithm>

#include "base/crc32c.hpp"
#include "batch_header.hpp"
#include "readable_bytes.hpp"

namespace lungo {
namespace {

// Headers alone: small, as large batches are skipped over. Whole batches: large, as everything is read.
constexpr std::size_t kHeaderWindowBytes = 4u << 10;
constexpr std::size_t kBatchWindowBytes = 512u << 10;

}  // namespace

Error corrupt_at(std::string_view name, std::uint64_t position, std::string_view what) {
  return Error{Errc::corrupt, std::string(name) + ", byte " + std::to_string(position) + ": " + std::string(what)};
}

std::string neighbour_fault(const BatchHeader& header, Offset expected, LeaderEpoch epoch_at_least, Offset gaps_below,
                            Offset end_max) {
  if (!continues(header.base_offset, expected, gaps_below)) {
    return "batch begins at offset " + std::to_string(header.base_offset.value()) + ", expected " +
           std::to_string(expected.value());
  }
  if (header.epoch < epoch_at_least) {
    return "leader epoch goes back from " + std::to_string(epoch_at_least.value()) + " to " +
           std::to_string(header.epoch.value());
  }
  if (header.end_offset() > end_max) {
    return "batch ends at offset " + std::to_string(header.end_offset().value()) + ", the next segment begins at " +
           std::to_string(end_max.value());
  }
  return {};
}

Result<bool> has_its_crc(File& file, std::uint64_t position, const BatchHeader& header, std::span<std::byte> scratch) {
  const std::uint64_t end = position + header.size_bytes();
  std::uint32_t crc = 0;
  for (std::uint64_t at = position + batch_layout::kCrcCoversFrom; at < end;) {
    const std::span<std::byte> piece = scratch.first(std::min<std::uint64_t>(scratch.size(), end - at));
    const Result<std::size_t> read = file.read_at(at, piece);
    if (!read) return read.error();
    if (*read < piece.size()) return false;
    crc = crc32c(piece, crc);
    at += piece.size();
  }
  return crc == header.crc;
}

BatchScanner::BatchScanner(File& file, std::string name, Depth depth, std::uint64_t position, std::uint64_t end,
                           Offset expected, LeaderEpoch epoch, Offset gaps_below)
    : file_(file),
      name_(std::move(name)),
      depth_(depth),
      position_(position),
      end_(end),
      expected_(expected),
      epoch_(epoch),
      gaps_below_(gaps_below),
      buffer_(std::min<std::uint64_t>(depth == Depth::headers ? kHeaderWindowBytes : kBatchWindowBytes,
                                      end > position ? end - position : 0)) {}

Error BatchScanner::corrupt(std::string_view what) const { return corrupt_at(name_, position_, what); }

// The `size` bytes at position_, or fewer at the end of the file.
Result<BytesView> BatchScanner::window(std::size_t size) {
  const std::uint64_t buffered_end = buffered_from_ + buffered_size_;
  if (position_ < buffered_from_ || position_ + size > buffered_end) {
    if (buffer_.size() < size) buffer_.resize(size);
    const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), end_ - position_);
    const ReadableBytes read = read_readable(file_, position_, std::span{buffer_}.first(wanted));
    buffered_from_ = position_;
    buffered_size_ = read.size;
    if (read.fault && read.size < size) return read.fault->with_context(name_ + ", byte " + std::to_string(position_));
  }
  const std::size_t begin = position_ - buffered_from_;
  return BytesView{buffer_}.subspan(begin, std::min(size, buffered_size_ - begin));
}

// The batch at position_ with its CRC checked: its bytes, unless nobody asked for them and they do not fit the window.
Result<BytesView> BatchScanner::verified(const BatchHeader& header) {
  if (header.size_bytes() > buffer_.size()) {
    // Read twice where the bytes are asked for: rather that than room for a length that nothing has proved.
    buffered_size_ = 0;
    const Result<bool> good = has_its_crc(file_, position_, header, buffer_);
    if (!good) return good.error().with_context(name_);
    if (!*good) return corrupt("CRC of the batch at offset " + std::to_string(header.base_offset.value()) + " differs");
    if (depth_ == Depth::checked) return BytesView{};
  }
  const Result<BytesView> bytes = window(header.size_bytes());
  if (!bytes) return bytes;
  if (const Result<BatchHeader> whole = verify_batch(*bytes); !whole) return corrupt(whole.error().text());
  return bytes;
}

void BatchScanner::pass_damage_below(Offset target) {
  while (damage_ != nullptr) {
    const DamagedRange* const range = damage_->at(position_, expected_);
    if (range == nullptr || (target <= range->from && target < range->end)) return;
    position_ += std::min(range->bytes, end_ - position_);
    expected_ = std::max(expected_, range->end);
  }
}

const ScannedBatch* BatchScanner::advance() {
  if (position_ < buffered_from_ || (damage_ != nullptr && damage_->at(position_, expected_) != nullptr)) return nullptr;
  const std::uint64_t buffered_end = std::min(buffered_from_ + buffered_size_, end_);
  if (position_ + kBatchHeaderBytes > buffered_end) return nullptr;
  const std::byte* const at = buffer_.data() + (position_ - buffered_from_);
  BatchHeader& header = current_.header;
  if (load_batch_header(at, header) != HeaderFault::none) return nullptr;
  if (!continues(header.base_offset, expected_, gaps_below_) || header.epoch < epoch_ || header.end_offset() > end_max_) {
    return nullptr;
  }
  const bool is_checked = depth_ != Depth::headers;
  if (header.size_bytes() > (is_checked ? buffered_end : end_) - position_) return nullptr;
  if (is_checked) {
    current_.bytes = BytesView{at, header.size_bytes()};
    if (crc32c(current_.bytes.subspan(batch_layout::kCrcCoversFrom)) != header.crc) return nullptr;
  }
  current_.position = position_;
  current_.head = BytesView{at, kBatchHeaderBytes};
  step_over(header);
  return &current_;
}

Result<std::optional<ScannedBatch>> BatchScanner::next() {
  if (const ScannedBatch* const batch = advance()) return std::optional{*batch};
  pass_damage_below(Offset{std::numeric_limits<std::int64_t>::max()});
  if (position_ >= end_) return std::optional<ScannedBatch>{};
  const Result<BytesView> head = window(std::min<std::uint64_t>(kBatchHeaderBytes, end_ - position_));
  if (!head) return head.error();
  const Result<BatchHeader> header = parse_batch_header(*head);
  if (!header) return corrupt(header.error().text());
  if (header->size_bytes() > end_ - position_) {
    return corrupt("batch of " + std::to_string(header->size_bytes()) + " bytes reaches past the end of the file");
  }
  if (const std::string fault = neighbour_fault(*header, expected_, epoch_, gaps_below_, end_max_); !fault.empty()) {
    return corrupt(fault);
  }

  std::ranges::copy(*head, head_.begin());  // the window may move on
  ScannedBatch batch{.header = *header, .position = position_, .bytes = {}, .head = head_};
  if (depth_ != Depth::headers) {
    const Result<BytesView> bytes = verified(*header);
    if (!bytes) return bytes.error();
    batch.bytes = *bytes;
  }
  step_over(*header);
  return std::optional{batch};
}

void BatchScanner::step_over(const BatchHeader& header) {
  position_ += header.size_bytes();
  expected_ = header.end_offset();
  epoch_ = header.epoch;
}

}  // namespace lungo
