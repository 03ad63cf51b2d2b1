// Topics, streams and events as JSON, for the page that browses them. Shapes of the answers: docs/reference/tracker-api.md.
//
// Promise: each call does a bounded amount of work, whatever it is asked for and whatever the log holds; what can't be decoded
// is shown as such. Threads: one call at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/event_store.hpp>

namespace tracker {

struct EventsQuery {
  std::string topic;
  std::optional<std::string> stream;  // its events, oldest first; without it all, newest first
  std::string before;                 // without a stream: where the page before this one ended; empty: the end
  std::string after;                  // with one: the offset behind the last one shown; empty: the beginning
  std::int64_t limit = 50;            // 1 to kEventsPerPageMax
};

inline constexpr std::int64_t kEventsPerPageMax = 200;

class EventBrowser {
 public:
  explicit EventBrowser(lungo::EventStore store) : store_(std::move(store)) {}

  /// All but Lungo's own. Errors: as EventLog::ends().
  lungo::Result<std::string> topics();
  /// Those of the newest 2,000 events, the one that an event came to last first. Errors: not_found; as EventLog::read().
  lungo::Result<std::string> streams(std::string_view topic);
  /// Errors: not_found: no such topic; invalid_argument, naming the field; as EventLog::read().
  lungo::Result<std::string> events(const EventsQuery& query);
  /// One event with its envelope, its payload decoded by its shape. Errors: not_found; offset_out_of_range; as
  /// EventLog::read().
  lungo::Result<std::string> event(std::string_view topic, lungo::PartitionId partition, lungo::Offset offset);

 private:
  lungo::Result<std::string> events_of_stream(const lungo::TopicInfo& topic, const EventsQuery& query);

  lungo::EventStore store_;
};

}  // namespace tracker
