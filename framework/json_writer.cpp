#include <lungo/framework/codec_json.hpp>

#include <array>
#include <charconv>
#include <cmath>

#include <lungo/log/text.hpp>

#include "json_text.hpp"

namespace lungo {
namespace {

constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;

template <class Number>
std::string number_text(Number value) {
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

template <class Float>
std::string float_text(Float value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return number_text(value);
}

}  // namespace

void JsonWriter::open(char bracket) {
  if (comma_) out_ += ',';
  out_ += bracket;
  comma_ = false;
}

void JsonWriter::close(char bracket) {
  out_ += bracket;
  comma_ = true;
}

void JsonWriter::value(std::string_view json) {
  if (comma_) out_ += ',';
  out_ += json;
  comma_ = true;
}

void JsonWriter::quoted(std::string_view text) {
  out_ += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c == '\t') {
      out_ += "\\t";
    } else if (c == '\r') {
      out_ += "\\r";
    } else if (code < 0x20 || code == 0x7f) {
      out_ += "\\u00" + to_hex(as_bytes({&c, 1}));
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

void JsonWriter::begin_struct(std::string_view) { open('{'); }
void JsonWriter::end_struct() { close('}'); }
void JsonWriter::begin_list() { open('['); }
void JsonWriter::end_list() { close(']'); }
void JsonWriter::begin_map(bool text_keys) { open(text_keys ? '{' : '['); }
void JsonWriter::end_map(bool text_keys) { close(text_keys ? '}' : ']'); }

void JsonWriter::field(std::string_view name) {
  if (comma_) out_ += ',';
  quoted(name);
  out_ += ':';
  comma_ = false;
}

void JsonWriter::text_key(std::string_view key) {
  if (detail::is_utf8(key) && !key.starts_with(detail::kRawKeyPrefix)) return field(key);
  field(std::string(detail::kRawKeyPrefix) + to_base64(as_bytes(key), Base64::standard));
}

void JsonWriter::begin_alternative(std::uint64_t index) {
  open('{');
  field("alternative");
  value(number_text(index));
  field("value");
}
void JsonWriter::end_alternative() { close('}'); }

void JsonWriter::null() { value("null"); }
void JsonWriter::boolean(bool is_true) { value(is_true ? "true" : "false"); }

void JsonWriter::integer(std::int64_t number) {
  const bool exact = number >= -kExactInDouble && number <= kExactInDouble;
  value(exact ? number_text(number) : '"' + number_text(number) + '"');
}

void JsonWriter::unsigned_integer(std::uint64_t number) {
  value(number <= std::uint64_t{kExactInDouble} ? number_text(number) : '"' + number_text(number) + '"');
}

void JsonWriter::number(float value_) { value(float_text(value_)); }
void JsonWriter::number(double value_) { value(float_text(value_)); }

void JsonWriter::text(std::string_view text) {
  if (comma_) out_ += ',';
  if (detail::is_utf8(text)) {
    quoted(text);
  } else {
    out_ += "{\"$bytes\":\"" + to_base64(as_bytes(text), Base64::standard) + "\"}";
  }
  comma_ = true;
}

void JsonWriter::bytes(BytesView bytes) { value('"' + to_base64(bytes, Base64::standard) + '"'); }

void JsonWriter::time(std::int64_t ticks, std::uint64_t num, std::uint64_t den) {
  if (const std::optional<std::string> date = detail::to_iso8601(ticks, num, den)) {
    value('"' + *date + '"');
  } else {
    integer(ticks);
  }
}

void JsonWriter::encrypted(BytesView bytes) { value("{\"$encrypted\":\"" + to_base64(bytes, Base64::standard) + "\"}"); }

Result<std::string> to_json(const Shape& shape, BytesView payload) {
  JsonWriter writer;
  Result<void> walked = walk_payload(shape, payload, writer);
  if (!walked) return walked.error();
  return writer.take();
}

}  // namespace lungo
