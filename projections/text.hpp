// Text forms that messages and the replay tool share: hexadecimal bytes, UTF-8, times; and comparing cells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/projections/state_store.hpp>

namespace lungo {

std::string hex_text(BytesView bytes);
/// The bytes that hexadecimal digits stand for, as far as they are digits.
std::string bytes_of_hex(std::string_view text);

/// The first character of a text that is not empty.
struct Utf8Char {
  bool is_valid = false;  // otherwise its first byte begins no UTF-8: no overlong form, surrogate or code above U+10FFFF
  std::uint32_t code = 0;
  std::size_t bytes = 1;
};
Utf8Char first_of_utf8(std::string_view text);

/// "2024-05-01T12:00:00.000Z"
std::string time_text(Timestamp time);
/// "2024-05-01", "2024-05-01T12:00", "2024-05-01T12:00:00", "2024-05-01T12:00:00.5", each with or without "Z", always UTC; or
/// milliseconds since 1970. Nothing for other text.
std::optional<Timestamp> parse_time(const std::string& text);

bool same_cell(const Cell& a, const Cell& b);

}  // namespace lungo
