// Kafka's checkpoint files: an offset per partition, e.g. `recovery-point-offset-checkpoint`.
//
//   file = "0\n" count "\n" (topic " " partition " " offset "\n")*          (source: Kafka's OffsetCheckpointFile)
#pragma once

#include <map>
#include <string>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/storage.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

using OffsetsByPartition = std::map<TopicPartition, Offset>;

std::string format_checkpoint(const OffsetsByPartition& offsets);

/// Errors: corrupt; newer_format for a version above 0.
Result<OffsetsByPartition> parse_checkpoint(const std::string& path, BytesView bytes);

/// What the file says; nothing where there is none. Errors: corrupt; newer_format; io.
Result<OffsetsByPartition> read_checkpoint(Storage& storage, const std::string& path);

}  // namespace lungo
