#include "model/funnel_file.hpp"

#include <lungo/log/text.hpp>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::string_view kFormat = "tracker-funnel ";
constexpr int kVersion = 1;
constexpr std::uint64_t kBytesMax = 1u << 20;

std::string path_in(const std::string& data) { return data + "/tracker-funnel"; }

}  // namespace

Result<std::optional<std::string>> load_funnel(lungo::Storage& storage, const std::string& data) {
  const std::string path = path_in(data);
  const Result<lungo::Bytes> bytes = lungo::read_file(storage, path, kBytesMax);
  if (!bytes && bytes.error().code() == Errc::not_found) return std::optional<std::string>{};
  if (!bytes) return bytes.error();
  const Error damaged{Errc::corrupt,
                      path +
                          " is damaged: there should be a line \"tracker-funnel 1\" and a line of steps. Give the steps again "
                          "with --funnel, or delete the file to go back to those built in"};
  std::string_view text = lungo::as_text(*bytes);
  if (!text.starts_with(kFormat)) return damaged;
  text.remove_prefix(kFormat.size());
  const std::optional<int> version = lungo::take_number<int>(text);
  if (version && *version > kVersion) {
    return Error{Errc::newer_format, path + " has version " + std::to_string(*version) +
                                         ", this web tracker reads up to version " + std::to_string(kVersion)};
  }
  if (version != kVersion || !text.starts_with('\n') || text.size() < 3 || text.find('\n', 1) != text.size() - 1)
    return damaged;
  return std::optional{std::string{text.substr(1, text.size() - 2)}};
}

Result<void> save_funnel(lungo::Storage& storage, const std::string& data, const std::string& steps) {
  const std::string text = std::string{kFormat} + std::to_string(kVersion) + "\n" + steps + "\n";
  return lungo::write_file_atomically(storage, path_in(data), lungo::as_bytes(text));
}

}  // namespace tracker
