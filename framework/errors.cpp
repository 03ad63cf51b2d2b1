#include <lungo/framework/errors.hpp>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/log_text.hpp>

#include <algorithm>

#include "compacted_topic.hpp"

namespace lungo {

Duration RetryPolicy::delay_after(int failures) const {
  Duration wait = delay;
  for (int count = 1; count < failures && wait < delay_max; ++count) wait *= 2;
  return std::min(wait, delay_max);
}

bool is_about_event(const Error& error) {
  return error == Errc::undecodable || error == Errc::unknown_shape || error == Errc::incompatible_shape ||
         error == Errc::unsupported;
}

namespace {

/// For the operator: what was set aside, and why.
std::string line_of(const ParkedEvent& event) {
  const std::string what = !event.command.empty()     ? "command " + event.command
                           : event.event_type.empty() ? "a record"
                                                      : event.event_type;
  const Error error{static_cast<Errc>(event.error), event.text.substr(0, event.text.find('\n'))};
  return event.reader + " parked " + what + " in " + to_string(TopicPartition{event.topic, PartitionId{event.partition}}) +
         " at offset " + std::to_string(event.offset) + " and goes on: " + to_string(error);
}

}  // namespace

Result<void> prepare_parking(EventStore& store) {
  Result<TopicInfo> topic = internal_topic(store, kParkedTopic, false);
  if (!topic) return topic.error();
  return store.declare(events<ParkedEvent>{});
}

Result<void> park_wait(EventStore& store, const ParkedEvent& event, Duration timeout) {
  AppendRequest request{.to = {std::string(kParkedTopic), PartitionId{0}},
                        .records = {},
                        .condition = {},
                        .since = {},
                        .on_behalf_of = {{event.topic, PartitionId{event.partition}}}};
  std::string key =
      event.reader + "/" + event.topic + "/" + std::to_string(event.partition) + "/" + std::to_string(event.offset);
  if (!event.command.empty()) key += "/" + event.command;
  Result<void> added = add_row(store.log(), key, event, request.records);
  if (!added) return added;
  Result<Appended> appended = append_wait(store.log(), std::move(request), timeout);
  if (!appended) return appended.error();
  log_text("framework", Severity::warn, line_of(event));
  return {};
}

Result<std::vector<ParkedEvent>> parked_events(EventStore& store, std::string_view reader) {
  std::vector<ParkedEvent> found;
  Result<TopicInfo> topic = store.topic(kParkedTopic);
  if (!topic && topic.error() == Errc::not_found) return found;
  if (!topic) return topic.error();
  EventDecoder decoder{store.shapes()};
  decoder.add<ParkedEvent>();
  PartitionReader rows{store.log(), *topic, Position{topic->id, PartitionId{0}, Offset{0}, kNoEpoch}};
  while (true) {
    Result<const Envelope*> row = rows.next();
    if (!row) return row.error();
    if (*row == nullptr) return found;
    Result<Decoded> decoded = decoder.decode(**row);
    if (!decoded) return decoded.error();
    if (decoded->type < 0) continue;
    const auto& event = *static_cast<const ParkedEvent*>(decoded->event);
    if (event.reader == reader) found.push_back(event);
  }
}

}  // namespace lungo
