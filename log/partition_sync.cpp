// PartitionLog's way to the disk: what a sync covers, in which order, and what a failed one means.

#include <new>

#include "partition_parts.hpp"

namespace lungo {

Result<Offset> PartitionLog::sync() {
  Parts& parts = *parts_;
  if (parts.options.read_only) return synced_end();
  const std::lock_guard turn(parts.sync_turn);
  // Read under the turn: while we waited another thread may have synced more than was written when we came.
  const std::uint64_t bytes = parts.written_bytes.load(std::memory_order_acquire);
  const Offset target = written_end();
  Result<void> done;
  try {
    if (const std::optional<Error> failure = parts.failure.get()) {
      done = *failure;
    } else if (target > synced_end() || parts.names_changed) {
      done = parts.make_durable(target);
      if (done) {
        parts.synced_bytes.store(bytes, std::memory_order_relaxed);
        parts.synced_end.store(target.value(), std::memory_order_release);
      } else {
        // The page cache may have dropped what it could not write, and a second sync would not say so again.
        done = parts.fail(done.error());
      }
    }
  } catch (const std::bad_alloc&) {  // likewise: what was begun can't be told
    parts.failure.set(parts.out_of_memory);
    done = parts.out_of_memory;
  }
  return done ? Result<Offset>{target} : Result<Offset>{done.error()};
}

// A failure is let pass: opening makes the file anew out of the batches when it does not fit them.
void PartitionLog::Parts::write_changed_epochs() {
  if (!epochs.take_changed()) return;
  const std::string text = EpochHistory::to_text(epochs.entries());
  if (!write_file_atomically(ports.storage, directory + "/" + EpochHistory::kFileName, as_bytes(text))) epochs.keep_changed();
}

Result<void> PartitionLog::Parts::make_durable(Offset target) {
  write_changed_epochs();
  const std::shared_ptr<const Segments> list = segments.snapshot();
  for (const std::shared_ptr<Segment>& segment : *list) {
    if (segment->base() < first_unsynced_segment) continue;
    const bool is_sealed = segment != list->back();
    if (Result<void> synced = segment->sync(is_sealed); !synced) return synced;
  }
  if (Result<void> synced = producers.sync(); !synced) return synced;
  if (names_changed.exchange(false)) {
    if (Result<void> synced = ports.storage.sync_directory(directory); !synced) return synced;
  }
  first_unsynced_segment = list->back()->base();
  mark->note(target);
  return mark->sync_if_due(ports.clock.monotonic());
}

}  // namespace lungo
