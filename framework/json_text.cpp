#include "json_text.hpp"

#include <array>
#include <chrono>

#include <lungo/log/text.hpp>

namespace lungo::detail {
namespace {

constexpr std::int64_t kYear0 = -62'167'219'200;      // seconds of 0000-01-01T00:00:00Z
constexpr std::int64_t kYear10000 = 253'402'300'800;  // seconds of 10000-01-01T00:00:00Z

// Digits behind the decimal point of a second, or nothing for a tick that has no such form.
std::optional<int> fraction_digits(std::uint64_t num, std::uint64_t den) {
  if (num != 1) return {};
  switch (den) {
    case 1:
      return 0;
    case 1'000:
      return 3;
    case 1'000'000:
      return 6;
    case 1'000'000'000:
      return 9;
    default:
      return {};
  }
}

// `count` digits from `at` on, moving `at` behind them; -1 if there is something else.
int take_digits(std::string_view text, std::size_t& at, std::size_t count) {
  int value = 0;
  for (std::size_t i = 0; i < count; ++i, ++at) {
    if (at >= text.size() || text[at] < '0' || text[at] > '9') return -1;
    value = value * 10 + (text[at] - '0');
  }
  return value;
}

// `value` with zeros in front, `width` digits in all.
void put_digits(std::string& out, std::int64_t value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<std::size_t>(width) - digits.size(), '0');
  out += digits;
}

}  // namespace

std::optional<std::string> text_from_base64(std::string_view base64) {
  const std::optional<Bytes> bytes = from_base64(base64, Base64::standard);
  return bytes ? std::optional{std::string(as_text(*bytes))} : std::nullopt;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    std::uint32_t code = lead & (0x3fu >> more);
    for (int i = 0; i < more; ++i) {
      if (at == text.size()) return false;
      const auto next = static_cast<unsigned char>(text[at++]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3fu);
    }
    constexpr std::array<std::uint32_t, 4> kSmallest{0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[static_cast<std::size_t>(more)] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

std::optional<std::string> to_iso8601(std::int64_t ticks, std::uint64_t num, std::uint64_t den) {
  namespace chrono = std::chrono;
  const std::optional<int> digits = fraction_digits(num, den);
  if (!digits) return {};
  const auto per_second = static_cast<std::int64_t>(den);
  const std::int64_t fraction = (ticks % per_second + per_second) % per_second;
  const std::int64_t seconds = ticks / per_second - (ticks % per_second < 0 ? 1 : 0);
  if (seconds < kYear0 || seconds >= kYear10000) return {};
  const chrono::sys_seconds time{chrono::seconds{seconds}};
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss clock{time - day};
  std::string text;
  put_digits(text, static_cast<int>(date.year()), 4);
  put_digits(text += '-', static_cast<unsigned>(date.month()), 2);
  put_digits(text += '-', static_cast<unsigned>(date.day()), 2);
  put_digits(text += 'T', clock.hours().count(), 2);
  put_digits(text += ':', clock.minutes().count(), 2);
  put_digits(text += ':', clock.seconds().count(), 2);
  if (*digits > 0) put_digits(text += '.', fraction, *digits);
  return text + "Z";
}

std::optional<std::int64_t> from_iso8601(std::string_view text, std::uint64_t num, std::uint64_t den) {
  namespace chrono = std::chrono;
  const std::optional<int> digits = fraction_digits(num, den);
  if (!digits) return {};
  std::size_t at = 0;
  const auto skip = [&](char c) { return at < text.size() && text[at] == c && (++at, true); };
  const int year = take_digits(text, at, 4);
  const int month = skip('-') ? take_digits(text, at, 2) : -1;
  const int day = skip('-') ? take_digits(text, at, 2) : -1;
  const int hour = skip('T') ? take_digits(text, at, 2) : -1;
  const int minute = skip(':') ? take_digits(text, at, 2) : -1;
  const int second = skip(':') ? take_digits(text, at, 2) : -1;
  if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return {};
  std::int64_t fraction = 0;
  if (skip('.')) {
    std::int64_t unit = static_cast<std::int64_t>(den);
    const std::size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      if (unit % 10 != 0) return {};  // finer than a tick
      unit /= 10;
      fraction += unit * (text[at] - '0');
    }
    if (at == first) return {};
  }
  if (!skip('Z') || at != text.size()) return {};
  const chrono::year_month_day date{chrono::year{year}, chrono::month{static_cast<unsigned>(month)},
                                    chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return {};
  const std::int64_t seconds =
      (chrono::sys_days{date} + chrono::hours{hour} + chrono::minutes{minute} + chrono::seconds{second})
          .time_since_epoch()
          .count();
  // Towards zero, so that the last second before the smallest time does not overflow on its way.
  const bool borrow = seconds < 0 && fraction > 0;
  std::int64_t ticks = 0;
  if (__builtin_mul_overflow(borrow ? seconds + 1 : seconds, static_cast<std::int64_t>(den), &ticks)) return {};
  if (__builtin_add_overflow(ticks, borrow ? fraction - static_cast<std::int64_t>(den) : fraction, &ticks)) return {};
  return ticks;
}

}  // namespace lungo::detail
