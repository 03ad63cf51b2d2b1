// Looking for whole batches behind damage, at any byte: what tells rot in the middle of a log from a torn tail.

#include <algorithm>
#include <array>

#include "base/byte_order.hpp"
#include "batch_layout.hpp"
#include "readable_bytes.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::size_t kWindowBytes = 1u << 20;
constexpr std::size_t kPieceBytes = 64u << 10;
constexpr int kCodecMax = 4;  // zstd
constexpr int kLengthsFollowed = 64;

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

/// What passes is no fault.
Result<bool> has_its_crc_at_second_attempt(File& file, std::uint64_t position, const BatchHeader& header,
                                           std::span<std::byte> scratch) {
  Result<bool> holds = has_its_crc(file, position, header, scratch);
  return holds || holds.error() != Errc::io ? holds : has_its_crc(file, position, header, scratch);
}

class BatchSearch {
 public:
  BatchSearch(File& file, std::uint64_t position, std::uint64_t end, Offset expected)
      : file_(file), end_(end), expected_(expected), bytes_left_(kWindowBytes + kLooksPerByte * (end - position)) {}

  /// True when a whole batch stands at `position`, or may for all that can be afforded to know. `head` begins with its header.
  Result<bool> is_batch(std::uint64_t position, BytesView head) {
    const std::optional<BatchHeader> header = header_in(head);
    if (!header || header->base_offset < expected_ || header->size_bytes() > end_ - position) return false;
    if (header->size_bytes() > bytes_left_) {
      is_spent_ = true;
      return true;
    }
    bytes_left_ -= header->size_bytes();
    piece_.resize(kPieceBytes);
    Result<bool> holds = has_its_crc_at_second_attempt(file_, position, *header, piece_);
    if (holds || holds.error() != Errc::io) return holds;
    ++faults_;
    return false;
  }
  /// How often the disk did not read what was to be looked at.
  [[nodiscard]] std::uint32_t faults() const { return faults_; }
  void note_fault() { ++faults_; }
  /// True once something was let pass for a batch because knowing costs too much.
  [[nodiscard]] bool is_spent() const { return is_spent_; }

 private:
  File& file_;
  const std::uint64_t end_;
  const Offset expected_;
  std::uint64_t bytes_left_;
  bool is_spent_ = false;
  std::uint32_t faults_ = 0;
  Bytes piece_;
};

/// What walks a file byte by byte: at each position from `position` on where a header fits, `look` says whether to stop. Steps
/// over what the disk does not read, and notes that.
Result<std::optional<std::uint64_t>> find_byte(File& file, std::uint64_t position, std::uint64_t end, BatchSearch& search,
                                               const std::function<Result<bool>(std::uint64_t, BytesView)>& look) {
  Bytes window(std::min<std::uint64_t>(kWindowBytes, end > position ? end - position : 0));
  while (position + kBatchHeaderBytes <= end) {
    const std::size_t wanted = std::min<std::uint64_t>(window.size(), end - position);
    const ReadableBytes read = read_readable(file, position, std::span{window}.first(wanted));
    if (read.fault && *read.fault != Errc::io) return *read.fault;
    if (read.fault) search.note_fault();
    if (read.size < kBatchHeaderBytes) {
      if (!read.fault) break;
      position = block_end(position + read.size);
      continue;
    }
    const BytesView bytes = BytesView{window}.first(read.size);
    const std::size_t starts = bytes.size() - kBatchHeaderBytes + 1;
    for (std::size_t i = 0; i < starts; ++i) {
      const Result<bool> found = look(position + i, bytes.subspan(i));
      if (!found) return found.error();
      if (*found) return std::optional{position + i};
    }
    position += starts;
  }
  return std::optional<std::uint64_t>{};
}

}  // namespace

Result<bool> Segment::holds_batch_after(std::uint64_t position, Offset expected) const {
  const std::uint64_t end = size();
  if (position >= end) return false;
  BatchSearch search{*file_, position, end, expected};
  const Result<std::optional<std::uint64_t>> found =
      find_byte(*file_, position, end, search, [&](std::uint64_t at, BytesView head) { return search.is_batch(at, head); });
  if (!found) return found.error().with_context(path_);
  read_faults_ += search.faults();
  return found->has_value() || search.faults() > 0;
}

// ---- how far damage reaches ----

// As header_at(), where a read that fails is no answer.
Result<std::optional<BatchHeader>> Segment::header_if_any(std::uint64_t position) const {
  std::array<std::byte, kBatchHeaderBytes> bytes{};
  const ReadableBytes read = read_readable(*file_, position, bytes);
  if (read.fault && *read.fault != Errc::io) return read.fault->with_context(path_);
  if (read.fault) ++read_faults_;
  const Result<BatchHeader> header = parse_batch_header(BytesView{bytes}.first(read.size));
  return header ? std::optional{*header} : std::nullopt;
}

// As has_its_crc(); what the disk does not read is not.
Result<bool> Segment::is_whole(std::uint64_t position, const BatchHeader& header, std::span<std::byte> scratch) const {
  Result<bool> holds = has_its_crc_at_second_attempt(*file_, position, header, scratch);
  if (holds || holds.error() != Errc::io) return holds;
  ++read_faults_;
  return false;
}

Result<bool> Segment::is_odd_in_front(std::uint64_t position, Offset expected, LeaderEpoch epoch,
                                      std::optional<LeaderEpoch> epoch_before) const {
  const Result<std::optional<BatchHeader>> here = header_if_any(position);
  if (!here) return here.error();
  if (!*here || (*here)->epoch >= epoch ||
      !neighbour_fault(**here, expected, epoch_before.value_or(kNoEpoch), gaps_below()).empty()) {
    return false;
  }
  // If what follows agrees with the one in front, it is this one.
  const Result<std::optional<BatchHeader>> next = header_if_any(position + (*here)->size_bytes());
  if (!next) return next.error();
  if (!*next || (*next)->base_offset != (*here)->end_offset()) return epoch_before.has_value();
  return (*next)->epoch < epoch;
}

Result<std::optional<DamagedRange>> Segment::odd_one_in_front(const DamageSite& site) const {
  if (!site.previous || site.previous->end_position() != site.position) return std::optional<DamagedRange>{};
  const Result<bool> is_odd = is_odd_in_front(site.position, site.expected, site.epoch, site.epoch_before);
  if (!is_odd) return is_odd.error();
  const BatchHeader& odd = site.previous->header;
  if (!*is_odd) return std::optional<DamagedRange>{};
  return std::optional{DamagedRange{odd.base_offset, odd.end_offset(), file_name(), site.previous->position, odd.size_bytes()}};
}

Result<std::optional<DamagedRange>> Segment::risen_one_in_front(const DamageSite& site) const {
  if (!site.previous || site.previous->end_position() != site.position) return std::optional<DamagedRange>{};
  const BatchHeader& risen = site.previous->header;
  if (!site.due_before || risen.base_offset <= *site.due_before) return std::optional<DamagedRange>{};
  const Result<std::optional<BatchHeader>> here = header_if_any(site.position);
  if (!here) return here.error();
  const Offset end_if_due = site.due_before->plus(risen.end_offset() - risen.base_offset);
  if (!*here || (*here)->base_offset >= site.expected || (*here)->base_offset < end_if_due)
    return std::optional<DamagedRange>{};
  const std::uint64_t behind = site.position + (*here)->size_bytes();
  const Result<std::optional<BatchHeader>> next = header_if_any(behind);
  if (!next) return next.error();
  // What follows says which of the two it is; where nothing does, that there was no gap.
  const bool agrees = *next ? continues((*next)->base_offset, (*here)->end_offset(), site.expected.plus(-1))
                            : (*here)->base_offset == end_if_due;
  Result<bool> is_sure = agrees ? is_batch_at(site.position, (*here)->base_offset) : false;
  // Damaged, too: then a whole one has to begin where that one says that it ends.
  if (is_sure && !*is_sure && agrees && *next && behind < size() && (*next)->base_offset == (*here)->end_offset()) {
    is_sure = is_batch_at(behind, (*next)->base_offset);
  }
  if (!is_sure) return is_sure.error();
  if (!*is_sure) return std::optional<DamagedRange>{};
  return std::optional{
      DamagedRange{*site.due_before, (*here)->base_offset, file_name(), site.previous->position, risen.size_bytes()}};
}

Result<std::optional<DamagedRange>> Segment::risen_batch(const ScannedBatch& batch, Offset due) const {
  if (batch.header.base_offset <= due) return std::optional<DamagedRange>{};
  DamageSite behind{};
  behind.position = batch.end_position();
  behind.expected = batch.header.end_offset();
  behind.previous = batch;
  behind.due_before = due;
  return risen_one_in_front(behind);
}

// Base offsets are outside of the CRC: that of a batch which does not continue the one in front has to be confirmed by what
// lies in front or behind.
Result<bool> Segment::is_confirmed(std::uint64_t position, const BatchHeader& header, const std::optional<BatchHeader>& before,
                                   const SearchLimits& limits) const {
  const Result<std::optional<BatchHeader>> next = header_if_any(position + header.size_bytes());
  if (!next) return next.error();
  if (*next) return continues((*next)->base_offset, header.end_offset(), limits.gaps_below);
  return header.end_offset() == limits.base_max || (before && before->end_offset() == header.base_offset);
}

// The good batch that stands there behind records that are missing, or that the damaged one's length leads to, or those of
// several damaged ones in a row. `reaches_end`: they lead to the end of the file.
Result<std::optional<Segment::Behind>> Segment::batch_behind_lengths(const DamageSite& site, const SearchLimits& limits,
                                                                     bool& reaches_end) const {
  Bytes piece(kPieceBytes);
  std::array<std::byte, batch_layout::kMagicAt> front{};
  std::uint64_t position = site.position;
  std::optional<BatchHeader> before;  // what seems to be the header of the batch in front
  for (int batches = 0; batches < kLengthsFollowed; ++batches) {
    const Result<std::optional<BatchHeader>> header = header_if_any(position);
    if (!header) return header.error();
    if (*header && (*header)->base_offset > site.expected && (*header)->base_offset <= limits.base_max &&
        (*header)->epoch >= site.epoch && (*header)->size_bytes() <= size() - position) {
      Result<bool> good = is_confirmed(position, **header, before, limits);
      if (good && *good) good = is_whole(position, **header, piece);
      if (!good) return good.error();
      if (*good) return std::optional{Behind{position, (*header)->base_offset}};
    }
    before = *header;
    const ReadableBytes read = read_readable(*file_, position, front);
    if (read.fault && *read.fault != Errc::io) return read.fault->with_context(path_);
    if (read.fault) ++read_faults_;
    if (read.size < front.size()) break;
    const auto length = load_big_endian<std::int32_t>(front.data() + batch_layout::kLengthAt);
    const std::uint64_t claimed = batch_layout::kEpochAt + static_cast<std::uint64_t>(std::max(length, 0));
    if (claimed < kBatchHeaderBytes || claimed > size() - position) break;
    position += claimed;
    reaches_end = position == size();
    if (reaches_end) break;
  }
  return std::optional<Behind>{};
}

// The first place from which whole batches go on up to the end. One that leads nowhere may
// be a batch that somebody has put into a record.
Result<std::optional<Segment::Behind>> Segment::batches_to_the_end(const DamageSite& site, const SearchLimits& limits) const {
  BatchSearch search{*file_, site.position, size(), site.expected};
  std::uint64_t not_before = site.position + 1;
  Offset base;
  const Result<std::optional<std::uint64_t>> found =
      find_byte(*file_, site.position + 1, size(), search, [&](std::uint64_t at, BytesView head) -> Result<bool> {
        if (at < not_before || search.is_spent()) return false;
        const Result<bool> is_batch = search.is_batch(at, head);
        if (!is_batch || !*is_batch || search.is_spent()) return is_batch ? Result<bool>{false} : is_batch;
        base = parse_batch_header(head)->base_offset;
        if (base > limits.base_max) return false;
        BatchScanner scan{*file_, path_, BatchScanner::Depth::checked, at, size(), base, site.epoch, limits.gaps_below};
        scan.end_at_most(end_max());
        Result<std::optional<ScannedBatch>> next = scan.next();
        while (next && *next) next = scan.next();
        if (!next && !may_be_damage(next.error())) return next.error();
        if (!next && next.error() == Errc::io) search.note_fault();
        not_before = std::max(at + 1, scan.position());
        return next.has_value();
      });
  if (!found) return found.error().with_context(path_);
  read_faults_ += search.faults();
  return *found ? std::optional{Behind{**found, base}} : std::nullopt;
}

Result<bool> Segment::is_batch_at(std::uint64_t position, Offset base) const {
  const Result<std::optional<BatchHeader>> header = header_if_any(position);
  if (!header) return header.error();
  if (!*header || (*header)->base_offset != base || (*header)->size_bytes() > size() - position) return false;
  Bytes piece(kPieceBytes);
  return is_whole(position, **header, piece);
}

Result<std::optional<DamagedRange>> Segment::damage_up_to_batches(const DamageSite& site, const SearchLimits& limits) const {
  const std::uint32_t faults_before = read_faults_;
  if (Result<std::optional<DamagedRange>> odd = odd_one_in_front(site); !odd || *odd) return odd;
  if (Result<std::optional<DamagedRange>> risen = risen_one_in_front(site); !risen || *risen) return risen;
  bool reaches_end = false;
  Result<std::optional<Behind>> behind = batch_behind_lengths(site, limits, reaches_end);
  if (behind && !*behind && !reaches_end) behind = batches_to_the_end(site, limits);
  if (!behind) return behind.error();
  if (!*behind) return std::optional<DamagedRange>{};
  return std::optional{DamagedRange{.from = site.expected,
                                    .end = (*behind)->base,
                                    .file = file_name(),
                                    .position = site.position,
                                    .bytes = (*behind)->position - site.position,
                                    .is_unreadable = site.is_unreadable || read_faults_ != faults_before}};
}

// What no batch follows. A segment that is written may have grown since: there the damaged one has to be the last by what its
// header says.
Result<std::optional<DamagedRange>> Segment::damage_up_to_end(const DamageSite& site, const SearchLimits& limits) const {
  const std::uint64_t end = size();
  const DamagedRange range{.from = site.expected,
                           .end = limits.base_max,
                           .file = file_name(),
                           .position = site.position,
                           .bytes = end - site.position,
                           .is_unreadable = site.is_unreadable};
  if (limits.is_sealed) return std::optional{range};
  const Result<std::optional<BatchHeader>> header = header_if_any(site.position);
  if (!header) return header.error();
  const bool is_last = *header && (*header)->base_offset == site.expected && (*header)->end_offset() == limits.base_max &&
                       (*header)->size_bytes() == range.bytes;
  return is_last ? std::optional{range} : std::nullopt;
}

Result<std::optional<DamagedRange>> Segment::find_damage(Offset begin, Offset end, const SearchLimits& limits,
                                                         const EpochHistory* epochs, Offset start) const {
  // A batch earlier, where the index knows one: what is odd about a batch shows beside those on its two sides.
  Place place = place_by_index(begin);
  if (place.position > 0) place = place_by_index(place.expected.plus(-1));
  BatchScanner scan = scanner(BatchScanner::Depth::checked, place);
  DamageSite site{};
  while (scan.expected() < end) {
    site.epoch = scan.epoch();
    scan.pass_damage_below(kNoEndMax);
    const Offset due = scan.expected();
    const Result<std::optional<ScannedBatch>> next = scan.next();
    site.position = scan.position();
    site.expected = scan.expected();
    site.is_unreadable = !next && next.error() == Errc::io && can_be_opened();
    if (site.is_unreadable || (!next && next.error() == Errc::corrupt)) {
      Result<std::optional<DamagedRange>> range = damage_up_to_batches(site, limits);
      return range && !*range ? damage_up_to_end(site, limits) : range;
    }
    if (!next) return next.error();
    if (!*next) break;
    if (site.previous) site.epoch_before = site.epoch;  // nobody knows that of the first one
    site.previous = **next;
    site.due_before = due;
    const BatchHeader& header = (*next)->header;
    if (Result<std::optional<DamagedRange>> risen = risen_batch(**next, due); !risen || *risen) return risen;
    if (epochs == nullptr || header.end_offset() <= std::max(begin, start)) continue;
    if (header.epoch == epochs->epoch_at(std::max(header.base_offset, start))) continue;
    return std::optional{
        DamagedRange{header.base_offset, header.end_offset(), file_name(), (*next)->position, header.size_bytes()}};
  }
  return std::optional<DamagedRange>{};
}

}  // namespace lungo
