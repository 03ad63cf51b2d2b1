// `lungo.starts`: where the partitions begin whose oldest records were deleted.
//
// A property file (base/property_file.hpp) of kind "starts", version 1, with a line for each such partition:
//
//   lungo-starts 1
//   partition=events-0 105
//   crc32c=...
//
// Kafka's `log-start-offset-checkpoint` says the same to Kafka's programs. It has no checksum, and files are removed by what a
// start says: it counts only where there is no such file of ours.
#pragma once

#include <string>

#include "checkpoint_file.hpp"

namespace lungo {

inline constexpr std::string_view kLogStartsFile = "lungo.starts";

std::string format_log_starts(const OffsetsByPartition& starts);

/// Errors: corrupt, newer_format.
Result<OffsetsByPartition> parse_log_starts(const std::string& path, BytesView bytes);

}  // namespace lungo
