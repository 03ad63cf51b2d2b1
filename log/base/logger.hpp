// The logger of this folder, called `log`.
//
// Level and sinks are the application's: it may register a spdlog logger named "log" of its own; otherwise lines go where its
// default logger sends them, and to standard error when it has not set one. Nothing is registered or configured here.
// Threads: any.
#pragma once

#include <spdlog/spdlog.h>
#include <memory>
#include <string>

namespace lungo {

/// The application's logger named "log", or its default logger under that name. Never null; lines are rare, so the lookup per
/// line does not matter.
std::shared_ptr<spdlog::logger> logger();

/// The application's default logger under another name; one to standard error, of the same level, as long as that is spdlog's
/// own: a library does not write into a program's output. Never null.
std::shared_ptr<spdlog::logger> default_logger(const std::string& name);

}  // namespace lungo
