// Lines for the operator, from any folder: subject first, then key=value; never payloads or secrets.
//
// Level and sinks are the application's: a spdlog logger that it registered under the folder's name, otherwise its default one.
// Where it has chosen neither, they go to standard error, from the level of spdlog's default logger on.
//   const auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>("shop.log");
//   spdlog::set_default_logger(std::make_shared<spdlog::logger>("shop", file));      // all lines
//   spdlog::register_logger(std::make_shared<spdlog::logger>("projections", file));  // one folder's, with a level of its own
// Threads: any.
#pragma once

#include <string>
#include <string_view>

namespace lungo {

enum class Severity {
  debug,  // per request
  info,   // state changes that an operator acts on
  warn,   // survived something
  error,  // someone must act
};

/// Writes a line to the logger called `folder`.
void log_text(std::string_view folder, Severity severity, const std::string& text);

/// For a program whose output is its result: lines of all folders go to standard error from now on, those below `least`
/// nowhere. A library never calls this.
void log_to_stderr(Severity least);

}  // namespace lungo
