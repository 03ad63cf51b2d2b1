// Numbers and bytes as text, for file formats, ids and what tools print. For every folder.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/bytes.hpp>

namespace lungo {

/// Takes a number off the front of `text`; nothing, and `text` stays, where there is none or it does not fit.
template <std::integral Number>
std::optional<Number> take_number(std::string_view& text, int base = 10) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (failed != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// The number that `text` is; nothing where something else stands before or behind it.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  const std::optional<Number> number = take_number<Number>(text, base);
  return text.empty() ? number : std::nullopt;
}

/// Two lower-case digits a byte.
std::string to_hex(BytesView bytes);

enum class Base64 {
  standard,  // RFC 4648 section 4, with "=" at the end
  url,       // section 5, "-" and "_", without "="
};

std::string to_base64(BytesView bytes, Base64 form);
/// Nothing for what to_base64() never writes.
std::optional<Bytes> from_base64(std::string_view text, Base64 form);

}  // namespace lungo
