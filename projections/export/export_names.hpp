// Names at an export's target: which file has which events. docs/decisions/0008 has their grammar in section B.
//
//   clicks/hourly/2026/11/28/14/clicks.3.00000000000000000120-00000000000000000499.json.gz
//
// Promise: no topic's name leads out of its folder, or into another one's; a name that is taken apart is one that is put
// together to the same, and nothing else is taken apart. A name has at most 255 bytes. Pure. Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/types.hpp>

namespace lungo::exporting {

/// Offsets of one partition that were committed together, not none.
struct Span {
  PartitionId partition;
  Offset first;
  Offset end;
  friend auto operator<=>(const Span&, const Span&) = default;
};

struct FileName {
  Span span;
  std::string extension;  // "json.gz"
  friend bool operator==(const FileName&, const FileName&) = default;
};

/// A topic's folder: its name, with a '%' in front where that would hide it.
std::string folder_of(std::string_view topic);
/// The other way; nothing for what is no topic's.
std::optional<std::string> topic_of(std::string_view folder);

/// `extension` is one of is_extension().
std::string to_string(std::string_view topic, const FileName& file);
/// Of a file in the topic's folder; nothing for one that is not ours.
std::optional<FileName> parse_file_name(std::string_view topic, std::string_view name);
/// Of files that an export makes.
bool is_extension(std::string_view extension);

}  // namespace lungo::exporting
