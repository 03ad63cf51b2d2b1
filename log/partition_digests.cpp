// PartitionLog: digests of its sealed segments.

#include "partition_parts.hpp"
#include "segment_digest.hpp"

namespace lungo {

namespace {

constexpr std::uint64_t kBytesPerStep = 1u << 20;
constexpr int kLooksPerStep = 16;

}  // namespace

bool PartitionLog::digests_due() const { return parts_->digests_due.load(std::memory_order_acquire); }

Result<std::optional<std::uint64_t>> PartitionLog::keep_digests() {
  constexpr std::optional<std::uint64_t> kNothing;
  Parts& parts = *parts_;
  const std::lock_guard lock(parts.removing);
  if (parts.options.read_only || parts.failure.get()) {
    parts.digests_due = false;
    return kNothing;
  }
  parts.digests_due.store(false, std::memory_order_release);  // a roll meanwhile sets it again
  const std::shared_ptr<const Segments> list = parts.segments.snapshot();
  const Result<SegmentPass*> pass =
      parts.digests.next(parts.ports.storage, parts.directory, *list, parts.synced_names(), kLooksPerStep);
  if (!pass || *pass == nullptr) {
    if (!parts.digests.all_seen()) parts.digests_due.store(true, std::memory_order_release);
    if (!pass) return pass.error();
    // Nothing waits for a sync, so what ended the step is the number of its looks: to go on at once.
    const bool has_looked_enough = !parts.digests.all_seen() && list->back()->base() <= parts.synced_names();
    return has_looked_enough ? std::optional<std::uint64_t>{0} : kNothing;
  }
  parts.digests_due.store(true, std::memory_order_release);
  SegmentPass& under_way = **pass;
  const std::uint64_t begin = under_way.position();
  const Result<bool> stepped = under_way.step(kBytesPerStep);
  const std::uint64_t read = under_way.depth() == BatchScanner::Depth::headers ? 0 : under_way.position() - begin;
  if (stepped && !*stepped) return std::optional{read};
  Result<void> done;
  if (!stepped && stepped.error() == Errc::corrupt) {
    static_cast<void>(parts.note_damage({under_way.segment(), under_way.at(), under_way.at().next()}));
  } else if (!stepped) {
    done = stepped.error();
  } else if (under_way.segment()->damage() == nullptr) {
    under_way.segment()->give_back_room();  // that a crash may have left
    done = write_digest(parts.ports.storage, parts.directory, under_way.digest());
  }
  parts.digests.done();
  return done ? Result<std::optional<std::uint64_t>>{std::optional{read}} : done.error();
}

/// The base of the newest segment whose name is on disk: a sync that passes a segment's base syncs the directory.
Offset PartitionLog::Parts::synced_names() const {
  const Offset synced{synced_end.load(std::memory_order_acquire)};
  return names_changed.load(std::memory_order_acquire) ? synced.plus(-1) : synced;
}

}  // namespace lungo
