// The codecs of a batch, by Kafka's numbers and names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lungo {

/// Bits 0 to 2 of a batch's attributes.
enum class Compression : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

/// "none", "gzip", "snappy", "lz4" or "zstd": the values of Kafka's `compression.type`. Of another number "unknown".
std::string_view to_string(Compression codec);
/// Nothing for any other name.
std::optional<Compression> parse_compression(std::string_view name);

}  // namespace lungo
