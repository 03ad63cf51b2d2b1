// Opening a partition's directory: what is there, what is whole, what to cut and what to refuse.
//
// The rule (docs/internals/recovery.md): bytes that were promised are never cut. `proven` is the largest offset known to have
// been synced: the caller's recovery point and start, the clean-stop marker, or the partition's own mark (synced_mark.hpp).
//   - A segment that ends at or below the recovery point is trusted: only its tail is looked at.
//   - Every other is read and verified in full, and its indexes are made anew.
//   - Damage at or above `proven` is a torn tail: the log is cut at the last whole batch, later segments are removed.
//   - Damage below `proven`, or a log that ends below it, is corruption: nothing is changed, the error names file and byte.
//   - Segments wholly below the start are deleted ones, whatever is left of them: they go first.
//   - A directory without a mark (made by Kafka, or with files lost) proves nothing: there, damage that whole batches with
//     continuing offsets follow is corruption too.
// Opening is idempotent: a crash inside it leaves a directory that opens the same way.
#pragma once

#include <optional>
#include <string>

#include <lungo/log/partition_log.hpp>

#include "epoch_history.hpp"
#include "segment_list.hpp"

namespace lungo {

struct RecoveredLog {
  Segments segments;  // at least one, unless opened read-only before anything was written
  Offset end;
  std::uint32_t last_batch_crc = 0;  // 0: no batch
  bool has_producers = false;        // a batch of one was read
  RecoveryReport report;
};

/// Errors: corrupt, newer_format, no_space, io.
Result<RecoveredLog> recover_partition(Storage& storage, const std::string& directory, const PartitionOptions& options,
                                       std::optional<CleanEnd> clean, Offset recovery_point, EpochHistory& epochs);

}  // namespace lungo
