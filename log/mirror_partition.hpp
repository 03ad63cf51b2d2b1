// One partition of a mirror, as it is found: opened as far as it holds, and what stands at its end.
//
// Threads: those of PartitionLog's owner.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <lungo/log/partition_log.hpp>
#include <lungo/log/record_proof.hpp>

namespace lungo {

/// Opens it; a directory without records begins at options.start. Errors: corrupt, also where what is there can't be gone on
/// with, as it ends in damage; others as PartitionLog::open().
Result<std::unique_ptr<PartitionLog>> open_mirrored(Ports ports, const std::string& directory, const PartitionOptions& options,
                                                    std::optional<CleanEnd> clean, Offset recovery_point);

/// The highest end of a batch at or below `offset`, and below all damage; nothing when there is none above the start. Errors:
/// corrupt, io.
Result<std::optional<Offset>> border_below(PartitionLog& log, Offset offset);

/// Errors: corrupt, io.
Result<std::optional<RecordProof>> last_record_of(PartitionLog& log);

}  // namespace lungo
