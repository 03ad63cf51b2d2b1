#include "json_parse.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace lungo::detail {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

// Receives the parser's events and stacks values; the names and types are the parser's.
struct ExactHandler {
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  json::value_stack stack;
  std::string number;  // the text of the number that is being read

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t size, error_code&) { return stack.push_object(size), true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t size, error_code&) { return stack.push_array(size), true; }
  bool on_key_part(string_view text, std::size_t, error_code&) { return stack.push_chars(text), true; }
  bool on_key(string_view text, std::size_t, error_code&) { return stack.push_key(text), true; }
  bool on_string_part(string_view text, std::size_t, error_code&) { return stack.push_chars(text), true; }
  bool on_string(string_view text, std::size_t, error_code&) { return stack.push_string(text), true; }
  bool on_number_part(string_view text, error_code&) {
    number.append(text.data(), text.size());
    return true;
  }
  bool on_int64(std::int64_t value, string_view, error_code&) { return number.clear(), stack.push_int64(value), true; }
  bool on_uint64(std::uint64_t value, string_view, error_code&) { return number.clear(), stack.push_uint64(value), true; }
  bool on_double(double value, string_view text, error_code&) {
    number.append(text.data(), text.size());
    // What from_chars cannot hold (an exponent beyond the type's) keeps the parser's infinity or zero.
    std::from_chars(number.data(), number.data() + number.size(), value);
    number.clear();
    return stack.push_double(value), true;
  }
  bool on_bool(bool value, error_code&) { return stack.push_bool(value), true; }
  bool on_null(error_code&) { return stack.push_null(), true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

}  // namespace

json::value parse_json(std::string_view text, std::size_t depth_max, error_code& error) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<ExactHandler> parser{options};
  parser.handler().stack.reset();
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = json::error::extra_data;
  if (error) return nullptr;
  return parser.handler().stack.release();
}

}  // namespace lungo::detail
