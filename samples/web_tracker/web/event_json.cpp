#include "web/event_json.hpp"

#include <lungo/framework/codec_json.hpp>

#include "valid_utf8.hpp"

namespace tracker {
namespace {

namespace json = boost::json;
using lungo::Result;

constexpr std::size_t kShownBytesMax = 1'000;
constexpr std::size_t kPayloadBytesMax = 256u << 10;  // as it is stored, and as JSON
constexpr std::size_t kShapeTextMax = 64u << 10;
constexpr std::size_t kJsonDepthMax = 256;

std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return valid_utf8(text);
  std::size_t end = bytes_max;
  const auto is_inside = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  for (int i = 0; i < 3 && is_inside(end); ++i) --end;  // not in the midst of a character
  return valid_utf8(text.substr(0, end)) + "... (" + std::to_string(text.size()) + " bytes)";
}

json::value text_or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value{}; }

struct Payload {
  std::optional<std::string> shape;
  std::optional<std::string> json;
  std::optional<std::string> error;

  void fail(const std::string& why) {
    json.reset();
    error = shown(why);
  }
};

std::string too_large(std::string_view what, std::size_t bytes) {
  return std::string(what) + " has " + std::to_string(bytes) + " bytes; over " + std::to_string(kPayloadBytesMax) +
         " it is not shown";
}

// It is put into the answer as it is, so that a number keeps all its digits.
void check_json(Payload& payload) {
  if (payload.json->size() > kPayloadBytesMax) return payload.fail(too_large("the payload as JSON", payload.json->size()));
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  json::error_code problem;
  json::parse(*payload.json, problem, {}, options);
  if (problem) payload.fail("the payload is no valid JSON: " + problem.message());
}

Payload payload_of(const lungo::Envelope& envelope, lungo::ShapeRegistry& shapes) {
  Payload payload;
  Result<std::shared_ptr<const lungo::Shape>> shape = std::shared_ptr<const lungo::Shape>{};
  if (envelope.shape) shape = shapes.find(*envelope.shape);
  if (shape && *shape) payload.shape = cut((*shape)->to_text(), kShapeTextMax);

  const bool is_json = envelope.content_type == lungo::kJsonContent;
  if (envelope.is_tombstone) {
    payload.fail("the record has no value");
  } else if (envelope.payload.size() > kPayloadBytesMax) {
    payload.fail(too_large("the payload", envelope.payload.size()));
  } else if (is_json) {
    payload.json = lungo::as_text(envelope.payload);
  } else if (!shape) {
    payload.fail(to_string(shape.error()));
  } else if (*shape == nullptr) {
    payload.fail("the record names no shape, so its bytes tell nothing");
  } else if (Result<std::string> text = lungo::to_json(**shape, envelope.payload)) {
    payload.json = std::move(*text);
  } else {
    payload.fail(to_string(text.error()));
  }
  if (payload.json) check_json(payload);
  return payload;
}

}  // namespace

std::string shown(std::string_view text) { return cut(text, kShownBytesMax); }

std::string shown(lungo::Timestamp time) {
  lungo::JsonWriter writer;
  writer.time(time.time_since_epoch().count(), 1, 1'000);
  const std::string text = writer.take();
  return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
}

json::object event_row(const lungo::TopicPartition& partition, const lungo::RecordView& record) {
  lungo::Envelope envelope;
  // What was read before a header that breaks its grammar is shown all the same; the event's own page says what is wrong.
  static_cast<void>(parse_envelope_into(partition.topic, partition.partition, record, envelope));
  return {{"partition", partition.partition.value()},
          {"offset", record.offset.value()},
          {"time", shown(envelope.time)},
          {"type", shown(envelope.type)},
          {"stream", shown(envelope.stream)},
          {"id", shown(envelope.id)}};
}

std::string event_json(const lungo::TopicPartition& partition, const lungo::RecordView& record, lungo::ShapeRegistry& shapes) {
  lungo::Envelope envelope;
  const Result<void> parsed = parse_envelope_into(partition.topic, partition.partition, record, envelope);
  Payload payload;
  if (parsed) {
    payload = payload_of(envelope, shapes);
  } else {
    payload.fail(to_string(parsed.error()));
  }
  json::object event = event_row(partition, record);
  event["topic"] = shown(partition.topic);
  event["recorded"] = parsed ? json::value(shown(envelope.recorded)) : json::value{};
  event["correlation"] = shown(envelope.correlation);
  event["causation"] = shown(envelope.causation);
  event["lane"] = shown(envelope.lane);
  event["shape"] = text_or_null(payload.shape);
  event["error"] = text_or_null(payload.error);
  event["bytes"] = envelope.payload.size();
  std::string text = json::serialize(event);
  text.back() = ',';
  return text + "\"payload\":" + payload.json.value_or("null") + "}";
}

}  // namespace tracker
