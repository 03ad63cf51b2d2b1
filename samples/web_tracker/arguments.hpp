// The program's command line.
//
// Threads: the main thread, before anything is started.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>
#include <vector>

#include <lungo/log/result.hpp>

#include "run.hpp"
#include "tracker.hpp"

namespace tracker {

/// What was asked for, beside what a Run needs.
struct CommandLine {
  Arguments run;
  std::string address;       // of the log, where it is not in the data directory
  std::string kafka_config;  // its file of settings
  boost::asio::ip::tcp::endpoint endpoint{boost::asio::ip::address_v4::loopback(), 0};  // for other trackers on it
  TrackerOptions tracker;
  std::chrono::seconds session_timeout{30 * 60};
};

/// Nothing: `status` is what the program ends with; the help or the reason was printed.
std::optional<CommandLine> parse_command_line(int argc, const char* const* argv, int& status);

}  // namespace tracker
