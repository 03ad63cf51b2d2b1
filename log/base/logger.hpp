// The logger of this folder, called `log`.
//
// Level and sinks are the application's: it may register a spdlog logger named "log" of its own; otherwise lines go where its
// default logger sends them. Nothing is registered or configured here.
// Threads: any.
#pragma once

#include <spdlog/spdlog.h>
#include <memory>

namespace lungo {

/// The application's logger named "log", or its default logger under that name. Never null; lines are rare, so the lookup per
/// line does not matter.
std::shared_ptr<spdlog::logger> logger();

}  // namespace lungo
