// Text forms that messages and the replay tool share: hexadecimal bytes, times; and comparing cells.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/projections/state_store.hpp>

namespace lungo {

std::string hex_text(BytesView bytes);
/// The bytes that hexadecimal digits stand for, as far as they are digits.
std::string bytes_of_hex(std::string_view text);

/// "2024-05-01T12:00:00.000Z"
std::string time_text(Timestamp time);
/// "2024-05-01", "2024-05-01T12:00:00", with or without fraction and "Z"; or milliseconds since 1970. Nothing for other text.
std::optional<Timestamp> parse_time(const std::string& text);

bool same_cell(const Cell& a, const Cell& b);

}  // namespace lungo
