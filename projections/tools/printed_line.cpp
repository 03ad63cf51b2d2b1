#include "printed_line.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>

#include <lungo/framework/codec_json.hpp>

#include "../text.hpp"

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

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

Error refused(std::string_view text, const Column& column, std::string_view what) {
  return Error{Errc::invalid_argument,
               "'" + printable(text) + "' is no " + std::string(what) + ", which the key's column " + column.name + " holds"};
}

}  // namespace

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

void PrintedLine::add(std::string_view name, std::string_view text) {
  JsonWriter json;
  json.text(text);
  fields_.push_back({std::string(name), json.take(), printable(text)});
}

void PrintedLine::add(std::string_view name, std::int64_t number) {
  const std::string text = std::to_string(number);
  fields_.push_back({std::string(name), text, text});
}

void PrintedLine::add(std::string_view name, const Cell& cell, ColumnType type) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return add(name, *integer);
  if (const auto* bytes = std::get_if<BytesView>(&cell)) return add(name, hex_text(*bytes));
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    std::optional<std::string> json;
    if (type == ColumnType::json) json = as_json_line(*text);
    return json ? add_json(name, *json) : add(name, *text);
  }
  JsonWriter json;
  if (const auto* real = std::get_if<double>(&cell)) {
    json.number(*real);
  } else {
    json.null();
  }
  add_json(name, json.take());
}

void PrintedLine::add_json(std::string_view name, std::string_view json) {
  std::string text = printable_json(json);
  fields_.push_back({std::string(name), text, text});
}

void PrintedLine::print(Output& out, bool as_json) const {
  std::string line;
  for (const Field& field : fields_) {
    if (as_json) {
      JsonWriter name;
      name.text(printable(field.name));
      line += (line.empty() ? "{" : ",") + name.take() + ":" + field.json;
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

std::optional<std::string> as_json_line(std::string_view text) {
  boost::system::error_code problem;
  const boost::json::value parsed = boost::json::parse(text, problem);
  if (problem) return std::nullopt;
  // As it was written where that is one line: a number keeps all its digits.
  const bool is_line = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  return is_line ? std::string(text) : boost::json::serialize(parsed);
}

std::string json_of_bytes(BytesView bytes) {
  JsonWriter base64;
  base64.bytes(bytes);
  return "{\"$bytes\":" + base64.take() + "}";
}

Result<Cell> key_cell(std::string_view text, const Column& column, std::string& bytes) {
  if (column.type == ColumnType::integer) {
    const std::optional<std::int64_t> number = whole_number<std::int64_t>(text);
    return number ? Result<Cell>{Cell{*number}} : refused(text, column, "integer");
  }
  if (column.type == ColumnType::real) {
    const std::optional<double> number = whole_number<double>(text);
    return number ? Result<Cell>{Cell{*number}} : refused(text, column, "number");
  }
  if (column.type != ColumnType::blob) return Cell{text};
  const bool is_hex = text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (!is_hex) return refused(text, column, "row of hexadecimal digits, two a byte");
  bytes = bytes_of_hex(text);
  return Cell{as_bytes(bytes)};
}

}  // namespace lungo
