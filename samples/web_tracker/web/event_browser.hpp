// The event browser's answers: topics, streams and events of a log as the JSON of GET /api/topics, /api/streams, /api/events
// and /api/event (docs/decisions/0004-the-tracker-as-a-service.md).
//
// Works on any log, not only the tracker's: events are decoded by their shapes. Topics of the library itself (__lungo_...) are
// not shown.
// Promise: what is asked may be anything, and what the log holds too: both are answered in bounded time and memory, with JSON
// in valid UTF-8 (other bytes are written as \xNN, names over 1,000 bytes are cut) or with an Error whose text is fit to be
// shown. Errors of all: not_found for a topic that is not there; as EventLog::read(). Threads: any thread, one call at a time.
// Reads the log, which may wait for a disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/event_store.hpp>

namespace tracker {

struct EventsQuery {
  static constexpr std::int64_t kLimitMax = 200;

  std::string topic;
  std::optional<std::string> stream = {};  // in its written form; without: events of all streams
  std::optional<std::string> before = {};  // without a stream: "before" of the page that this one follows
  std::optional<std::string> after = {};   // with a stream: "after" of that page
  std::int64_t limit = 50;                 // 1 to kLimitMax
};

class EventBrowser {
 public:
  explicit EventBrowser(lungo::EventStore store) : store_(std::move(store)) {}

  lungo::Result<std::string> topics();

  /// The streams of about the newest 2,000 events; the one with the newest event first.
  lungo::Result<std::string> streams(std::string_view topic);

  /// A page of events. Without a stream the newest first, as NewestFirst has it; the cursor is an offset for each partition,
  /// "12,7,0,3", below which the next page begins. A page may have fewer events than asked for (big ones, say) and still not be
  /// the last: the last has no cursor. With a stream the oldest first; the cursor is the offset where the next page begins.
  /// Errors: invalid_argument  limit or cursor make no sense; the topic keeps no streams;  offset_out_of_range  a cursor above
  /// the end;  not_found  also for a stream without events.
  lungo::Result<std::string> events(const EventsQuery& query);

  /// One event with its payload, or with the reason why it can't be shown: no shape or an unknown one, bytes that are none of
  /// it, over 256 KiB. "bytes" counts the payload's.
  /// Errors: not_found  also for a partition that is not there;  offset_out_of_range  outside of what the log holds.
  lungo::Result<std::string> event(std::string_view topic, lungo::PartitionId partition, lungo::Offset offset);

 private:
  lungo::Result<lungo::TopicInfo> find(std::string_view topic);
  lungo::Result<std::string> newest(const lungo::TopicInfo& topic, const EventsQuery& query);
  lungo::Result<std::string> of_stream(const lungo::TopicInfo& topic, const EventsQuery& query);

  lungo::EventStore store_;
};

}  // namespace tracker
