// Property files (base/property_file.hpp) that say something of each partition: a line `partition=TOPIC-PARTITION ...` for
// each.
#pragma once

#include <optional>
#include <string>

#include "base/property_file.hpp"

namespace lungo {

/// `parse_line` takes what stands behind "partition=" and returns a partition and its value, or nothing. Lines with other keys
/// are passed over. Errors: corrupt, also for a partition that is named twice; newer_format.
template <class Map, class ParseLine>
Result<Map> parse_partition_lines(std::string_view kind, int major, const std::string& path, BytesView bytes,
                                  ParseLine parse_line) {
  const Result<Properties> properties = parse_property_file(kind, major, path, bytes);
  if (!properties) return properties.error();
  Map map;
  for (const Property& property : *properties) {
    if (property.key != "partition") continue;
    std::optional<typename Map::value_type> entry = parse_line(property.value);
    if (!entry) return Error{Errc::corrupt, path + ": partition=" + property.value + " can't be"};
    if (!map.insert(std::move(*entry)).second)
      return Error{Errc::corrupt, path + " names a partition twice: " + property.value};
  }
  return map;
}

}  // namespace lungo
