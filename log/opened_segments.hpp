// Which segments of a partition an opening finds, and opens.
//
// A writer finishes what a crash has interrupted, and removes what is no part of the log any more; a reader changes nothing.
#pragma once

#include <string>

#include <lungo/log/partition_log.hpp>

#include "damage.hpp"
#include "segment_list.hpp"

namespace lungo {

/// Ascending; `known` is what was lost of them before. Of those below the start only the last is opened; a writer removes the
/// others. Errors: corrupt; not_found beside a writer that goes on exchanging them; no_space, io.
Result<Segments> open_segments(Storage& storage, const std::string& directory, const PartitionOptions& options,
                               const DamageList& known);

}  // namespace lungo
