// JSON that a user wrote, taken apart into a record.

#include <algorithm>
#include <boost/json.hpp>

#include <lungo/log/printed.hpp>
#include <lungo/log/text.hpp>

#include "record_text.hpp"
#include "tool_log.hpp"

namespace lungo {
namespace {

namespace json = boost::json;

Error wrong(std::string what) { return Error{Errc::invalid_argument, std::move(what)}; }

std::string_view text_of(const json::string& text) { return {text.data(), text.size()}; }

Result<std::string> bytes_of(std::string_view name, const json::value& base64) {
  std::optional<Bytes> bytes;
  if (base64.is_string()) bytes = from_base64(text_of(base64.get_string()), Base64::standard);
  if (!bytes) return wrong("\"" + std::string(name) + "\" is no standard base64");
  return std::string(as_text(*bytes));
}

/// What NAME, or NAMEBase64, says; nothing inside for null and where neither is there.
Result<std::optional<std::string>> text_under(const json::object& object, std::string_view name) {
  const std::string base64_name = std::string(name) + "Base64";
  const json::value* text = object.if_contains(json::string_view{name.data(), name.size()});
  const json::value* base64 = object.if_contains(base64_name);
  if (text != nullptr && base64 != nullptr)
    return wrong("\"" + std::string(name) + "\" and \"" + base64_name + "\" are both there");
  if (base64 != nullptr) {
    Result<std::string> bytes = bytes_of(base64_name, *base64);
    if (!bytes) return bytes.error();
    return std::optional{std::move(*bytes)};
  }
  if (text == nullptr || text->is_null()) return std::optional<std::string>{};
  if (!text->is_string())
    return wrong("\"" + std::string(name) + "\" is neither a string nor null; JSON inside of a record is a string too");
  return std::optional{std::string(text_of(text->get_string()))};
}

Result<void> check_names(const json::object& object, const std::vector<std::string>& known) {
  for (const json::key_value_pair& pair : object) {
    const std::string name{pair.key().data(), pair.key().size()};
    if (std::ranges::find(known, name) == known.end())
      return wrong("nothing is called \"" + name + "\"" + near_names(name, known));
  }
  return {};
}

Result<NewRecord::Header> header_in(const json::value& value) {
  if (!value.is_object()) return wrong("a header is {\"name\": ..., \"value\": ...}");
  const json::object& object = value.get_object();
  if (Result<void> checked = check_names(object, {"name", "nameBase64", "value", "valueBase64"}); !checked)
    return checked.error();
  Result<std::optional<std::string>> name = text_under(object, "name");
  if (!name) return name.error();
  if (!*name) return wrong("a header has no \"name\"");
  Result<std::optional<std::string>> text = text_under(object, "value");
  if (!text) return text.error();
  return NewRecord::Header{std::move(**name), std::move(*text)};
}

Result<std::vector<NewRecord::Header>> headers_in(const json::value& value) {
  std::vector<NewRecord::Header> headers;
  if (value.is_object()) {
    for (const json::key_value_pair& pair : value.get_object()) {
      if (!pair.value().is_string() && !pair.value().is_null())
        return wrong("the value of a header is neither a string nor null");
      NewRecord::Header header{std::string(pair.key().data(), pair.key().size()), {}};
      if (pair.value().is_string()) header.value = std::string(text_of(pair.value().get_string()));
      headers.push_back(std::move(header));
    }
    return headers;
  }
  if (!value.is_array()) return wrong("\"headers\" is neither a list nor an object");
  for (const json::value& one : value.get_array()) {
    Result<NewRecord::Header> header = header_in(one);
    if (!header) return header.error();
    headers.push_back(std::move(*header));
  }
  return headers;
}

Result<std::optional<Timestamp>> time_in(const json::object& object) {
  if (const json::value* millis = object.if_contains("timestamp"); millis != nullptr && !millis->is_null()) {
    // -1 is how Kafka says that there is none; other negative ones its producers refuse too.
    if (!millis->is_int64() || millis->get_int64() < -1)
      return wrong("\"timestamp\" is a number of milliseconds since 1970, or -1 for none");
    return std::optional{Timestamp{std::chrono::milliseconds{millis->get_int64()}}};
  }
  const json::value* text = object.if_contains("time");
  if (text == nullptr || text->is_null()) return std::optional<Timestamp>{};
  std::optional<Timestamp> time;
  if (text->is_string()) time = parse_time(std::string(text_of(text->get_string())));
  if (!time) return wrong("\"time\" is a text like 2024-05-01T12:00:00Z");
  return time;
}

}  // namespace

Result<NewRecord> record_of_json(std::string_view line) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view{line.data(), line.size()}, problem);
  if (problem) return wrong("no JSON: " + problem.message());
  if (!parsed.is_object()) return wrong("no JSON object");
  const json::object& object = parsed.get_object();
  Result<void> checked = check_names(
      object, {"key", "keyBase64", "value", "valueBase64", "headers", "timestamp", "time", "partition", "topic", "offset"});
  if (!checked) return checked.error();

  NewRecord record;
  Result<std::optional<std::string>> key = text_under(object, "key");
  if (!key) return key.error();
  record.key = std::move(*key);
  Result<std::optional<std::string>> value = text_under(object, "value");
  if (!value) return value.error();
  record.value = std::move(*value);
  Result<std::optional<Timestamp>> time = time_in(object);
  if (!time) return time.error();
  record.timestamp = *time;
  if (const json::value* headers = object.if_contains("headers"); headers != nullptr && !headers->is_null()) {
    Result<std::vector<NewRecord::Header>> found = headers_in(*headers);
    if (!found) return found.error();
    record.headers = std::move(*found);
  }
  if (const json::value* partition = object.if_contains("partition"); partition != nullptr && !partition->is_null()) {
    if (!partition->is_int64() || partition->get_int64() < 0 || partition->get_int64() > INT32_MAX)
      return wrong("\"partition\" is no number of a partition");
    record.partition = static_cast<std::int32_t>(partition->get_int64());
  }
  return record;
}

}  // namespace lungo
