#include "base/property_file.hpp"

#include <cstdio>

#include <lungo/log/text.hpp>

#include "base/crc32c.hpp"

namespace lungo {

namespace {

constexpr std::string_view kCrcKey = "crc32c=";

std::string crc_line(std::string_view covered) {
  char text[32];
  const int size = std::snprintf(text, sizeof text, "%s%08x\n", kCrcKey.data(), crc32c(as_bytes(covered)));
  return std::string(text, static_cast<std::size_t>(size));
}

Error damaged(const std::string& path, std::string_view what) { return Error{Errc::corrupt, path + ": " + std::string(what)}; }

/// Takes the first line off `rest`, without its line break; an empty view with `rest` untouched when there is none.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

/// Checks "lungo-KIND MAJOR". A newer version is told apart before the CRC: it may be computed otherwise there.
Result<void> check_first_line(std::string_view line, std::string_view kind, int major, const std::string& path) {
  const std::string magic = "lungo-" + std::string(kind) + " ";
  if (!line.starts_with(magic)) return damaged(path, "does not begin with \"" + magic + "\"");
  const std::optional<int> found = parse_number<int>(line.substr(magic.size()));
  if (!found) return damaged(path, "has no version in its first line");
  if (*found > major) {
    return Error{Errc::newer_format,
                 path + " has version " + std::to_string(*found) + ", this Lungo reads up to version " + std::to_string(major)};
  }
  return {};
}

}  // namespace

std::string format_property_file(std::string_view kind, int major, const Properties& properties) {
  std::string text = "lungo-" + std::string(kind) + " " + std::to_string(major) + "\n";
  for (const Property& property : properties) text += property.key + "=" + property.value + "\n";
  return text + crc_line(text);
}

Result<Properties> parse_property_file(std::string_view kind, int major, const std::string& path, BytesView bytes) {
  const std::string_view text = as_text(bytes);
  std::string_view rest = text;
  if (Result<void> checked = check_first_line(take_line(rest), kind, major, path); !checked) return checked.error();

  Properties properties;
  while (!rest.empty() && !rest.starts_with(kCrcKey)) {
    const std::string_view line = take_line(rest);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return damaged(path, "has a line without '='");
    properties.push_back({std::string(line.substr(0, equals)), std::string(line.substr(equals + 1))});
  }
  const std::string_view covered = text.substr(0, text.size() - rest.size());
  if (rest != crc_line(covered)) return damaged(path, "its checksum does not match its contents");
  return properties;
}

Result<std::int64_t> number_of(const Property& property, const std::string& path) {
  const std::optional<std::int64_t> number = parse_number<std::int64_t>(property.value);
  if (!number) return damaged(path, property.key + " is not a number: " + property.value);
  return *number;
}

}  // namespace lungo
