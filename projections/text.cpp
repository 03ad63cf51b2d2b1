#include "text.hpp"

#include <algorithm>

#include <lungo/log/text.hpp>

namespace lungo {

std::string hex_text(BytesView bytes) { return to_hex(bytes); }

std::string bytes_of_hex(std::string_view text) {
  std::string out;
  for (; text.size() >= 2; text.remove_prefix(2)) {
    const std::optional<std::uint8_t> byte = parse_number<std::uint8_t>(text.substr(0, 2), 16);
    if (!byte) break;
    out += static_cast<char>(*byte);
  }
  return out;
}

bool same_cell(const Cell& a, const Cell& b) {
  if (a.index() != b.index()) return false;
  if (const auto* bytes = std::get_if<BytesView>(&a)) {
    const auto& other = std::get<BytesView>(b);
    return std::equal(bytes->begin(), bytes->end(), other.begin(), other.end());
  }
  if (const auto* integer = std::get_if<std::int64_t>(&a)) return *integer == std::get<std::int64_t>(b);
  if (const auto* real = std::get_if<double>(&a)) return *real == std::get<double>(b);
  if (const auto* text = std::get_if<std::string_view>(&a)) return *text == std::get<std::string_view>(b);
  return true;
}

}  // namespace lungo
