#include "stream_run_files.hpp"

#include <algorithm>

#include "segment.hpp"

namespace lungo {

std::string to_file_name(const StreamRunName& name) {
  return segment_file_name(name.begin, "-") + segment_file_name(name.end, kStreamsSuffix);
}

std::optional<StreamRunName> stream_run_name(std::string_view file_name) {
  const std::size_t dash = file_name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::optional<Offset> begin = segment_base(file_name.substr(0, dash + 1), "-");
  const std::optional<Offset> end = segment_base(file_name.substr(dash + 1), kStreamsSuffix);
  if (!begin || !end || *end <= *begin) return std::nullopt;
  return StreamRunName{*begin, *end};
}

Result<std::vector<StreamRunName>> list_stream_runs(Storage& storage, const std::string& directory) {
  std::vector<StreamRunName> names;
  const Result<std::vector<DirEntry>> entries = storage.list(directory);
  if (!entries) return entries.error() == Errc::not_found ? Result<std::vector<StreamRunName>>{names} : entries.error();
  for (const DirEntry& entry : *entries) {
    if (const std::optional<StreamRunName> name = stream_run_name(entry.name)) names.push_back(*name);
  }
  std::ranges::stable_sort(names,
                           [](const StreamRunName& a, const StreamRunName& b) { return a.end - a.begin > b.end - b.begin; });
  return names;
}

}  // namespace lungo
