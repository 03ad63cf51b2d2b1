// The names of stream runs in a partition's directory: `BEGIN-END.streams`, two offsets in 20 digits each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/storage.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

inline constexpr std::string_view kStreamsSuffix = ".streams";

/// The offsets [begin, end) that a run covers, as its name says.
struct StreamRunName {
  Offset begin;
  Offset end;
  friend bool operator==(const StreamRunName&, const StreamRunName&) = default;
};

std::string to_file_name(const StreamRunName& name);
/// Nothing when it is no run's name.
std::optional<StreamRunName> stream_run_name(std::string_view file_name);

/// Of all runs in `directory`, the widest first; an absent directory holds none. Errors: io.
Result<std::vector<StreamRunName>> list_stream_runs(Storage& storage, const std::string& directory);

}  // namespace lungo
