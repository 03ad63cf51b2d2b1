// One line of an access log, taken apart: Apache's and nginx's common and combined formats.
//
//   line    = address " " { any } "[" time "]" spaces '"' request '"' spaces status [ " " [ bytes ] { any } [ quoted [ { any }
//   quoted ] ] { any } ] time    = DD "/" Mon "/" YYYY ":" hh ":" mm ":" ss " " ("+" | "-") hhmm quoted  = '"' { character |
//   "\" character } ( '"' | end of the line )       first the referrer, then the user agent
//
// A line is malformed when it lacks an address, a bracketed valid time, a quoted request or a 3-digit status, and for nothing
// else: everything behind the status is optional and may be cut off. Backslash escapes are recognised, so that an escaped quote
// ends nothing, and kept as they are.
// Threads: pure functions.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tracker {

/// Longer lines are dropped; without this bound one file without line ends would fill the memory.
inline constexpr std::size_t kLineBytesMax = 64u << 10;

/// Why a line was dropped. Fixed numbers: they are stored in progress records.
enum class DropReason : std::uint8_t {
  no_address = 0,
  no_time = 1,
  no_request = 2,
  no_status = 3,
  too_long = 4,
  continued = 5
};
inline constexpr std::size_t kDropReasons = 6;

/// "no address", "no valid time in brackets", ...: what the summary and `failed-events` say.
std::string_view to_string(DropReason reason);

/// Views into the line that was parsed.
struct AccessLine {
  std::string_view address;
  std::chrono::sys_seconds time;  // UTC
  std::chrono::minutes zone{0};   // what the line's clock is ahead of UTC
  std::string_view request;       // all that stood between the quotes
  std::string_view method;        // first word; empty when the request is one word or none
  std::string_view target;        // second word; the whole request when it has no second
  std::string_view protocol;      // third word, if any
  std::uint16_t status = 0;
  std::optional<std::int64_t> bytes;
  std::string_view referrer;    // "-" as it stands in the line; empty when absent
  std::string_view user_agent;  // likewise
  bool closed = false;          // the user agent's closing quote is there: nothing behind it changes any field

  /// Time by the line's own clock, which decides its day.
  [[nodiscard]] std::chrono::sys_seconds local_time() const { return time + zone; }
};

/// Takes `line`, without its line end, apart. Nothing returned = fine; otherwise what was missing, the first of them in the
/// order of the line. About 200 ns; allocates nothing.
std::optional<DropReason> parse_access_line(std::string_view line, AccessLine& out);

/// True when `line`, which a file's end may have cut off, says all that a Request takes from it, whatever is written behind it.
bool is_closed_line(std::string_view line);

}  // namespace tracker
