#include "store_list.hpp"

#include <algorithm>
#include <optional>

namespace lungo {
namespace {

constexpr std::string_view kMagic = "lungo-stores ";
constexpr std::string_view kListVersion = "1";
constexpr std::uint64_t kBytesMax = 1u << 20;

/// Cuts the first line off `text`; nothing when it has no end.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

std::string path_in(const std::string& directory) { return directory + '/' + std::string(kStoreListName); }

}  // namespace

Result<std::vector<std::string>> read_store_list(Storage& storage, const std::string& directory) {
  const std::string path = path_in(directory);
  Result<Bytes> bytes = read_file(storage, path, kBytesMax);
  if (!bytes && bytes.error() == Errc::not_found) return std::vector<std::string>{};
  if (!bytes) return bytes.error();
  std::string_view text = as_text(*bytes);
  const std::optional<std::string_view> first = take_line(text);
  if (!first || !first->starts_with(kMagic))
    return Error{Errc::corrupt, path + " is no list of stores: its first line is another"};
  if (first->substr(kMagic.size()) != kListVersion)
    return Error{Errc::newer_format, path + " has version " + std::string(first->substr(kMagic.size())) +
                                         "; this program knows " + std::string(kListVersion)};
  std::vector<std::string> stores;
  while (const std::optional<std::string_view> line = take_line(text)) stores.emplace_back(*line);
  if (!text.empty()) return Error{Errc::corrupt, path + " ends inside a line"};
  return stores;
}

Result<void> add_to_store_list(Storage& storage, const std::string& directory, const std::string& store) {
  Result<std::vector<std::string>> stores = read_store_list(storage, directory);
  if (!stores) return stores.error();
  if (std::find(stores->begin(), stores->end(), store) != stores->end()) return {};
  stores->push_back(store);
  std::string text = std::string(kMagic) + std::string(kListVersion) + '\n';
  for (const std::string& line : *stores) text += line + '\n';
  return write_file_atomically(storage, path_in(directory), as_bytes(text));
}

}  // namespace lungo
