// What a User-Agent header tells: browser, operating system, kind of device, and whether it is a program.
//
// A handful of rules over the words that real headers hold, by hand: enough for a dashboard, no claim to know every device.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace tracker {

/// Fixed numbers: stored in events.
enum class Device : std::uint8_t { other = 0, desktop = 1, mobile = 2, tablet = 3 };

/// "desktop", "mobile", "tablet", "other".
std::string_view to_string(Device device);

/// Names are constants of the program and never end; "other" where no rule fits.
struct UserAgent {
  std::string_view browser;
  std::string_view system;
  Device device = Device::other;
  bool bot = false;  // a crawler, feed reader, script or monitor; also: no user agent at all
};

/// Judges the header's text as it stands in the log. About a microsecond; allocates nothing.
UserAgent judge_user_agent(std::string_view text);

}  // namespace tracker
