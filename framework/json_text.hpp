// Pieces of text that the JSON codec writes and takes back: UTF-8, what is none, times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lungo::detail {

/// What stands before the base64 text of a map's key that is not UTF-8 (a key that begins so itself is treated alike).
inline constexpr std::string_view kRawKeyPrefix{"\0base64:", 8};

/// As from_base64(), for the bytes of a text.
std::optional<std::string> text_from_base64(std::string_view base64);

/// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// "2026-01-31T12:00:00.250Z" for ticks of 1, 1/1000, 1/10^6 or 1/10^9 s in the years 0 to 9999; otherwise nothing.
std::optional<std::string> to_iso8601(std::int64_t ticks, std::uint64_t num, std::uint64_t den);
std::optional<std::int64_t> from_iso8601(std::string_view text, std::uint64_t num, std::uint64_t den);

}  // namespace lungo::detail
