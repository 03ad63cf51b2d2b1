// `lungo.cleaned`: how far the partitions of compacted topics are compacted.
//
// A property file (base/property_file.hpp) of kind "cleaned", version 1, with a line for each such partition:
//
//   lungo-cleaned 1
//   partition=prices-0 4100 4100
//   crc32c=...
//
// Behind the name stand where the last round ended, and where the first round behind the next opening begins: the base of the
// first segment with damage that rounds have passed, which may be mended by then and whose tombstones must not go before what
// they hide; or else the same. Kafka's `cleaner-offset-checkpoint` has the first to tell Kafka's programs, and is not read: it
// has no checksum, and tombstones of what a round takes for compacted go.
#pragma once

#include <map>
#include <string>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

inline constexpr std::string_view kCleanedEndsFile = "lungo.cleaned";
inline constexpr std::string_view kKafkaCleanedEndsFile = "cleaner-offset-checkpoint";

struct CleanedEnd {
  Offset end;    // below it each key has one record, but for segments with damage
  Offset again;  // at most `end`
  friend bool operator==(const CleanedEnd&, const CleanedEnd&) = default;
};
using CleanedEnds = std::map<TopicPartition, CleanedEnd>;

std::string format_cleaned_ends(const CleanedEnds& ends);

/// Errors: corrupt, newer_format.
Result<CleanedEnds> parse_cleaned_ends(const std::string& path, BytesView bytes);

}  // namespace lungo
