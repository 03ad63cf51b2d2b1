// PartitionLog and what is lost of it: what reads have found, and logs that can't be opened at all.

#include <algorithm>

#include "base/logger.hpp"
#include "missing_digests.hpp"
#include "partition_parts.hpp"

namespace lungo {

std::unique_ptr<PartitionLog> PartitionLog::unreadable(Ports ports, std::string directory, const PartitionOptions& options,
                                                       const Error& cause, Offset end) {
  auto parts = std::make_unique<Parts>(ports, std::move(directory), options);
  parts->unreadable = cause;
  parts->refuse_from_now_on(Error{Errc::partition_failed, std::string(cause.text())});
  parts->start = options.start.value();
  parts->written_end = parts->synced_end = std::max(end, options.start).value();
  return std::unique_ptr<PartitionLog>{new PartitionLog(std::move(parts))};
}

void PartitionLog::Parts::refuse_from_now_on(const Error& cause) {
  opening_refusal = cause;
  failure.set(cause);
}

const std::optional<Error>& PartitionLog::unreadable_since_opening() const { return parts_->unreadable; }
const std::optional<Error>& PartitionLog::refused_since_opening() const { return parts_->opening_refusal; }

std::vector<DamagedRange> PartitionLog::damage() const {
  const std::shared_ptr<const DamageList> list = parts_->damage.get();
  return list == nullptr ? std::vector<DamagedRange>{} : list->from(start()).ranges();
}

/// As note_damage(); also when somebody else has found some since `known` was taken.
bool PartitionLog::Parts::is_new_damage(const Segments& list, std::size_t index, Offset begin, Offset end,
                                        const std::shared_ptr<const DamageList>& known) {
  return note_damage(list, index, begin, end) || damage.get() != known;
}

/// A read of [begin, end) has met damage in the segment at `index`: true when that was not known before, so that the read is
/// worth another try.
bool PartitionLog::Parts::note_damage(const Segments& list, std::size_t index, Offset begin, Offset end) {
  const Offset written{written_end.load(std::memory_order_acquire)};
  const bool is_sealed = index + 1 < list.size();
  const Offset limit = is_sealed ? list[index + 1]->base() : written;
  const SearchLimits limits{.base_max = limit, .gaps_below = list[index]->gaps_below(), .is_sealed = is_sealed};
  Result<std::optional<DamagedRange>> range = list[index]->find_damage(begin, end, limits, nullptr, Offset{start});
  if (range && !*range) {
    range = list[index]->find_damage(begin, end, limits, &epochs, Offset{start});
    if (range && *range && relearn_rotten_epochs(list, **range)) return true;
  }
  const std::lock_guard lock(trimmed_mutex);  // compaction puts another in its place
  const std::shared_ptr<const Segments> now = segments.snapshot();
  if (std::ranges::find(*now, list[index]) == now->end()) return true;
  return note_damage(*list[index], range);
}

/// What the disk did not read once it may read now: then it is as if nobody had tried.
bool PartitionLog::Parts::reads_again(const DamagedRange& hole) {
  if (!hole.is_unreadable) return false;
  const std::shared_ptr<const Segments> list = segments.snapshot();
  const auto found = std::ranges::find_if(*list, [&hole](const auto& segment) { return segment->file_name() == hole.file; });
  if (found == list->end() || !(*found)->can_read(hole)) return false;
  const std::lock_guard lock(trimmed_mutex);  // compaction puts another in its place
  (*found)->forget_damage(hole);
  damage.forget(hole);
  logger()->info("{}/{}, byte {}: can be read again", directory, hole.file, hole.position);
  return true;
}

bool PartitionLog::Parts::note_damage(const Compaction::Reading& reading) {
  const std::shared_ptr<const Segments> list = segments.snapshot();
  const auto found = std::ranges::find(*list, reading.segment);
  if (found == list->end()) return false;
  return note_damage(*list, static_cast<std::size_t>(found - list->begin()), reading.begin, reading.end);
}

bool PartitionLog::Parts::note_damage(Segment& segment, const Result<std::optional<DamagedRange>>& range) {
  if (!range || !*range) return false;
  segment.add_damage(**range);
  if (!damage.add(**range)) return false;
  logger()->warn("{}, as a read has found", damaged(directory, **range).text());
  return true;
}

namespace {

/// A range of a segment's where a batch is whole: only what no CRC covers can be wrong there, of it or of the one in front.
Result<bool> is_of_whole_batches(const Segment& segment, const DamagedRange& range) {
  const Result<std::optional<BatchHeader>> header = segment.header_if_any(range.position);
  if (!header || !*header) return header ? Result<bool>{false} : header.error();
  return segment.is_batch_at(range.position, (*header)->base_offset);
}

bool is_still_noted(Storage& storage, const std::string& directory, const SegmentDigest& digest) {
  const Result<std::optional<SegmentDigest>> now = read_digest(storage, directory, digest.base);
  return now && *now == digest;
}

/// Where all damage that is known shows by CRCs, or there is none.
bool is_found_by_crcs(const Segment& segment) {
  const std::shared_ptr<const DamageList> known = segment.damage();
  return known == nullptr || std::ranges::none_of(known->ranges(), [&segment](const DamagedRange& range) {
           const Result<bool> is_whole = is_of_whole_batches(segment, range);
           return is_whole && *is_whole;
         });
}

}  // namespace

/// Where offsets may be missing, a base offset that has rotted looks like a gap, and no CRC covers it; the digest does. So at
/// its first use a sealed segment is compared with that. True: it is another one, and all of it is lost from now on.
bool PartitionLog::Parts::finds_rotten_headers(const Segments& list, std::size_t index) {
  if (!options.gaps || index + 1 >= list.size()) return false;
  const std::shared_ptr<Segment>& segment = list[index];
  if (segment->headers_compared()) return false;
  const Result<std::optional<SegmentDigest>> noted = read_digest(ports.storage, directory, segment->base());
  if (!noted && noted.error() == Errc::io) return false;
  std::string differs;
  if (noted && *noted && segment->damage() == nullptr) {
    SegmentPass pass{segment, BatchScanner::Depth::headers};
    const Result<bool> ended = pass.step(segment->size());
    if (!ended && ended.error() != Errc::corrupt) return false;
    // One that seems to begin too early may be as it was, and the one in front of it not. Other damage is found by who reads.
    const DamagedRange place{.from = pass.at(), .end = pass.at(), .file = {}, .position = pass.position(), .bytes = 0};
    const Result<bool> is_whole = ended ? Result<bool>{false} : is_of_whole_batches(*segment, place);
    if (ended) differs = difference(**noted, pass.digest());
    if (is_whole && *is_whole) differs = ended.error().text();
  } else if (noted && *noted && !is_found_by_crcs(*segment)) {
    differs = "a batch that is whole does not follow the one in front";
  }
  if (!differs.empty()) {
    const Result<bool> is_of_it = segment->has_its_name(ports.storage);
    if (!is_of_it && is_of_it.error() == Errc::io) return false;
    if (!is_of_it || !*is_of_it) differs.clear();  // exchanged: it is another one's digest, and its own is gone for good
    // Opened before it took the place of the one whose digest this is, which goes first: the next use has its own.
    if (!differs.empty() && !is_still_noted(ports.storage, directory, **noted)) return false;
  }
  segment->note_headers_compared();
  if (differs.empty()) return false;
  logger()->error("{} is not as its digest says: {}", segment->path(), differs);
  const DamagedRange all{.from = segment->base(),
                         .end = list[index + 1]->base(),
                         .file = segment->file_name(),
                         .position = 0,
                         .bytes = segment->size()};
  const std::lock_guard lock(trimmed_mutex);  // compaction puts another in its place
  const std::shared_ptr<const Segments> now = segments.snapshot();
  return std::ranges::find(*now, segment) == now->end() || note_damage(*segment, std::optional{all});
}

/// Of all that begin below `end`.
bool PartitionLog::Parts::finds_rotten_headers(const Segments& list, Offset end) {
  bool found = false;
  for (std::size_t i = 0; options.gaps && i < list.size() && list[i]->base() < end; ++i) {
    found = finds_rotten_headers(list, i) || found;
  }
  return found;
}

/// What reads have found is known to the next opening, which may look at the tails alone; and what is gone is not.
Result<void> PartitionLog::Parts::keep_damage() {
  const std::shared_ptr<const DamageList> known = damage.get();
  const DamageList list = known == nullptr ? DamageList{} : known->proved();
  if (list == damage_on_disk) return {};
  if (Result<void> written = list.write(ports.storage, directory); !written) return written;
  damage_on_disk = list;
  return {};
}

}  // namespace lungo
