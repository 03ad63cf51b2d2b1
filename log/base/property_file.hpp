// Small text files of ours: read by people, checked by machines.
//
//   file  = "lungo-" kind " " major "\n" line* "crc32c=" 8 hex digits "\n"
//   line  = key "=" value "\n"            key: [a-z._-]+, value: no line break
//
// Example: "lungo-meta 1\nepoch=7\ncrc32c=5c0ffee5\n". The CRC-32C covers everything in front of its line. Keys may repeat and
// keep their order; readers keep keys that they do not know and refuse a newer major version by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

struct Property {
  std::string key;
  std::string value;
  friend bool operator==(const Property&, const Property&) = default;
};
using Properties = std::vector<Property>;

/// The bytes of a file of `kind` in version `major`.
std::string format_property_file(std::string_view kind, int major, const Properties& properties);

/// The lines of the file, without the first and the last. `path` is for the text of errors.
/// Errors: corrupt (another kind, a line without '=', a wrong or missing CRC); newer_format above `major`.
Result<Properties> parse_property_file(std::string_view kind, int major, const std::string& path, BytesView bytes);

/// The value as a number. Errors: corrupt, naming `path` and the key.
Result<std::int64_t> number_of(const Property& property, const std::string& path);

}  // namespace lungo
