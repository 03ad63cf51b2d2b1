#include "web/event_browser.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <vector>

#include <lungo/log/text.hpp>

#include "valid_utf8.hpp"
#include "web/event_json.hpp"
#include "web/newest_first.hpp"

namespace tracker {
namespace {

namespace json = boost::json;
using lungo::Errc;
using lungo::Error;
using lungo::Offset;
using lungo::Result;
using lungo::TopicPartition;

bool is_hidden(std::string_view topic) { return topic.starts_with("__lungo_"); }

std::string quoted(std::string_view text) { return "\"" + printable(shown(text)) + "\""; }

std::int32_t partitions_of(const lungo::TopicInfo& topic) { return topic.spec.partitions; }

Result<std::vector<OffsetRange>> ranges_of(lungo::EventLog& log, const lungo::TopicInfo& topic) {
  std::vector<OffsetRange> ranges;
  for (std::int32_t number = 0; number < partitions_of(topic); ++number) {
    Result<lungo::Ends> ends = log.ends({topic.spec.name, lungo::PartitionId{number}});
    if (!ends) return ends.error();
    ranges.push_back({ends->start, ends->committed});
  }
  return ranges;
}

std::optional<Offset> parse_offset(std::string_view text) {
  const std::optional<std::int64_t> number = lungo::parse_number<std::int64_t>(text);
  return number && *number >= 0 ? std::optional{Offset{*number}} : std::nullopt;
}

Error above_end(std::string_view cursor, std::size_t partition, Offset end) {
  return {Errc::offset_out_of_range,
          std::string(cursor) + ": partition " + std::to_string(partition) + " ends at offset " + std::to_string(end.value())};
}

// Lets the ranges end where the page before did. An offset below the start is no error: the log was trimmed meanwhile.
Result<void> apply_cursor(std::string_view cursor, std::vector<OffsetRange>& ranges) {
  const Error senseless{Errc::invalid_argument, "before: a cursor has an offset for each of the " +
                                                    std::to_string(ranges.size()) + " partitions, as in 12,7,0,3"};
  for (std::size_t index = 0; index < ranges.size(); ++index) {
    const std::size_t comma = cursor.find(',');
    const bool is_last = index + 1 == ranges.size();
    if ((comma == std::string_view::npos) != is_last) return senseless;
    const std::optional<Offset> below = parse_offset(cursor.substr(0, comma));
    if (!below) return senseless;
    if (*below > ranges[index].below) return above_end("before", index, ranges[index].below);
    ranges[index].below = *below;
    if (!is_last) cursor.remove_prefix(comma + 1);
  }
  return {};
}

json::value cursor_of(const NewestFirst& reader) {
  if (reader.is_at_beginning()) return nullptr;
  std::string cursor;
  for (const Offset place : reader.places()) cursor += (cursor.empty() ? "" : ",") + std::to_string(place.value());
  return json::value(cursor);
}

}  // namespace

Result<lungo::TopicInfo> EventBrowser::find(std::string_view topic) {
  const Error missing{Errc::not_found, "there is no topic " + quoted(topic)};
  if (is_hidden(topic)) return missing;
  Result<lungo::TopicInfo> info = store_.log().topic(topic);
  return !info && info.error() == Errc::not_found ? missing : info;
}

Result<std::string> EventBrowser::topics() {
  Result<std::vector<lungo::TopicInfo>> infos = store_.log().topics();
  if (!infos) return infos.error();
  json::array topics;
  for (const lungo::TopicInfo& info : *infos) {
    if (is_hidden(info.spec.name)) continue;
    Result<std::vector<OffsetRange>> ranges = ranges_of(store_.log(), info);
    if (!ranges) return ranges.error();
    json::array partitions;
    for (const OffsetRange& range : *ranges)
      partitions.push_back(json::object{{"start", range.start.value()}, {"end", range.below.value()}});
    topics.push_back(json::object{{"name", shown(info.spec.name)}, {"partitions", std::move(partitions)}});
  }
  return json::serialize(json::object{{"topics", std::move(topics)}});
}

Result<std::string> EventBrowser::streams(std::string_view topic) {
  Result<lungo::TopicInfo> info = find(topic);
  if (!info) return info.error();
  Result<std::vector<OffsetRange>> ranges = ranges_of(store_.log(), *info);
  if (!ranges) return ranges.error();

  struct Stream {
    std::string name;
    std::int64_t events;
    lungo::Timestamp last;
  };
  std::vector<Stream> streams;
  std::map<std::string, std::size_t, std::less<>> places;
  std::int64_t looked_at = 0;
  NewestFirst reader{store_.log(), info->spec.name, *ranges, kRecordsLookedAtMax};
  while (true) {
    Result<std::optional<FoundRecord>> found = reader.newest();
    if (!found) return found.error();
    if (!*found) break;
    const lungo::RecordView& record = (*found)->record;
    const std::string_view name = lungo::as_text(record.key);
    auto place = places.find(name);
    if (place == places.end()) {
      place = places.emplace(name, streams.size()).first;
      streams.push_back({shown(name), 0, record.timestamp});
    }
    ++streams[place->second].events;
    ++looked_at;
    reader.take();
  }

  json::array rows;
  for (const Stream& stream : streams)
    rows.push_back(json::object{{"stream", stream.name}, {"events", stream.events}, {"last", shown(stream.last)}});
  return json::serialize(json::object{{"streams", std::move(rows)}, {"looked_at", looked_at}});
}

Result<std::string> EventBrowser::events(const EventsQuery& query) {
  if (query.limit < 1 || query.limit > EventsQuery::kLimitMax)
    return Error{Errc::invalid_argument, "limit: 1 to " + std::to_string(EventsQuery::kLimitMax)};
  if (query.stream ? query.before.has_value() : query.after.has_value())
    return Error{Errc::invalid_argument, "a stream is read with `after`, all streams with `before`"};
  Result<lungo::TopicInfo> info = find(query.topic);
  if (!info) return info.error();
  return query.stream ? of_stream(*info, query) : newest(*info, query);
}

Result<std::string> EventBrowser::newest(const lungo::TopicInfo& topic, const EventsQuery& query) {
  Result<std::vector<OffsetRange>> ranges = ranges_of(store_.log(), topic);
  if (!ranges) return ranges.error();
  if (query.before) {
    Result<void> applied = apply_cursor(*query.before, *ranges);
    if (!applied) return applied.error();
  }
  json::array events;
  NewestFirst reader{store_.log(), topic.spec.name, *ranges, static_cast<std::size_t>(query.limit)};
  while (static_cast<std::int64_t>(events.size()) < query.limit) {
    Result<std::optional<FoundRecord>> found = reader.newest();
    if (!found) return found.error();
    // A page ends early rather than out of order, unless it would be empty: paging must get on.
    if (!*found || (!reader.is_in_order() && !events.empty())) break;
    events.push_back(event_row({topic.spec.name, (*found)->partition}, (*found)->record));
    reader.take();
  }
  return json::serialize(json::object{{"events", std::move(events)}, {"before", cursor_of(reader)}});
}

Result<std::string> EventBrowser::of_stream(const lungo::TopicInfo& topic, const EventsQuery& query) {
  if (!topic.spec.streams) return Error{Errc::invalid_argument, "topic " + quoted(topic.spec.name) + " keeps no streams"};
  const TopicPartition partition{topic.spec.name, lungo::partition_of_stream(*query.stream, partitions_of(topic))};
  Result<lungo::Ends> ends = store_.log().ends(partition);
  if (!ends) return ends.error();
  Offset begin = ends->start;
  if (query.after) {
    const std::optional<Offset> after = parse_offset(*query.after);
    if (!after) return Error{Errc::invalid_argument, "after: a cursor is an offset, as in 12"};
    if (*after > ends->committed)
      return above_end("after", static_cast<std::size_t>(partition.partition.value()), ends->committed);
    begin = std::max(begin, *after);
  }
  Result<lungo::KeyRecords> found =
      store_.log().read_key(partition, *query.stream, begin, ends->committed, static_cast<std::size_t>(query.limit));
  if (!found) return found.error();
  if (found->records.empty() && found->done && !query.after)
    return Error{Errc::not_found, "topic " + quoted(topic.spec.name) + " has no stream " + quoted(*query.stream)};
  json::array events;
  for (const lungo::RecordView& record : found->records) events.push_back(event_row(partition, record));
  const json::value after = found->done ? json::value{} : json::value(std::to_string(found->next.value()));
  return json::serialize(json::object{{"events", std::move(events)}, {"after", after}});
}

Result<std::string> EventBrowser::event(std::string_view topic, lungo::PartitionId partition, Offset offset) {
  Result<lungo::TopicInfo> info = find(topic);
  if (!info) return info.error();
  const std::int32_t partitions = partitions_of(*info);
  if (partition.value() < 0 || partition.value() >= partitions)
    return Error{Errc::not_found, "topic " + quoted(topic) + " has partitions 0 to " + std::to_string(partitions - 1)};
  const TopicPartition place{info->spec.name, partition};
  Result<lungo::Ends> ends = store_.log().ends(place);
  if (!ends) return ends.error();
  if (offset < ends->start || offset >= ends->committed)
    return Error{Errc::offset_out_of_range, to_string(place) + " holds the offsets from " +
                                                std::to_string(ends->start.value()) + " to below " +
                                                std::to_string(ends->committed.value())};
  Result<lungo::Fetched> chunk = store_.log().read(place, offset, 0);
  if (!chunk) return chunk.error();
  lungo::RecordCursor cursor = chunk->records();
  const lungo::RecordView* record = cursor.next();
  if (cursor.error()) return cursor.error()->with_context(to_string(place));
  if (record == nullptr || record->offset != offset)
    return Error{Errc::not_found, to_string(place) + " has no event at offset " + std::to_string(offset.value())};
  return event_json(place, *record, store_.shapes());
}

}  // namespace tracker
