#include "segment_walk.hpp"

#include <algorithm>
#include <array>

#include "batch_layout.hpp"
#include "batch_scanner.hpp"

namespace lungo {
namespace {

constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kFirstWindowBytes = 4u << 10;  // batches up to this size are always looked at
constexpr int kCodecMax = 4;                         // zstd
// As in segment_search.cpp: bytes may look like headers everywhere, and a look costs a CRC over all that one claims.
constexpr std::uint64_t kLooksPerByte = 8;

class Walk {
 public:
  Walk(File& file, std::uint64_t size, const WalkVisitor& visitor)
      : file_(file), size_(size), visitor_(visitor), looks_left_(kWindowBytes + kLooksPerByte * size), scratch_(kWindowBytes) {}

  Result<WalkCounts> run() {
    std::uint64_t damaged_up_to = 0;
    for (bool more = true; more && position_ < size_;) {
      // Not between damage and damage: there a window would be read for a batch or two.
      if (damaged_up_to == 0 || position_ - damaged_up_to >= kWindowBytes) {
        const Result<bool> went = take_whole_ones();
        if (!went) return went.error();
        more = *went;
        if (!more || position_ >= size_) break;
      }
      const std::uint64_t damaged_before = counts_.damaged;
      const Result<std::optional<BatchHeader>> header = header_at(position_);
      if (!header) return header.error();
      const Result<bool> went = *header && (*header)->size_bytes() <= size_ - position_ ? take(**header) : skip_from(*header);
      if (!went) return went.error();
      more = *went;
      if (counts_.damaged != damaged_before) damaged_up_to = std::max<std::uint64_t>(position_, 1);
    }
    return counts_;
  }

 private:
  /// As far as all is well, in one read of a window each.
  Result<bool> take_whole_ones() {
    BatchScanner scan{file_, {}, BatchScanner::Depth::whole, position_, size_, expected_, epoch_, kGapsAnywhere};
    for (bool more = true; more;) {
      const Result<std::optional<ScannedBatch>> next = scan.next();
      if (!next && next.error() != Errc::corrupt) return next.error();
      if (!next || !*next) break;
      const BatchHeader& header = (*next)->header;
      count(header);
      position_ = scan.position();
      more = visitor_.batch(
          {.header = header, .position = (*next)->position, .crc_holds = true, .fault = {}, .bytes = (*next)->bytes});
      if (!more) return false;
    }
    return true;
  }

  /// A batch whose CRC holds.
  void count(const BatchHeader& header) {
    ++counts_.batches;
    expected_ = std::max(expected_, header.end_offset());
    epoch_ = std::max(epoch_, header.epoch);
    counts_.records += header.is_control() ? 0 : static_cast<std::uint64_t>(header.records_count);
  }

  /// Nothing where no header can be.
  Result<std::optional<BatchHeader>> header_at(std::uint64_t position) {
    if (size_ - position < kBatchHeaderBytes) return std::optional<BatchHeader>{};
    std::array<std::byte, kBatchHeaderBytes> head{};
    const Result<std::size_t> read = file_.read_at(position, head);
    if (!read) return read.error();
    if (*read < head.size()) return std::optional<BatchHeader>{};
    const Result<BatchHeader> header = parse_batch_header(head);
    if (!header) {
      fault_ = header.error().text();
      return std::optional<BatchHeader>{};
    }
    return std::optional{*header};
  }

  /// A batch that fits into the file.
  Result<bool> take(const BatchHeader& header) {
    if (!is_affordable(header)) return skip("so much here looks like batches that this one was not looked at");
    const Result<bool> holds = holds_crc(position_, header);
    if (!holds) return holds.error();
    if (!*holds) {
      // Is its length right? Then the next whole batch begins behind it, or nothing does.
      const Result<std::uint64_t> next = find_batch(position_ + 1);
      if (!next) return next.error();
      if (*next != position_ + header.size_bytes())
        return skip_to(*next, "the CRC differs, and where its length ends no batch begins");
    }
    WalkedBatch batch{.header = header, .position = position_, .crc_holds = *holds, .fault = {}, .bytes = {}};
    batch.fault = neighbour_fault(header, expected_, epoch_, kGapsAnywhere);
    Bytes bytes;
    if (*holds) {
      bytes.resize(header.size_bytes());
      const Result<std::size_t> read = file_.read_at(position_, bytes);
      if (!read) return read.error();
      batch.bytes = bytes;
      count(header);
    } else {
      ++counts_.batches;
    }
    if (!*holds || !batch.fault.empty()) ++counts_.damaged;
    position_ += header.size_bytes();
    return visitor_.batch(batch);
  }

  Result<bool> skip_from(const std::optional<BatchHeader>& header) {
    if (header)
      return skip("a batch of " + std::to_string(header->size_bytes()) + " bytes begins here and reaches past the end");
    if (size_ - position_ < kBatchHeaderBytes) return skip("too few bytes for a batch");
    return skip(fault_);
  }

  /// What is no batch, up to the next one.
  Result<bool> skip(const std::string& what) {
    const Result<std::uint64_t> next = find_batch(position_ + 1);
    if (!next) return next.error();
    return skip_to(*next, what);
  }

  Result<bool> skip_to(std::uint64_t next, const std::string& what) {
    const WalkedDamage damage{position_, next - position_, what, next == size_};
    ++counts_.damaged;
    position_ = next;
    return visitor_.damage(damage);
  }

  /// Where the next whole batch begins whose CRC holds; the end of the file where none does, or where looking took too long.
  Result<std::uint64_t> find_batch(std::uint64_t position) {
    // Small at first: where damage follows upon damage, each search ends soon.
    for (std::size_t window = kFirstWindowBytes; position + kBatchHeaderBytes <= size_;
         window = std::min(2 * window, kWindowBytes)) {
      const std::size_t wanted = std::min<std::uint64_t>(window, size_ - position);
      window_.resize(wanted);
      const Result<std::size_t> read = file_.read_at(position, window_);
      if (!read) return read.error();
      if (*read < kBatchHeaderBytes) break;
      const std::size_t starts = *read - kBatchHeaderBytes + 1;
      for (std::size_t i = 0; i < starts; ++i) {
        if (window_[i + batch_layout::kMagicAt] != std::byte{2}) continue;
        const Result<BatchHeader> header = parse_batch_header(BytesView{window_}.subspan(i, kBatchHeaderBytes));
        if (!header) continue;
        const Result<bool> found = is_batch(position + i, *header);
        if (!found) return found.error();
        if (*found) return position + i;
      }
      position += starts;
    }
    return size_;
  }

  Result<bool> is_batch(std::uint64_t position, const BatchHeader& header) {
    if (header.compression() > kCodecMax || header.size_bytes() > size_ - position || !is_affordable(header)) return false;
    return holds_crc(position, header);
  }

  [[nodiscard]] bool is_affordable(const BatchHeader& header) const {
    return header.size_bytes() <= std::max<std::uint64_t>(looks_left_, kFirstWindowBytes);
  }

  /// A CRC that holds moves the walk on, so only the others are counted.
  Result<bool> holds_crc(std::uint64_t position, const BatchHeader& header) {
    const Result<bool> holds = has_its_crc(file_, position, header, scratch_);
    if (holds && !*holds) looks_left_ -= std::min<std::uint64_t>(looks_left_, header.size_bytes());
    return holds;
  }

  File& file_;
  const std::uint64_t size_;
  const WalkVisitor& visitor_;
  std::uint64_t looks_left_;
  Bytes scratch_;
  Bytes window_;
  std::uint64_t position_ = 0;
  Offset expected_{0};
  LeaderEpoch epoch_ = kNoEpoch;
  std::string fault_;
  WalkCounts counts_;
};

}  // namespace

Result<WalkCounts> walk_segment(File& file, std::uint64_t size, const WalkVisitor& visitor) {
  return Walk{file, size, visitor}.run();
}

}  // namespace lungo
