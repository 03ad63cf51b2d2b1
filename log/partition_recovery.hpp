// Opening a partition's directory: what is there, what is whole, what to cut and what to keep as a hole.
//
// The rule (docs/internals/recovery.md): bytes that were promised are never cut. `proven` is the largest offset known to have
// been synced: the caller's recovery point and start, the clean-stop marker, or the partition's own mark (synced_mark.hpp).
//   - A segment that ends at or below the recovery point is trusted: only its tail is looked at.
//   - Every other is read and verified in full, and its indexes are made anew.
//   - Damage at or above `proven` is a torn tail: the log is cut at the last whole batch, later segments are removed.
//   - Damage below `proven`, or a log that ends below it, is a hole (damage.hpp): the bytes stay as they are, and the scan goes
//   on
//     behind it. One that reaches up to the end leaves open where that was; nothing is written then, unless the clean-stop
//     marker or the start knows.
//   - Segments wholly below the start are deleted ones, whatever is left of them: they go first.
//   - A directory without a mark (made by Kafka, or with files lost) proves nothing: there, damage that whole batches with
//     continuing offsets follow is a hole too.
// Opening is idempotent: a crash inside it leaves a directory that opens the same way.
#pragma once

#include <optional>
#include <string>

#include <lungo/log/partition_log.hpp>

#include "damage.hpp"
#include "epoch_history.hpp"
#include "segment_list.hpp"

namespace lungo {

struct RecoveredLog {
  Segments segments;  // at least one, unless opened read-only before anything was written
  Offset begin;       // of the first segment, or of what is lost in front of it
  Offset end;
  std::uint32_t last_batch_crc = 0;  // 0: no batch
  bool has_producers = false;        // a batch of one was read
  DamageList damage;                 // on disk, where the log is to be written
  bool ends_in_damage = false;       // behind the last segment's last whole batch
  bool last_is_sealed = false;       // compaction has written the last segment: what comes next lies in another
  std::optional<Error> refusal;      // why nothing may be written
  RecoveryReport report;
};

/// Errors: corrupt, where what is there can't be brought into an order; newer_format, no_space, io.
Result<RecoveredLog> recover_partition(Storage& storage, const std::string& directory, const PartitionOptions& options,
                                       std::optional<CleanEnd> clean, Offset recovery_point, EpochHistory& epochs);

}  // namespace lungo
