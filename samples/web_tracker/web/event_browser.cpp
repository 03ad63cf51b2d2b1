#include "web/event_browser.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdio>
#include <unordered_map>
#include <vector>

#include <lungo/framework/codec_json.hpp>
#include <lungo/framework/partition_reader.hpp>

#include "import/valid_utf8.hpp"
#include "web/backward_reader.hpp"

namespace tracker {
namespace {

namespace json = boost::json;
using lungo::Envelope;
using lungo::Errc;
using lungo::Error;
using lungo::Offset;
using lungo::PartitionId;
using lungo::Result;

constexpr std::int64_t kStreamsLookAt = 2000;  // events
constexpr std::size_t kPayloadTextMax = 256u << 10;

std::string time_text(lungo::Timestamp time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 48> text;
  const int size = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                 static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

json::object object_of(const EventLine& line) {
  json::object object;
  object["partition"] = line.at.partition.value();
  object["offset"] = line.offset.value();
  object["time"] = time_text(line.time);
  object["type"] = valid_utf8(line.type);
  object["stream"] = valid_utf8(line.stream);
  object["id"] = valid_utf8(line.id);
  return object;
}

Result<std::vector<lungo::Ends>> ends_of(lungo::EventLog& log, const lungo::TopicInfo& topic) {
  std::vector<lungo::Ends> all;
  for (std::int32_t number = 0; number < topic.spec.partitions; ++number) {
    Result<lungo::Ends> ends = log.ends({topic.spec.name, PartitionId{number}});
    if (!ends) return ends.error();
    all.push_back(*ends);
  }
  return all;
}

std::optional<Offset> offset_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return Offset{number};
}

/// One offset per partition, "12,7,0,3"; nothing where it is none.
std::optional<std::vector<Offset>> cursor_of(std::string_view text) {
  std::vector<Offset> offsets;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::optional<Offset> offset = offset_of(text.substr(0, comma));
    if (!offset) return std::nullopt;
    offsets.push_back(*offset);
    if (comma == text.npos) return offsets;
    text.remove_prefix(comma + 1);
  }
}

/// All partitions of a topic, newest event first.
class NewestFirst {
 public:
  NewestFirst(lungo::EventLog& log, const lungo::TopicInfo& topic, const std::vector<lungo::Ends>& ends,
              const std::vector<Offset>& before) {
    readers_.reserve(ends.size());
    for (std::size_t number = 0; number < ends.size(); ++number)
      readers_.emplace_back(log, topic, PartitionId{static_cast<std::int32_t>(number)}, ends[number].start,
                            std::min(before[number], ends[number].committed));
  }

  /// Takes the next one; nothing when all are taken.
  Result<std::optional<EventLine>> next() {
    BackwardReader* newest = nullptr;
    const EventLine* newest_line = nullptr;
    for (BackwardReader& reader : readers_) {
      Result<const EventLine*> line = reader.newest();
      if (!line) return line.error();
      if (*line == nullptr || (newest_line != nullptr && newest_line->time >= (*line)->time)) continue;
      newest = &reader;
      newest_line = *line;
    }
    if (newest == nullptr) return std::optional<EventLine>{};
    std::optional<EventLine> taken{*newest_line};
    newest->take();
    return taken;
  }

  /// Where the next page goes on; nothing when there is none.
  [[nodiscard]] json::value cursor() const {
    std::string text;
    bool any = false;
    for (const BackwardReader& reader : readers_) {
      text += (text.empty() ? "" : ",") + std::to_string(reader.position().value());
      any = any || !reader.is_at_start();
    }
    return any ? json::value(text) : json::value();
  }

 private:
  std::vector<BackwardReader> readers_;
};

/// The payload by its shape; or why not.
Result<std::string> payload_text(lungo::ShapeRegistry& shapes, const Envelope& envelope, std::string& shape_text) {
  if (envelope.content_type == lungo::kJsonContent)
    return std::string(reinterpret_cast<const char*>(envelope.payload.data()), envelope.payload.size());
  if (!envelope.shape) return Error{Errc::undecodable, "the event names no shape"};
  Result<std::shared_ptr<const lungo::Shape>> shape = shapes.find(*envelope.shape);
  if (!shape) return shape.error();
  shape_text = (*shape)->to_text();
  return lungo::to_json(**shape, envelope.payload);
}

/// The text as JSON, so that nothing in it can break out of the answer.
Result<json::value> value_of(Result<std::string> text) {
  if (!text) return text.error();
  if (text->size() > kPayloadTextMax) return Error{Errc::too_large, "the event is too large to be shown"};
  boost::system::error_code error;
  json::value value = json::parse(*text, error);
  if (error) return Error{Errc::undecodable, "the event is not valid JSON: " + error.message()};
  return value;
}

}  // namespace

Result<std::string> EventBrowser::topics() {
  Result<std::vector<lungo::TopicInfo>> topics = store_.log().topics();
  if (!topics) return topics.error();
  json::array list;
  for (const lungo::TopicInfo& topic : *topics) {
    if (topic.spec.name.starts_with("__lungo_")) continue;
    Result<std::vector<lungo::Ends>> ends = ends_of(store_.log(), topic);
    if (!ends) return ends.error();
    json::array partitions;
    for (const lungo::Ends& one : *ends) partitions.push_back({{"start", one.start.value()}, {"end", one.committed.value()}});
    list.push_back({{"name", topic.spec.name}, {"partitions", std::move(partitions)}});
  }
  return json::serialize(json::object{{"topics", std::move(list)}});
}

Result<std::string> EventBrowser::streams(std::string_view name) {
  Result<lungo::TopicInfo> topic = store_.log().topic(name);
  if (!topic) return topic.error();
  Result<std::vector<lungo::Ends>> ends = ends_of(store_.log(), *topic);
  if (!ends) return ends.error();
  NewestFirst events{store_.log(), *topic, *ends, std::vector<Offset>(ends->size(), Offset{INT64_MAX})};
  std::unordered_map<std::string, std::size_t> places;
  std::vector<json::object> streams;
  std::int64_t looked_at = 0;
  for (; looked_at < kStreamsLookAt; ++looked_at) {
    Result<std::optional<EventLine>> line = events.next();
    if (!line) return line.error();
    if (!*line) break;
    const auto [place, is_new] = places.emplace((*line)->stream, streams.size());
    if (is_new) {
      streams.push_back({{"stream", valid_utf8((*line)->stream)}, {"events", 1}, {"last", time_text((*line)->time)}});
    } else {
      json::value& events_of_it = streams[place->second]["events"];
      events_of_it = events_of_it.to_number<std::int64_t>() + 1;
    }
  }
  return json::serialize(json::object{{"streams", json::array(streams.begin(), streams.end())}, {"looked_at", looked_at}});
}

Result<std::string> EventBrowser::events(const EventsQuery& query) {
  if (query.limit < 1 || query.limit > kEventsPerPageMax)
    return Error{Errc::invalid_argument, "`limit` must be from 1 to " + std::to_string(kEventsPerPageMax)};
  Result<lungo::TopicInfo> topic = store_.log().topic(query.topic);
  if (!topic) return topic.error();
  if (query.stream) return events_of_stream(*topic, query);
  Result<std::vector<lungo::Ends>> ends = ends_of(store_.log(), *topic);
  if (!ends) return ends.error();
  std::optional<std::vector<Offset>> before = std::vector<Offset>(ends->size(), Offset{INT64_MAX});
  if (!query.before.empty()) before = cursor_of(query.before);
  if (!before || before->size() != ends->size()) return Error{Errc::invalid_argument, "`before` is no cursor of this topic"};
  NewestFirst events{store_.log(), *topic, *ends, *before};
  json::array list;
  while (static_cast<std::int64_t>(list.size()) < query.limit) {
    Result<std::optional<EventLine>> line = events.next();
    if (!line) return line.error();
    if (!*line) break;
    list.push_back(object_of(**line));
  }
  return json::serialize(json::object{{"events", std::move(list)}, {"before", events.cursor()}});
}

Result<std::string> EventBrowser::events_of_stream(const lungo::TopicInfo& topic, const EventsQuery& query) {
  if (!topic.spec.streams) return Error{Errc::invalid_argument, "`stream`: " + topic.spec.name + " has no streams"};
  const PartitionId partition = lungo::partition_of_stream(*query.stream, topic.spec.partitions);
  Result<lungo::Ends> ends = store_.log().ends({topic.spec.name, partition});
  if (!ends) return ends.error();
  std::optional<Offset> begin = ends->start;
  if (!query.after.empty()) begin = offset_of(query.after);
  if (!begin) return Error{Errc::invalid_argument, "`after` must be an offset"};
  Result<lungo::StreamEvents> stream = store_.read_stream(topic.spec.name, lungo::StreamId::written(*query.stream),
                                                          std::clamp(*begin, ends->start, ends->committed));
  if (!stream) return stream.error();
  json::array list;
  json::value after;
  for (;;) {
    Result<const lungo::StreamEvent*> next = stream->next();
    if (!next && next.error() != Errc::undecodable) return next.error();
    if (next && *next == nullptr) break;
    EventLine line{{topic.spec.name, partition}, {}, {}, {}, *query.stream, {}};
    if (next) {
      const Envelope& envelope = (*next)->envelope;
      line.offset = envelope.offset;
      line.time = envelope.time;
      line.type = envelope.type;
      line.id = envelope.id;
    } else if (next.error().offset()) {
      line.offset = *next.error().offset();
    } else {
      break;  // where it lies is not known, so there is no way behind it
    }
    if (static_cast<std::int64_t>(list.size()) == query.limit) {
      after = std::to_string(line.offset.value());
      break;
    }
    list.push_back(object_of(line));
  }
  return json::serialize(json::object{{"events", std::move(list)}, {"after", std::move(after)}});
}

Result<std::string> EventBrowser::event(std::string_view name, PartitionId partition, Offset offset) {
  Result<lungo::TopicInfo> topic = store_.log().topic(name);
  if (!topic) return topic.error();
  const lungo::TopicPartition at{topic->spec.name, partition};
  Result<lungo::Ends> ends = store_.log().ends(at);
  if (!ends) return ends.error();
  if (offset < ends->start || offset >= ends->committed)
    return Error{Errc::offset_out_of_range, to_string(at) + " has no event at offset " + std::to_string(offset.value())};
  lungo::PartitionReader reader{store_.log(), *topic, {topic->id, partition, offset, lungo::kNoEpoch}, 64u << 10};
  json::object object{{"topic", topic->spec.name}, {"partition", partition.value()}, {"offset", offset.value()}};
  Result<const Envelope*> found = reader.next();
  if (!found && found.error() != Errc::undecodable) return found.error();
  if (!found || *found == nullptr || (*found)->offset != offset) {
    object["error"] = valid_utf8(found ? "nothing is at this offset" : found.error().text());
    return json::serialize(object);
  }
  const Envelope& envelope = **found;
  object["time"] = time_text(envelope.time);
  object["recorded"] = time_text(envelope.recorded);
  for (const auto& [field, text] : {std::pair{"type", envelope.type},
                                    {"stream", envelope.stream},
                                    {"id", envelope.id},
                                    {"correlation", envelope.correlation},
                                    {"causation", envelope.causation},
                                    {"lane", envelope.lane}})
    object[field] = valid_utf8(text);
  object["bytes"] = envelope.payload.size();
  std::string shape_text;
  Result<json::value> payload = value_of(payload_text(store_.shapes(), envelope, shape_text));
  object["shape"] = shape_text.empty() ? json::value() : json::value(valid_utf8(shape_text));
  object["payload"] = payload ? *payload : json::value();
  object["error"] = payload ? json::value() : json::value(valid_utf8(payload.error().text()));
  return json::serialize(object);
}

}  // namespace tracker
