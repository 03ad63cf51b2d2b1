// PartitionLog at its old end: the start moves up, segments below it go, and a new one begins by age.

#include <algorithm>
#include <iterator>
#include <limits>

#include "partition_parts.hpp"
#include "segment_directory.hpp"

namespace lungo {

namespace {

constexpr std::size_t kSegmentsPerStep = 16;

}  // namespace

// The snapshot at the base of the first segment that stays has to be durable, so no roll may come at `start` once it is told.
Result<bool> PartitionLog::keep_producers(Offset start) {
  if (const std::optional<Error> refusal = parts_->refusal()) return *refusal;
  if (!parts_->producers.has_any()) return false;
  if (start >= written_end()) {
    if (Result<void> rolled = roll(); !rolled) return rolled.error();
  }
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  const std::size_t first_kept = segment_index(*list, start).value_or(0);
  if (Result<void> kept = parts_->producers.keep(*list, first_kept, parts_->ports.clock.now()); !kept) return kept.error();
  return true;
}

Result<void> PartitionLog::set_start(Offset start) {
  // Where writes are refused since the opening, what is lost can be given up: the next one may know the end by the start.
  const bool can_be_given_up = parts_->opening_refusal && !parts_->unreadable && !parts_->options.read_only;
  const std::optional<Error> refusal = parts_->refusal();
  if (refusal && !can_be_given_up) return *refusal;
  if (start <= this->start()) return {};
  if (start > synced_end()) {
    return Error{Errc::invalid_argument, parts_->directory + " can't start at offset " + std::to_string(start.value()) +
                                             ", it is synced up to " + std::to_string(synced_end().value())};
  }
  parts_->trim(start);
  return {};
}

/// Readers take the list first and look at the start then: what is missing from a list lies below the start that they find.
void PartitionLog::Parts::trim(Offset new_start) {
  start.store(new_start.value(), std::memory_order_release);
  damage.keep(new_start, Offset{std::numeric_limits<std::int64_t>::max()});
  const std::lock_guard lock(trimmed_mutex);  // over both: compaction takes a base off this list that is one's in the other
  const Segments removed = segments.remove_below(new_start);
  if (removed.empty()) return;
  if (!options.read_only) {
    std::ranges::transform(removed, std::back_inserter(trimmed), [](const auto& segment) { return segment->base(); });
  }
  epochs.trim_front(segments.snapshot()->front()->base());
  if (streams) streams->note_start();
}

Result<bool> PartitionLog::remove_trimmed() {
  Parts& parts = *parts_;
  const std::lock_guard lock(parts.removing);
  if (const std::optional<Error> failure = parts.failure.get()) return *failure;
  for (; !parts.set_aside.empty(); parts.set_aside.pop_back()) {
    const Result<void> removed = parts.ports.storage.remove(parts.set_aside.back());
    if (!removed && removed.error() != Errc::not_found) return removed.error();
  }
  std::vector<Offset> bases;
  {
    const std::lock_guard trimmed(parts.trimmed_mutex);
    const auto end = parts.trimmed.begin() + static_cast<std::ptrdiff_t>(std::min(parts.trimmed.size(), kSegmentsPerStep));
    bases.assign(parts.trimmed.begin(), end);
  }
  if (bases.empty()) return false;
  // First the name of the segment that follows: a power cut must not keep the removals and lose that, and with it the end.
  if (const Result<Offset> synced = sync(); !synced) return synced.error();
  for (const Offset base : bases) {
    Result<void> aside = set_segment_aside(parts.ports.storage, parts.directory, base, parts.set_aside);
    if (!aside) return aside.error();  // a later step tries again
    const std::lock_guard trimmed(parts.trimmed_mutex);
    std::erase(parts.trimmed, base);
  }
  if (Result<void> durable = parts.ports.storage.sync_directory(parts.directory); !durable) return durable.error();
  return true;
}

bool PartitionLog::try_refuse(const Error& cause) {
  const std::unique_lock removing(parts_->removing, std::try_to_lock);
  if (!removing) return false;
  {
    const std::unique_lock turn(parts_->sync_turn, std::try_to_lock);
    if (!turn) return false;
    parts_->failure.set(cause);
  }
  return !parts_->streams || parts_->streams->try_stop();
}

Result<void> PartitionLog::roll() {
  if (const std::optional<Error> refusal = parts_->refusal()) return *refusal;
  if (parts_->active->size() == 0) return {};
  return parts_->roll(written_end());
}

void PartitionLog::change(std::uint64_t segment_bytes, TimestampKind timestamps, std::chrono::milliseconds producer_expiry) {
  parts_->segment_bytes = segment_bytes;
  parts_->timestamps = timestamps;
  parts_->producers.set_expiry(producer_expiry);
}

std::vector<SegmentFacts> PartitionLog::segments() const {
  const std::shared_ptr<const Segments> list = parts_->segments.snapshot();
  std::vector<SegmentFacts> facts;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Segment& segment = *(*list)[i];
    facts.push_back({.base = segment.base(),
                     .end = i + 1 < list->size() ? (*list)[i + 1]->base() : written_end(),
                     .bytes = segment.size(),
                     .newest = segment.largest_time()});
  }
  return facts;
}

Result<std::optional<Timestamp>> PartitionLog::active_since() const { return parts_->active->first_time(); }

void PartitionLog::follow_start(Offset start) {
  if (!parts_->options.read_only || start <= this->start()) return;
  const std::lock_guard turn(parts_->sync_turn);  // as refresh()
  if (start > this->start() && start <= written_end()) parts_->trim(start);
}

// ---- what a segment knows of its age ----

std::optional<Timestamp> Segment::largest_time() const {
  if (!largest_time_) return std::nullopt;
  return Timestamp{std::chrono::milliseconds{largest_time_->timestamp}};
}

Result<std::optional<Timestamp>> Segment::first_time() const {
  const Result<std::optional<ScannedBatch>> first = scanner(BatchScanner::Depth::headers, {0, base_}).next();
  if (!first) return first.error();
  return *first ? std::optional{(*first)->header.max_timestamp} : std::nullopt;
}

}  // namespace lungo
