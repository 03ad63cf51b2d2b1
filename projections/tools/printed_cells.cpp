#include "printed_cells.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include <lungo/framework/codec_json.hpp>

#include "../text.hpp"

namespace lungo {
namespace {

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

void add_cell(PrintedLine& line, std::string_view name, const Cell& cell, ColumnType type) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return line.add(name, *integer);
  if (const auto* bytes = std::get_if<BytesView>(&cell)) return line.add(name, hex_text(*bytes));
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    std::optional<std::string> json;
    if (type == ColumnType::json) json = as_json_line(*text);
    return json ? line.add_json(name, *json) : line.add(name, *text);
  }
  JsonWriter json;
  if (const auto* real = std::get_if<double>(&cell)) {
    json.number(*real);
  } else {
    json.null();
  }
  line.add_json(name, json.take());
}

std::optional<std::string> as_json_line(std::string_view text) {
  boost::system::error_code problem;
  const boost::json::value parsed = boost::json::parse(text, problem);
  if (problem) return std::nullopt;
  // As it was written where that is one line: a number keeps all its digits.
  const bool is_line = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  return is_line ? std::string(text) : boost::json::serialize(parsed);
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
