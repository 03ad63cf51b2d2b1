#include <lungo/framework/codec_json.hpp>

#include <boost/json/value.hpp>
#include <cmath>
#include <limits>

#include <lungo/log/text.hpp>

#include "json_parse.hpp"
#include "json_text.hpp"

namespace lungo::detail {
namespace {

namespace json = boost::json;

// An event nests at most kStructDepthMax structs; each may stand in a list and in an alternative.
constexpr std::size_t kDepthMax = std::size_t{4} * kStructDepthMax;

const json::value& in(const void* value) { return *static_cast<const json::value*>(value); }

}  // namespace

bool JsonValue::is_null() const { return in(value_).is_null(); }
bool JsonValue::is_list() const { return in(value_).is_array(); }
bool JsonValue::is_object() const { return in(value_).is_object(); }

std::optional<bool> JsonValue::boolean() const {
  if (const bool* value = in(value_).if_bool()) return *value;
  return {};
}

std::optional<std::int64_t> JsonValue::integer() const {
  const json::value& value = in(value_);
  if (const std::int64_t* number = value.if_int64()) return *number;
  if (const json::string* text = value.if_string()) return parse_number<std::int64_t>({text->data(), text->size()});
  return {};
}

std::optional<std::uint64_t> JsonValue::unsigned_integer() const {
  const json::value& value = in(value_);
  if (const std::uint64_t* number = value.if_uint64()) return *number;
  if (const std::int64_t* number = value.if_int64(); number != nullptr && *number >= 0)
    return static_cast<std::uint64_t>(*number);
  if (const json::string* text = value.if_string()) return parse_number<std::uint64_t>({text->data(), text->size()});
  return {};
}

std::optional<double> JsonValue::number() const {
  const json::value& value = in(value_);
  if (const double* number = value.if_double()) return *number;
  if (const std::int64_t* number = value.if_int64()) return static_cast<double>(*number);
  if (const std::uint64_t* number = value.if_uint64()) return static_cast<double>(*number);
  const json::string* text = value.if_string();
  if (text == nullptr) return {};
  if (*text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (*text == "Infinity") return std::numeric_limits<double>::infinity();
  if (*text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return {};
}

std::optional<std::string> JsonValue::text() const {
  const json::value& value = in(value_);
  if (const json::string* text = value.if_string()) return std::string(text->data(), text->size());
  if (!value.is_object() || value.get_object().size() != 1) return {};
  const std::optional<JsonValue> raw = member("$bytes");
  return raw ? raw->base64() : std::nullopt;
}

std::optional<std::string> JsonValue::base64() const {
  const json::string* text = in(value_).if_string();
  if (text == nullptr) return {};
  return text_from_base64({text->data(), text->size()});
}

std::optional<std::int64_t> JsonValue::time(std::uint64_t num, std::uint64_t den) const {
  if (const std::optional<std::int64_t> ticks = integer()) return ticks;
  const json::string* text = in(value_).if_string();
  if (text == nullptr) return {};
  return from_iso8601({text->data(), text->size()}, num, den);
}

std::size_t JsonValue::size() const {
  const json::value& value = in(value_);
  return value.is_array() ? value.get_array().size() : value.is_object() ? value.get_object().size() : 0;
}

JsonValue JsonValue::at(std::size_t index) const {
  const json::value& value = in(value_);
  if (value.is_array()) return JsonValue{&value.get_array()[index]};
  return JsonValue{&(value.get_object().begin() + static_cast<std::ptrdiff_t>(index))->value()};
}

std::string_view JsonValue::member_name(std::size_t index) const {
  const auto key = (in(value_).get_object().begin() + static_cast<std::ptrdiff_t>(index))->key();
  return {key.data(), key.size()};
}

std::optional<JsonValue> JsonValue::member(std::string_view name) const {
  const json::value* found = in(value_).get_object().if_contains(json::string_view{name.data(), name.size()});
  if (found == nullptr) return {};
  return JsonValue{found};
}

std::optional<std::string> json_key_text(std::string_view key) {
  if (!key.starts_with(kRawKeyPrefix)) return std::string(key);
  return text_from_base64(key.substr(kRawKeyPrefix.size()));
}

struct JsonDocument::Parsed {
  json::value root;
};

JsonDocument::JsonDocument(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  json::error_code error;
  auto parsed = std::make_unique<Parsed>();
  parsed->root = parse_json(text, kDepthMax, error);
  if (error) return Error{Errc::undecodable, "no JSON: " + error.message()};
  return JsonDocument{std::move(parsed)};
}

JsonValue JsonDocument::root() const { return JsonValue{&parsed_->root}; }

bool JsonPath::fail(std::string_view problem) {
  if (problem_.empty()) {
    for (const std::string& step : steps_) problem_ += (problem_.empty() ? "" : ".") + step;
    problem_ += (problem_.empty() ? "the document " : " ") + std::string(problem);
  }
  return false;
}

Error JsonPath::error(std::string_view event) const { return Error{Errc::undecodable, std::string(event) + ": " + problem_}; }

}  // namespace lungo::detail
