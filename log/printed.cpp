#include <lungo/log/printed.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <numeric>
#include <system_error>

#include <lungo/log/text.hpp>

namespace lungo {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

/// Text the terminal acts on or that hides what is written: C1 controls, line and paragraph separators, marks of direction.
bool is_hidden(std::uint32_t code) {
  return (code >= 0x80 && code < 0xa0) || code == 0x61c || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

void append_hex(std::uint32_t value, int digits, std::string& out) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 15];
}

void append_code(std::uint32_t code, std::string& out) {
  out += "\\u";
  append_hex(code, 4, out);
}

void append_ascii(char c, std::string& out) {
  const auto code = static_cast<unsigned char>(c);
  if (c == '\\') {
    out += "\\\\";
  } else if (c == '\t') {
    out += "\\t";
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (code < 0x20 || code == 0x7f) {
    out += "\\x";
    append_hex(code, 2, out);
  } else {
    out += c;
  }
}

/// How many characters are put in, left out, changed or exchanged with their neighbour between the two.
std::size_t changes_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

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

bool is_utf8_text(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char next = first_of_utf8(text);
    if (!next.is_valid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char next = first_of_utf8(text);
    if (!next.is_valid) {
      out += "\\x";
      append_hex(static_cast<unsigned char>(text.front()), 2, out);
    } else if (next.code < 0x80) {
      append_ascii(text.front(), out);
    } else if (is_hidden(next.code)) {
      append_code(next.code, out);
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::string printable_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char next = first_of_utf8(text);
    // Outside of its strings JSON is ASCII, so these stand inside of one.
    if (!next.is_valid) {
      append_code(0xfffd, out);
    } else if (next.code == 0x7f || is_hidden(next.code)) {
      append_code(next.code, out);
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

void append_json_string(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const Utf8Char next = first_of_utf8(text);
    const char c = text.front();
    if (c == '"') {
      out += "\\\"";
    } else if (next.is_valid && (next.code == 0x7f || (next.code < 0x20 && c != '\t' && c != '\n' && c != '\r'))) {
      out += "\\u00" + to_hex(as_bytes({&c, 1}));  // in small letters, as the framework's JSON
    } else if (next.is_valid && next.code < 0x7f) {
      append_ascii(c, out);
    } else {
      out += printable_json(text.substr(0, next.bytes));
    }
    text.remove_prefix(next.bytes);
  }
  out += '"';
}

std::string printable(const Error& error) {
  const std::string text = to_string(error);
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += (begin == 0 ? "" : "\n") + printable(std::string_view{text}.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

void Output::line(std::string_view text) {
  if (!ok()) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fputc('\n', file_) == EOF)
    failure_ = errno != 0 ? errno : EIO;
}

void Output::flush() {
  errno = 0;
  if (ok() && std::fflush(file_) != 0) failure_ = errno != 0 ? errno : EIO;
}

bool Output::close(std::string_view program) {
  flush();
  if (ok() || failure_ == EPIPE) return true;
  std::fprintf(stderr, "%.*s: standard output: %s\n", static_cast<int>(program.size()), program.data(),
               std::generic_category().message(failure_).c_str());
  return false;
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

std::optional<std::string> nearest(std::string_view text, const std::vector<std::string>& known) {
  const std::size_t far = std::max<std::size_t>(2, text.size() / 3) + 1;
  std::size_t best = far;
  const std::string* found = nullptr;
  for (const std::string& name : known) {
    if (name.size() > text.size() + far || text.size() > name.size() + far) continue;
    if (const std::size_t changes = changes_between(text, name); changes < best) {
      best = changes;
      found = &name;
    }
  }
  return found != nullptr && best < text.size() ? std::optional{*found} : std::nullopt;
}

void PrintedLine::add(std::string_view name, std::string_view text) {
  std::string json;
  if (is_utf8_text(text)) {
    append_json_string(text, json);
  } else {
    json = json_of_bytes(as_bytes(text));
  }
  fields_.push_back({std::string(name), std::move(json), printable(text)});
}

void PrintedLine::add(std::string_view name, std::int64_t number) {
  const std::string text = std::to_string(number);
  fields_.push_back({std::string(name), text, text});
}

void PrintedLine::add_json(std::string_view name, std::string_view json) {
  std::string text = printable_json(json);
  fields_.push_back({std::string(name), text, text});
}

void PrintedLine::add_json(std::string_view name, std::string_view json, std::string_view plain) {
  fields_.push_back({std::string(name), printable_json(json), printable(plain)});
}

void PrintedLine::print(Output& out, bool as_json) const {
  std::string line;
  for (const Field& field : fields_) {
    if (as_json) {
      line += line.empty() ? "{" : ",";
      append_json_string(printable(field.name), line);
      line += ":" + field.json;
    } else {
      line += (&field == fields_.data() ? "" : "\t") + field.plain;
    }
  }
  out.line(as_json ? printable_json(line + "}") : line);
}

void PrintedLine::print_names(Output& out) const {
  std::string line;
  for (const Field& field : fields_) line += (&field == fields_.data() ? "" : "\t") + printable(field.name);
  out.line(line);
}

std::string json_of_bytes(BytesView bytes) { return "{\"$bytes\":\"" + to_base64(bytes, Base64::standard) + "\"}"; }

}  // namespace lungo
