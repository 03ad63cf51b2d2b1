// The reading side of Segment: from an offset or a time to verified batches.

#include <algorithm>
#include <array>
#include <limits>

#include "segment.hpp"

namespace lungo {

std::optional<BatchHeader> Segment::header_at(std::uint64_t position) const {
  std::array<std::byte, kBatchHeaderBytes> bytes{};
  const Result<std::size_t> read = file_->read_at(position, bytes);
  if (!read || *read != bytes.size()) return std::nullopt;
  const Result<BatchHeader> header = parse_batch_header(bytes);
  return header ? std::optional{*header} : std::nullopt;
}

// Where to start scanning for `target`: a batch that the index names, if that batch agrees, otherwise the beginning.
Segment::Place Segment::place_by_index(Offset target) const {
  const Place beginning{0, base_};
  const std::optional<OffsetEntry> entry = offsets_->find_at_most(target - base_);
  if (!entry || entry->position <= 0 || static_cast<std::uint64_t>(entry->position) >= size()) return beginning;
  const auto position = static_cast<std::uint64_t>(entry->position);
  const std::optional<BatchHeader> header = header_at(position);
  if (!header || header->end_offset() != base_.plus(std::int64_t{entry->relative_offset} + 1)) return beginning;
  return {position, header->base_offset};
}

// Where the batch that holds `target` begins, or the end of the segment.
Result<Segment::Place> Segment::find(Offset target) const {
  BatchScanner scan = scanner(BatchScanner::Depth::headers, place_by_index(target));
  for (;;) {
    const Place place{scan.position(), scan.expected()};
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next || scan.expected() > target) return place;
  }
}

Result<BatchRun> Segment::read(Offset from, Offset end, std::size_t bytes_max, BufferPool& buffers,
                               const std::function<LeaderEpoch(Offset)>& epoch_at) const {
  const Result<Place> place = find(from);
  if (!place) return place.error();
  BatchRun run{.buffer = nullptr, .batches = {}, .end = place->expected, .epoch = kNoEpoch};
  const std::uint64_t available = size() - std::min(place->position, size());
  if (available == 0 || place->expected >= end) return run;

  std::size_t wanted = std::min<std::uint64_t>(std::max(bytes_max, kBatchHeaderBytes), available);
  if (const std::optional<BatchHeader> first = header_at(place->position)) {
    // find() has checked that this length lies within the file.
    wanted = std::max(wanted, std::min<std::size_t>(first->size_bytes(), available));
  }
  const std::shared_ptr<Bytes> buffer = buffers.take(wanted);
  const Result<std::size_t> read = file_->read_at(place->position, std::span{*buffer}.first(wanted));
  if (!read) return read.error().with_context(path_);
  const BytesView bytes = BytesView{*buffer}.first(*read);

  // What is good before damage is served; the next read begins with the damaged batch, and names it.
  std::size_t good = 0;
  std::string fault = "file ends inside a batch";
  while (run.end < end && bytes.size() - good >= kBatchHeaderBytes) {
    const Result<BatchHeader> header = verify_batch(bytes.subspan(good));
    fault = header ? neighbour_fault(*header, run.end, run.epoch) : std::string(header.error().text());
    if (fault.empty() && header->epoch != epoch_at(header->base_offset)) {
      fault = "leader epoch " + std::to_string(header->epoch.value()) + " differs from the log's history";
    }
    if (!fault.empty()) break;  // damage, or the buffer ends inside a batch
    good += header->size_bytes();
    run.end = header->end_offset();
    run.epoch = header->epoch;
  }
  if (good == 0) return corrupt_at(path_, place->position, fault);
  run.buffer = buffer;
  run.batches = bytes.first(good);
  return run;
}

Result<std::optional<BatchHeader>> Segment::batch_holding(Offset offset) const {
  const Result<Place> place = find(offset);
  if (!place) return place.error();
  return header_at(place->position);
}

Result<void> Segment::scan_records(Offset from, Offset end, const std::function<void(const RecordView&)>& take) const {
  const Result<Place> place = find(from);
  if (!place) return place.error();
  BatchScanner scan = scanner(BatchScanner::Depth::whole, *place);
  Offset expected = from;
  while (scan.expected() < end) {
    const std::uint64_t position = scan.position();
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) return corrupt_at(path_, position, "segment ends below offset " + std::to_string(end.value()));
    RecordCursor records{(*next)->bytes, from};
    while (const RecordView* record = records.next()) {
      if (record->offset != expected) return corrupt_at(path_, position, "batch lacks a record");
      expected = expected.next();
      take(*record);
    }
    if (records.error()) return records.error()->with_context(path_ + ", byte " + std::to_string(position));
    if (expected != scan.expected()) return corrupt_at(path_, position, "batch lacks a record");
  }
  return {};
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

Result<std::optional<Offset>> Segment::first_batch_at(Timestamp time) const {
  Place from{0, base_};
  // Times up to an entry are not larger than it, so the scan may start at the last batch whose time is still too small.
  const std::int64_t wanted = time.time_since_epoch().count();
  const bool has_earlier = wanted > std::numeric_limits<std::int64_t>::min();
  if (const std::optional<TimeEntry> entry = has_earlier ? times_->find_at_most(wanted - 1) : std::nullopt) {
    const Result<Place> place = find(base_.plus(entry->relative_offset));
    if (!place) return place.error();
    const std::optional<BatchHeader> header = header_at(place->position);
    const bool agrees = header && header->end_offset() == base_.plus(std::int64_t{entry->relative_offset} + 1) &&
                        header->max_timestamp.time_since_epoch().count() == entry->timestamp;
    if (agrees) from = *place;
  }
  BatchScanner scan = scanner(BatchScanner::Depth::headers, from);
  for (;;) {
    const Result<std::optional<ScannedBatch>> next = scan.next();
    if (!next) return next.error();
    if (!*next) return std::optional<Offset>{};
    if ((*next)->header.max_timestamp >= time) return std::optional{(*next)->header.base_offset};
  }
}

}  // namespace lungo
