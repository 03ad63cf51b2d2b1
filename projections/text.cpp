#include "text.hpp"

#include <algorithm>
#include <cstdio>

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

Utf8Char first_of_utf8(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {true, lead, 1};
  if (lead < 0xc2 || lead > 0xf4) return {};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (text.size() < bytes) return {};
  std::uint32_t code = lead & (0x7fu >> bytes);
  for (std::size_t at = 1; at < bytes; ++at) {
    const auto next = static_cast<unsigned char>(text[at]);
    if ((next & 0xc0) != 0x80) return {};
    code = code << 6 | (next & 0x3fu);
  }
  constexpr std::uint32_t kSmallest[] = {0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes - 2] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {true, code, bytes};
}

std::string time_text(Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<Timestamp> parse_time(const std::string& text) {
  if (text.size() > 8 && text.find_first_not_of("0123456789") == std::string::npos) {
    const std::optional<std::int64_t> millis = parse_number<std::int64_t>(text);
    return millis ? std::optional{Timestamp{std::chrono::milliseconds{*millis}}} : std::nullopt;
  }
  int year = 0, hour = 0, minute = 0, second = 0;
  unsigned month = 0, day = 0;
  // %n tells how far each form reaches: what stands behind it is looked at too, or "+02:00" would pass for UTC.
  int date_end = -1, minute_end = -1, second_end = -1;
  std::sscanf(text.c_str(), "%4d-%2u-%2u%nT%2d:%2d%n:%2d%n", &year, &month, &day, &date_end, &hour, &minute, &minute_end,
              &second, &second_end);
  if (date_end < 0) return std::nullopt;
  std::string_view rest{text};
  rest.remove_prefix(static_cast<std::size_t>(std::max({date_end, minute_end, second_end})));
  int millis = 0;
  if (second_end > 0 && rest.starts_with('.')) {
    rest.remove_prefix(1);
    for (int unit = 100; !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; rest.remove_prefix(1), unit /= 10)
      millis += unit * (rest.front() - '0');
  }
  if (!rest.empty() && rest != "Z") return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
  const bool clock_fits = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
  if (!date.ok() || !clock_fits) return std::nullopt;
  return Timestamp{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second} + std::chrono::milliseconds{millis};
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
