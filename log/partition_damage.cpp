// PartitionLog and what is lost of it: what reads have found, and logs that can't be opened at all.

#include <algorithm>

#include "base/logger.hpp"
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
  const SearchLimits limits{.base_max = limit, .gaps_below = options.gaps ? kGapsAnywhere : kNoGaps, .is_sealed = is_sealed};
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

/// What reads have found is known to the next opening, which may look at the tails alone; and what is gone is not.
Result<void> PartitionLog::Parts::keep_damage() {
  const std::shared_ptr<const DamageList> known = damage.get();
  const DamageList list = known == nullptr ? DamageList{} : *known;
  if (list == damage_on_disk) return {};
  if (Result<void> written = list.write(ports.storage, directory); !written) return written;
  damage_on_disk = list;
  return {};
}

}  // namespace lungo
