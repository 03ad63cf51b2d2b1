// The reading side of Segment: from an offset or a time to verified batches.

#include <algorithm>
#include <array>
#include <limits>

#include "base/crc32c.hpp"
#include "batch_header.hpp"
#include "readable_bytes.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::size_t kReadBytesMin = 4u << 10;  // costs no more than a few bytes, and most batches of one record fit
constexpr std::size_t kProbedBytes = 256u << 10;
constexpr std::string_view kRisen = "the batch behind contradicts the base offset";
constexpr std::size_t kHintedBytes = 16u << 10;  // a batch of many records, and the header behind it

// A run without its last batch.
struct RunBefore {
  std::size_t bytes;
  Offset end;
  LeaderEpoch epoch;
  bool is_behind_gap;  // that batch
};

// What is wrong with the header at the front of `bytes`, which goes on behind `before`; empty when nothing is.
std::string header_fault(BytesView bytes, const BatchRun& before, Offset gaps_below, Offset end_max, BatchHeader& header) {
  if (bytes.size() < kBatchHeaderBytes) return "file ends inside a batch";
  if (load_batch_header(bytes.data(), header) != HeaderFault::none)
    return std::string(parse_batch_header(bytes).error().text());
  return neighbour_fault(header, before.end, before.epoch, gaps_below, end_max);
}

// The same for the batch behind this header.
std::string batch_fault(BytesView bytes, const BatchHeader& header, bool is_verified, LeaderEpoch epoch) {
  if (header.size_bytes() > bytes.size()) return "file ends inside a batch";
  if (!is_verified && crc32c(bytes.first(header.size_bytes()).subspan(batch_layout::kCrcCoversFrom)) != header.crc) {
    return "CRC of the batch at offset " + std::to_string(header.base_offset.value()) + " differs";
  }
  if (header.epoch == epoch) return {};
  return "leader epoch " + std::to_string(header.epoch.value()) + " differs from the log's history";
}

}  // namespace

std::optional<BatchHeader> Segment::header_at(std::uint64_t position) const {
  std::array<std::byte, kBatchHeaderBytes> bytes{};
  const Result<std::size_t> read = file_->read_at(position, bytes);
  if (!read || *read != bytes.size()) return std::nullopt;
  const Result<BatchHeader> header = parse_batch_header(bytes);
  return header ? std::optional{*header} : std::nullopt;
}

// Where to start scanning: at the batch that the index names, if that batch agrees, otherwise at the beginning.
Segment::Place Segment::place_of(const std::optional<OffsetEntry>& entry) const {
  const Place beginning{0, base_};
  if (!entry || entry->position <= 0 || static_cast<std::uint64_t>(entry->position) >= size()) return beginning;
  const auto position = static_cast<std::uint64_t>(entry->position);
  const std::shared_ptr<const DamageList> lost = damage();
  if (lost != nullptr && lost->holds_byte(position)) return beginning;
  const std::optional<BatchHeader> header = header_at(position);
  if (!header || header->end_offset() != base_.plus(std::int64_t{entry->relative_offset} + 1)) return beginning;
  return {position, header->base_offset};
}

// Where the batch that holds or follows `target` begins, or the end of the segment.
Result<Segment::Place> Segment::find(Offset target) const {
  BatchScanner scan = scanner(BatchScanner::Depth::headers, place_by_index(target));
  for (;;) {
    scan.pass_damage_below(target);
    const Place place{scan.position(), scan.expected()};
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next || scan.expected() > target) return place;
  }
}

// Goes on where a read before ended, if it can; otherwise by the index.
Result<BatchRun> Segment::read(Offset from, Offset end, std::size_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                               Offset start, Trust trust) const {
  const std::optional<std::uint64_t> hint = from == base_ ? std::optional<std::uint64_t>{0} : hints_.find(from);
  if (hint) {
    Result<BatchRun> run = read_at({*hint, from}, end, bytes_max, buffers, epochs, start, trust);
    if (run && !run->batches.empty()) return run;
  }
  const Result<Place> place = find(from);
  if (!place) return place.error();
  return read_at(*place, end, bytes_max, buffers, epochs, start, trust);
}

Result<BatchRun> Segment::read_at(Place place, Offset end, std::size_t bytes_max, BufferPool& buffers,
                                  const EpochHistory& epochs, Offset start, Trust trust) const {
  BatchRun run{.buffer = nullptr, .batches = {}, .end = place.expected, .epoch = kNoEpoch};
  const std::uint64_t file_end = size();
  if (place.position >= file_end || place.expected >= end) return run;
  const std::uint64_t available = file_end - place.position;

  std::shared_ptr<Bytes> buffer;
  BytesView bytes;
  std::optional<Error> unread;  // why the bytes end there
  const auto fill = [&](std::size_t wanted) {
    buffer = buffers.take(wanted);
    ReadableBytes read = read_readable(*file_, place.position, std::span{*buffer}.first(wanted));
    bytes = BytesView{*buffer}.first(read.size);
    unread = std::move(read.fault);
  };
  fill(std::min<std::uint64_t>(std::max(bytes_max, kReadBytesMin), available));
  BatchHeader header;
  // A first batch that is larger; room is made for no more than the file has.
  if (!unread && header_fault(bytes, run, gaps_below(), end_max(), header).empty() && header.size_bytes() > bytes.size() &&
      header.size_bytes() <= available) {
    fill(header.size_bytes());
  }

  // What is good before damage is served; the next read begins with the damaged batch, and names it.
  const std::uint64_t mark = trust == Trust::checked_before ? verified_up_to() : 0;
  EpochSpan span;
  std::string fault;
  RunBefore last{.bytes = 0, .end = run.end, .epoch = run.epoch, .is_behind_gap = false};
  while (run.end < end) {
    const BytesView rest = bytes.subspan(run.batches.size());
    fault = header_fault(rest, run, gaps_below(), end_max(), header);
    if (fault.empty() && header.base_offset >= end) {  // behind a gap that reaches up to `end`
      if (!run.batches.empty()) break;
      const Result<std::optional<DamagedRange>> risen =
          risen_batch({.header = header, .position = place.position, .bytes = {}, .head = {}}, run.end);
      if (!risen) return risen.error();
      if (*risen) return corrupt_at(path_, place.position, kRisen);
      return run;
    }
    const std::size_t reached = run.batches.size() + header.size_bytes();
    if (!fault.empty() || (reached > bytes_max && !run.batches.empty())) break;
    if (header.base_offset >= span.end) span = epochs.span_at(std::max(header.base_offset, start));
    fault = batch_fault(rest, header, place.position + reached <= mark, span.epoch);
    if (!fault.empty()) break;
    last = {.bytes = run.batches.size(), .end = run.end, .epoch = run.epoch, .is_behind_gap = header.base_offset > run.end};
    run.batches = bytes.first(reached);
    run.end = header.end_offset();
    run.epoch = header.epoch;
  }
  if (last.is_behind_gap) {  // those in front of it were held against what follows them
    static_cast<void>(load_batch_header(bytes.data() + last.bytes, header));
    const Result<std::optional<DamagedRange>> risen =
        risen_batch({.header = header, .position = place.position + last.bytes, .bytes = {}, .head = {}}, last.end);
    if (!risen) return risen.error();
    if (*risen) {
      run.batches = bytes.first(last.bytes);
      run.end = last.end;
      run.epoch = last.epoch;
      fault = kRisen;
    }
  }
  if (run.batches.empty() && unread) return unread->with_context(path_);
  if (run.batches.empty()) return corrupt_at(path_, place.position, fault);
  run.buffer = std::move(buffer);
  note_verified(place.position, place.position + run.batches.size());
  hints_.put(run.end, place.position + run.batches.size());
  return run;
}

Result<std::optional<BatchRun>> Segment::read_hinted(std::uint64_t place, Offset offset, Offset segment_end,
                                                     BufferPool& buffers, const EpochHistory& epochs, Offset start) const {
  const std::optional<BatchRun> none;
  const std::uint64_t file_end = size();
  if (place >= file_end || may_have_gaps()) return none;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kHintedBytes, file_end - place));
  const std::shared_ptr<Bytes> buffer = buffers.take(wanted);
  const Result<std::size_t> read = file_->read_at(place, std::span{*buffer}.first(wanted));
  if (!read) return read.error().with_context(path_);
  const BytesView bytes = BytesView{*buffer}.first(*read);
  const Result<BatchHeader> header = parse_batch_header(bytes);
  if (!header || header->size_bytes() > bytes.size()) return none;
  const Offset end = header->end_offset();
  if (offset < header->base_offset || offset >= end) return none;
  // Its offsets are not under its CRC, and nothing was read before it: what comes behind has to agree. (Where batches are made
  // anew a place may lie inside of one, and what looks like a batch there is some record's value.)
  const BytesView behind = bytes.subspan(header->size_bytes());
  const Result<BatchHeader> next = parse_batch_header(behind);
  const bool is_last = place + header->size_bytes() == file_end;
  if (is_last ? end != segment_end : !next || next->base_offset != end) return none;
  const bool is_verified = place + header->size_bytes() <= verified_up_to();
  const LeaderEpoch epoch = epochs.epoch_at(std::max(header->base_offset, start));
  if (!batch_fault(bytes, *header, is_verified, epoch).empty()) return none;
  return std::optional{
      BatchRun{.buffer = buffer, .batches = bytes.first(header->size_bytes()), .end = end, .epoch = header->epoch}};
}

// The first batch border that lies at most `bytes_max` before `end`, or else the last one before it.
Result<Segment::Place> Segment::border_before(Place end, std::size_t bytes_max) const {
  const std::uint64_t wanted = end.position - std::clamp<std::uint64_t>(bytes_max, 1, end.position);
  const auto position_of = [](const OffsetEntry& entry) { return std::int64_t{entry.position}; };
  const std::optional<OffsetEntry> entry = offsets_->find_at_most(static_cast<std::int64_t>(wanted), position_of);
  BatchScanner scan = scanner(BatchScanner::Depth::headers, place_of(entry));
  for (;;) {
    const Place place{scan.position(), scan.expected()};
    if (place.position >= wanted) return place;
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next || scan.position() >= end.position) return place;
  }
}

// `place`, or behind the last damage between it and `end`.
Segment::Place Segment::behind_damage(Place place, Place end) const {
  const std::shared_ptr<const DamageList> lost = damage();
  const DamagedRange* const range = lost == nullptr ? nullptr : lost->last_between(place.position, end.position);
  return range == nullptr ? place : Place{range->position + range->bytes, range->end};
}

Result<BatchRun> Segment::read_back(Offset end, std::size_t bytes_max, BufferPool& buffers, const EpochHistory& epochs,
                                    Offset start) const {
  const std::optional<std::uint64_t> hint = hints_.find(end);
  const Result<Place> behind = hint ? Result<Place>{Place{*hint, end}} : find(end);
  if (!behind) return behind.error();
  if (may_have_gaps() && behind->expected < end) {  // in that batch, if that is where it says
    const Result<std::optional<BatchHeader>> header = header_if_any(behind->position);
    if (!header) return header.error();
    if (*header) {
      const Result<std::optional<DamagedRange>> risen =
          risen_batch({.header = **header, .position = behind->position, .bytes = {}, .head = {}}, behind->expected);
      if (!risen) return risen.error();
      if (*risen) return corrupt_at(path_, behind->position, kRisen);
    }
  }
  if (behind->position == 0) return BatchRun{.buffer = nullptr, .batches = {}, .end = base_, .epoch = kNoEpoch};
  Result<Place> first = border_before(*behind, bytes_max);
  if (first) first = behind_damage(*first, *behind);
  if (first && first->expected < start) {  // not what is deleted
    const Result<Place> lowest = find(start);
    if (!lowest) return lowest.error();
    if (lowest->position > first->position) first = *lowest;
  }
  if (!first) return first.error();
  if (first->position >= behind->position) return BatchRun{.buffer = nullptr, .batches = {}, .end = start, .epoch = kNoEpoch};
  Result<BatchRun> run = read_at(*first, behind->expected, behind->position - first->position, buffers, epochs, start);
  if (!run) return run.error();
  if (run->batches.size() < behind->position - first->position) {  // damage, which this names
    const Place damaged{first->position + run->batches.size(), run->end};
    const Result<BatchRun> rest = read_at(damaged, behind->expected, 0, buffers, epochs, start);
    return rest ? corrupt_at(path_, damaged.position, "a batch differs from one read to the next") : rest.error();
  }
  hints_.put(first->expected, first->position);  // where the next one ends
  return run;
}

// The mark moves only over what lies next to it: it never passes a byte that nobody has looked at.
void Segment::note_verified(std::uint64_t begin, std::uint64_t end) const {
  std::uint64_t mark = verified_up_to_.load(std::memory_order_relaxed);
  while (begin <= mark && mark < end && !verified_up_to_.compare_exchange_weak(mark, end, std::memory_order_acq_rel)) {
  }
}

bool Segment::can_read(const DamagedRange& range) const {
  Bytes piece(std::min<std::uint64_t>(range.bytes, kProbedBytes));
  for (std::uint64_t done = 0; done < range.bytes;) {
    const std::span<std::byte> wanted = std::span{piece}.first(std::min<std::uint64_t>(piece.size(), range.bytes - done));
    if (!file_->read_at(range.position + done, wanted)) return false;
    done += wanted.size();
  }
  return true;
}

void Segment::forget_damage(const DamagedRange& range) {
  std::uint64_t mark = verified_up_to();
  while (range.position < mark && !verified_up_to_.compare_exchange_weak(mark, range.position, std::memory_order_acq_rel)) {
  }
  damage_.forget(range);
}

Result<std::optional<BatchHeader>> Segment::batch_holding(Offset offset) const {
  const Result<Place> place = find(offset);
  if (!place) return place.error();
  return header_if_any(place->position);
}

Result<void> Segment::scan_records(Offset from, Offset end, const std::function<void(const RecordView&)>& take,
                                   const std::function<Result<void>(const BatchHeader&, std::uint64_t)>& begin_batch) const {
  const Result<Place> place = find(from);
  if (!place) return place.error();
  BatchScanner scan = scanner(BatchScanner::Depth::whole, *place);
  Offset expected = from;
  for (;;) {
    scan.pass_damage_below(end);
    expected = std::max(expected, scan.expected());
    if (scan.expected() >= end) return {};
    const std::uint64_t position = scan.position();
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next && may_have_gaps()) return {};
    if (!*next) return corrupt_at(path_, position, "segment ends below offset " + std::to_string(end.value()));
    if (begin_batch) {
      if (Result<void> begun = begin_batch((*next)->header, position); !begun) return begun;
    }
    const bool may_lack_records = may_have_gaps() || (*next)->header.is_control();
    RecordCursor records{(*next)->bytes, from};
    while (const RecordView* record = records.next()) {
      if (record->offset < expected || (record->offset > expected && !may_lack_records)) {
        return corrupt_at(path_, position, "batch lacks a record");
      }
      if (record->offset >= end && may_lack_records) return {};
      expected = record->offset.next();
      take(*record);
    }
    if (records.error()) return records.error()->with_context(path_ + ", byte " + std::to_string(position));
    if (expected != scan.expected() && !may_lack_records) return corrupt_at(path_, position, "batch lacks a record");
  }
}

Result<std::uint64_t> Segment::border_at(Offset end) const {
  const Result<Place> place = find(end);
  if (!place) return place.error();
  if (place->expected != end) {
    return Error{Errc::invalid_argument, "offset " + std::to_string(end.value()) + " is no batch border in " + path_};
  }
  return place->position;
}

Result<Offset> Segment::walk_from(Offset from, Offset end, EpochHistory& epochs) const {
  const Result<Place> place = find(from);
  if (!place) return place.error();
  BatchScanner scan = scanner(BatchScanner::Depth::headers, *place);
  while (scan.expected() < end) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) break;
    epochs.note((*next)->header.epoch, (*next)->header.base_offset);
  }
  return scan.expected();
}

// Where the batch lies that the entry names; nothing when there is none of that end and time.
Result<std::optional<Segment::Place>> Segment::place_named_by(const TimeEntry& entry) const {
  const Result<Place> place = find(base_.plus(entry.relative_offset));
  if (!place) return place.error();
  const std::optional<BatchHeader> header = header_at(place->position);
  const bool agrees = header && header->end_offset() == base_.plus(std::int64_t{entry.relative_offset} + 1) &&
                      header->max_timestamp.time_since_epoch().count() == entry.timestamp;
  return agrees ? std::optional{*place} : std::nullopt;
}

Result<std::optional<Offset>> Segment::first_batch_at(Timestamp time, Offset from) const {
  Place start{0, base_};
  // Times up to an entry are not larger than it, so the scan may start at the last batch whose time is still too small.
  const std::int64_t wanted = time.time_since_epoch().count();
  const bool has_earlier = wanted > std::numeric_limits<std::int64_t>::min();
  if (const std::optional<TimeEntry> entry = has_earlier ? times_->find_at_most(wanted - 1) : std::nullopt) {
    const Result<std::optional<Place>> named = place_named_by(*entry);
    if (!named) return named.error();
    if (*named) start = **named;
  }
  BatchScanner scan = scanner(BatchScanner::Depth::checked, start);  // a time that has rotted would lead past its records
  for (;;) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) return std::optional<Offset>{};
    if ((*next)->header.is_control() || (*next)->header.end_offset() <= from) continue;
    if ((*next)->header.max_timestamp >= time) return std::optional{(*next)->header.base_offset};
  }
}

}  // namespace lungo
