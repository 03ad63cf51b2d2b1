// The reading side of Segment for who has the kernel send the bytes: where whole verified batches lie in the file.

#include <algorithm>

#include "batch_header.hpp"
#include "segment.hpp"

namespace lungo {
namespace {

constexpr std::uint64_t kPieceBytes = 256u << 10;  // so much is read at once where nobody has looked before

}  // namespace

// A batch border that the index names above `at`, below `end` and at most `room` bytes away; all in front of it was verified.
// Or else `at`.
Segment::Place Segment::verified_border(Place at, Offset end, std::uint64_t room) const {
  const std::uint64_t limit = std::min(at.position + room, verified_up_to());
  if (limit <= at.position) return at;
  const auto position_of = [](const OffsetEntry& entry) { return std::int64_t{entry.position}; };
  const Place border = place_of(offsets_->find_at_most(static_cast<std::int64_t>(limit), position_of));
  return border.position > at.position && border.expected <= end ? border : at;
}

Result<Segment::Place> Segment::first_place(Offset from) const {
  const std::optional<std::uint64_t> hint = from == base_ ? std::optional<std::uint64_t>{0} : hints_.find(from);
  if (hint) {
    const std::optional<BatchHeader> header = header_at(*hint);
    if (header && header->base_offset == from) return Place{*hint, from};
  }
  return find(from);
}

// Over what was verified before it goes by the index, over the rest by reading.
Result<ByteRun> Segment::range(Offset from, Offset end, std::uint64_t bytes_max, BufferPool& buffers,
                               const EpochHistory& epochs, Offset start) const {
  const Result<Place> first = first_place(from);
  if (!first) return first.error();
  ByteRun run{.file = {}, .position = first->position, .bytes = 0, .end = first->expected, .epoch = kNoEpoch};
  while (run.bytes == 0 || run.bytes < bytes_max) {
    const std::uint64_t room = bytes_max - std::min(run.bytes, bytes_max);
    const Place at{run.position + run.bytes, run.end};
    const Place border = verified_border(at, end, room);
    if (border.position > at.position) {
      run.bytes = border.position - run.position;
      run.end = border.expected;
      run.epoch = epochs.epoch_at(std::max(run.end.plus(-1), start));
      continue;
    }
    const Result<BatchRun> piece = read_at(at, end, std::min(room, kPieceBytes), buffers, epochs, start);
    if (!piece && run.bytes == 0) return piece.error();
    // What is good before damage is served; the next one begins with the damaged batch, and names it.
    if (!piece || piece->batches.empty() || (run.bytes > 0 && piece->batches.size() > room)) break;
    run.bytes += piece->batches.size();
    run.end = piece->end;
    run.epoch = piece->epoch;
  }
  if (run.bytes == 0) return run;
  hints_.put(run.end, run.position + run.bytes);
  Result<FileHandle> handle = file_->handle();
  if (!handle) return handle.error().with_context(path_);
  run.file = std::move(*handle);
  return run;
}

}  // namespace lungo
