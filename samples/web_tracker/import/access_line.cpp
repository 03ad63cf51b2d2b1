#include "import/access_line.hpp"

#include <algorithm>

#include <lungo/log/text.hpp>

namespace tracker {
namespace {

constexpr std::size_t kTimeBytes = 26;  // "17/May/2015:10:05:03 +0000"

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `count` digits at the front of `text` as a number, or -1.
template <std::size_t count>
int digits(const char* text) {
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

unsigned month_number(std::string_view name) {
  constexpr std::array<std::string_view, 12> kNames{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? 0 : static_cast<unsigned>(found - kNames.begin()) + 1;
}

bool parse_time(const char* text, AccessLine& out) {
  if (text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' || text[20] != ' ')
    return false;
  const std::chrono::year_month_day date{std::chrono::year{digits<4>(text + 7)},
                                         std::chrono::month{month_number({text + 3, 3})},
                                         std::chrono::day{static_cast<unsigned>(digits<2>(text))}};
  const int hour = digits<2>(text + 12);
  const int minute = digits<2>(text + 15);
  const int second = digits<2>(text + 18);
  const int zone_hour = digits<2>(text + 22);
  const int zone_minute = digits<2>(text + 24);
  if (digits<4>(text + 7) < 1970 || !date.ok()) return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;  // 60: a leap second
  if ((text[21] != '+' && text[21] != '-') || zone_hour < 0 || zone_hour > 14 || zone_minute < 0 || zone_minute > 59)
    return false;
  const std::chrono::minutes zone = std::chrono::hours{zone_hour} + std::chrono::minutes{zone_minute};
  out.zone = text[21] == '-' ? -zone : zone;
  // A leap second counts as the second before it, or the line would fall on the next day.
  out.time = std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
             std::chrono::seconds{std::min(second, 59)} - out.zone;
  return true;
}

// Position of the quote that closes the string which begins at `begin`, or npos.
std::size_t closing_quote(std::string_view line, std::size_t begin) {
  for (std::size_t quote = line.find('"', begin); quote != line.npos; quote = line.find('"', quote + 1)) {
    std::size_t slashes = 0;
    while (quote - slashes > begin && line[quote - slashes - 1] == '\\') ++slashes;
    if (slashes % 2 == 0) return quote;
  }
  return line.npos;
}

std::size_t skip_spaces(std::string_view line, std::size_t at) {
  while (at < line.size() && line[at] == ' ') ++at;
  return at;
}

std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(skip_spaces(rest, 0));
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

void split_request(AccessLine& out) {
  std::string_view rest = out.request;
  out.method = next_word(rest);
  out.target = next_word(rest);
  out.protocol = next_word(rest);
  if (!out.target.empty()) return;
  out.method = {};
  out.target = out.request;
}

// The next quoted string from `at` on, which moves behind it. A string that the line's end cuts off counts, but is not closed;
// half of an escape at its end does not.
std::string_view next_quoted(std::string_view line, std::size_t& at, bool& closed) {
  closed = false;
  const std::size_t open = line.find('"', at);
  if (open == line.npos) {
    at = line.size();
    return {};
  }
  const std::size_t close = std::min(closing_quote(line, open + 1), line.size());
  closed = close < line.size();
  at = std::min(close + 1, line.size());
  const std::string_view inside = line.substr(open + 1, close - open - 1);
  const std::size_t text = inside.find_last_not_of('\\') + 1;  // 0 when there is none
  return inside.substr(0, inside.size() - (inside.size() - text) % 2);
}

// What follows the bracketed time, from `at` on.
std::optional<DropReason> parse_behind_time(std::string_view line, std::size_t at, AccessLine& out) {
  at = skip_spaces(line, at);
  if (at >= line.size() || line[at] != '"') return DropReason::no_request;
  const std::size_t close = closing_quote(line, at + 1);
  if (close == line.npos) return DropReason::no_request;
  out.request = line.substr(at + 1, close - at - 1);

  at = skip_spaces(line, close + 1);
  if (at + 3 > line.size()) return DropReason::no_status;
  const int status = digits<3>(line.data() + at);
  if (status < 0 || (at + 3 < line.size() && line[at + 3] != ' ')) return DropReason::no_status;
  out.status = static_cast<std::uint16_t>(status);

  at = skip_spaces(line, at + 3);
  std::string_view rest = line.substr(at);
  const std::optional<std::int64_t> bytes = lungo::take_number<std::int64_t>(rest);
  const bool is_number = bytes && *bytes >= 0 && (rest.empty() || rest.front() == ' ');
  out.bytes = is_number ? bytes : std::nullopt;

  out.referrer = next_quoted(line, at, out.closed);
  out.user_agent = next_quoted(line, at, out.closed);
  split_request(out);
  return std::nullopt;
}

}  // namespace

std::string_view to_string(DropReason reason) {
  constexpr std::array<std::string_view, kDropReasons> kTexts{
      "no address",        "no valid time in brackets", "no quoted request",
      "no 3-digit status", "longer than 64 KiB",        "rest of a line that was imported before its end was written"};
  return kTexts[static_cast<std::size_t>(reason)];
}

std::optional<DropReason> parse_access_line(std::string_view line, AccessLine& out) {
  if (line.size() > kLineBytesMax) return DropReason::too_long;
  const std::size_t space = line.find(' ');
  out.address = line.substr(0, space);
  if (out.address.empty() || out.address == "-" || out.address.find_first_of("[\"") != line.npos) return DropReason::no_address;

  // A user name may hold brackets, even a date in brackets: the first place where time, request and status follow is meant.
  std::optional<DropReason> missing = DropReason::no_time;
  for (std::size_t open = line.find(" [", out.address.size()); open != line.npos; open = line.find(" [", open + 1)) {
    const std::size_t time = open + 2;
    if (time + kTimeBytes >= line.size()) break;
    if (line[time + kTimeBytes] != ']' || !parse_time(line.data() + time, out)) continue;
    const std::optional<DropReason> now_missing = parse_behind_time(line, time + kTimeBytes + 1, out);
    if (!now_missing) return std::nullopt;
    if (missing == DropReason::no_time) missing = now_missing;
  }
  return missing;
}

bool is_closed_line(std::string_view line) {
  AccessLine parsed;
  return !parse_access_line(line, parsed) && parsed.closed;
}

}  // namespace tracker
