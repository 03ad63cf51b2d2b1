#include "client/owner_note.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <lungo/log/text.hpp>

namespace lungo {

namespace {

constexpr std::string_view kName = "lungo";
constexpr int kMajor = 1;
constexpr std::string_view kNothing = "-";

bool is_plain(char c) { return c > 0x20 && c < 0x7f && c != '%'; }

void append_escaped(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

std::string format_field(const std::string& field) {
  if (field.empty()) return std::string(kNothing);
  std::string out;
  for (const char c : field) {
    if (is_plain(c) && field != kNothing) {
      out += c;
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

/// Nothing for what format_field() never writes.
std::optional<std::string> parse_field(std::string_view text) {
  if (text == kNothing) return std::string();
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const auto byte = parse_number<unsigned char>(text.substr(i + 1, 2), 16);
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
    i += 2;
  }
  if (format_field(out) != text) return std::nullopt;  // one text for each note
  return out;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t space = text.find(' ');
    out.push_back(text.substr(0, space));
    if (space == std::string_view::npos) return out;
    text.remove_prefix(space + 1);
  }
}

Error not_a_note(std::string_view text) {
  constexpr std::size_t kShown = 64;
  std::string shown;
  for (const char c : text.substr(0, kShown)) shown += is_plain(c) || c == ' ' ? c : '?';
  return Error{Errc::corrupt,
               "'" + shown + (text.size() > kShown ? "...'" : "'") + " is no owner's note: who wrote it is no Lungo"};
}

}  // namespace

Result<std::string> format_owner_note(const OwnerNote& note) {
  std::string text = std::string(kName) + std::to_string(kMajor);
  for (const std::string* field : {&note.member, &note.transactional_id, &note.endpoint}) text += " " + format_field(*field);
  if (text.size() > kOwnerNoteBytesMax) {
    return Error{Errc::too_large, "the owner's note of member '" + note.member + "' has " + std::to_string(text.size()) +
                                      " bytes, a group takes " + std::to_string(kOwnerNoteBytesMax)};
  }
  return text;
}

Result<OwnerNote> parse_owner_note(std::string_view text) {
  const std::vector<std::string_view> parts = words(text);
  if (!parts[0].starts_with(kName)) return not_a_note(text);
  const auto major = parse_number<int>(parts[0].substr(kName.size()));
  if (!major || *major < 1) return not_a_note(text);
  if (*major > kMajor) {
    return Error{Errc::newer_format, "the owner's note is of version " + std::to_string(*major) + ", this one reads up to " +
                                         std::to_string(kMajor) + ": a newer Lungo writes to these topics"};
  }
  if (parts.size() < 4) return not_a_note(text);
  std::vector<std::string> fields;
  for (std::size_t i = 1; i < 4; ++i) {
    std::optional<std::string> field = parse_field(parts[i]);
    if (!field) return not_a_note(text);
    fields.push_back(*std::move(field));
  }
  return OwnerNote{.member = fields[0], .transactional_id = fields[1], .endpoint = fields[2]};
}

}  // namespace lungo
