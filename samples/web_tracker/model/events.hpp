// The events of the web tracker: plain structs, and that is all.
//
// Topics: `events` (Request, PageViewed, CustomEvent, stream visitor-ID), `sessions` (SessionStarted, SessionEnded),
// `failed-events` (FailedLine, stream failed-FILE). Both stream topics have the same number of partitions, since the process's
// outputs lie beside its inputs.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/request_target.hpp"
#include "ingest/user_agent.hpp"

namespace tracker {

inline constexpr std::string_view kEventsTopic = "events";
inline constexpr std::string_view kSessionsTopic = "sessions";
inline constexpr std::string_view kFailedTopic = "failed-events";

/// One line of an access log. The visitor is the stream; no address and no raw user agent is kept. Its time is the event's too.
struct Request {
  std::array<std::byte, 16> visitor{};  // names an (address, user agent) within one day; see visitor_ids.hpp
  std::chrono::sys_seconds time{};
  std::int32_t zone_minutes = 0;  // what the line's clock is ahead of UTC
  std::string method;
  std::string target;
  std::string protocol;
  std::int32_t status = 0;
  std::optional<std::int64_t> bytes;
  std::string referrer;       // empty: none
  std::string referrer_host;  // lower case; empty: none
  std::string browser;
  std::string system;
  Device device = Device::other;
  RequestKind kind = RequestKind::other;
  bool bot = false;

  /// A person saw a page: what sessions, referrers, browsers and devices count.
  [[nodiscard]] bool is_view() const { return !bot && kind == RequestKind::page && status >= 200 && status < 400; }
  /// By the line's own clock, which decides its day.
  [[nodiscard]] std::chrono::sys_seconds local_time() const { return time + std::chrono::minutes{zone_minutes}; }
};

/// A page that was looked at, as the beacon or a program tells it. Its clock is UTC.
struct PageViewed {
  static constexpr std::int32_t zone_minutes = 0;
  std::array<std::byte, 16> visitor{};
  std::chrono::sys_seconds time{};
  std::string host;    // the site: the domain that was named, otherwise the url's host
  std::string target;  // path and query
  std::string referrer;
  std::string referrer_host;
  std::string browser;
  std::string system;
  Device device = Device::other;
  bool bot = false;
  std::map<std::string, std::string> props;

  [[nodiscard]] bool is_view() const { return !bot; }
  [[nodiscard]] std::chrono::sys_seconds local_time() const { return time; }
};

/// Anything else that happened on a page: a click, an order. No view, and no matter of sessions.
struct CustomEvent {
  static constexpr std::int32_t zone_minutes = 0;
  std::string name;
  std::array<std::byte, 16> visitor{};
  std::chrono::sys_seconds time{};
  std::string host;
  std::string target;
  std::string referrer;
  std::string referrer_host;
  std::string browser;
  std::string system;
  Device device = Device::other;
  bool bot = false;
  std::map<std::string, std::string> props;

  [[nodiscard]] bool is_view() const { return false; }
  [[nodiscard]] std::chrono::sys_seconds local_time() const { return time; }
};

/// A visitor's first page after half an hour without one, or on a new day.
struct SessionStarted {
  std::chrono::sys_seconds started{};
  std::int32_t zone_minutes = 0;
  std::string entry_page;
  std::string referrer_host;  // empty: came directly
};

/// Pages of a session that its event names; of a longer one the first.
inline constexpr std::size_t kSessionPathMax = 64;

/// Its time is when the session was known to be over: half an hour after its last page, or the end of its day.
struct SessionEnded {
  std::chrono::sys_seconds started{};  // time of the earliest page
  std::int32_t zone_minutes = 0;
  std::int64_t duration_seconds = 0;  // from the earliest page to the latest
  std::int64_t pages = 0;
  bool bounce = false;  // saw one page only
  std::string entry_page;
  std::string exit_page;
  std::string referrer_host;
  std::vector<std::string> path;  // in the order of the log, at most kSessionPathMax
};

/// A line that could not become a Request, kept so that nothing is lost: repair it and import it again.
struct FailedLine {
  std::string file;        // as the user named it
  std::uint64_t line = 0;  // from 1
  std::string reason;
  std::uint64_t line_bytes = 0;     // with its line end
  std::vector<std::byte> original;  // without its line end; of a line over 512 KiB the first 512 KiB
};

}  // namespace tracker
