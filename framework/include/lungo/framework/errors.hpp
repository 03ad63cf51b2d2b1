// What happens when an event can't be handled: retrying, stopping, parking.
//
// For subscriptions and processes.
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

class EventStore;

/// How often and how far apart a failing handler is tried again.
struct RetryPolicy {
  int attempts = 3;  // in all; 1 = no second try
  Duration delay = std::chrono::milliseconds{100};
  Duration delay_max = std::chrono::seconds{10};  // each delay doubles the one before, up to this

  /// How long to wait after `failures` (at least 1) failures in a row.
  [[nodiscard]] Duration delay_after(int failures) const;
};

/// What becomes of an event that still fails after the last attempt.
enum class OnFailure {
  park,  // note its position in `__lungo_parked` and go on
  stop,  // stop before it, with the error
};

struct ErrorPolicy {
  RetryPolicy retry;
  OnFailure then = OnFailure::park;
};

/// True for errors that are about one event, which readers may set aside; all others are about the log.
bool is_about_event(const Error& error);

/// A position that was set aside; the event itself stays where it is. Row of the compacted topic `__lungo_parked`, keyed by
/// reader, topic, partition and offset, and by the command.
struct ParkedEvent {
  static constexpr std::string_view event_name = "lungo.ParkedEvent";
  std::string reader;  // name of the subscription, process or projection
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string event_type;
  std::int32_t error = 0;  // Errc
  std::string text;
  std::int32_t attempts = 0;
  std::string command;  // id of the process's command that failed, whose input was handled; empty: the event failed
};

inline constexpr std::string_view kParkedTopic = "__lungo_parked";

/// Makes the topic and declares its rows, which park_wait() shall not have to wait for. Errors: as EventStore::declare().
Result<void> prepare_parking(EventStore& store);

/// Notes a parked event, for who owns its partition; waits until that is committed, and logs it as a warning. Errors: as
/// EventLog::append(), not_owner among them; timed_out.
Result<void> park_wait(EventStore& store, const ParkedEvent& event, Duration timeout = std::chrono::seconds{30});

/// All parked events of `reader`, in the order they were parked. Errors: as EventLog::read().
Result<std::vector<ParkedEvent>> parked_events(EventStore& store, std::string_view reader);

}  // namespace lungo
