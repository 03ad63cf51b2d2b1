#include "base/logger.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace lungo {
namespace {

/// As spdlog makes it when the program starts: the application has chosen nothing.
bool is_spdlogs_own(spdlog::logger& logger) {
  return logger.name().empty() && logger.sinks().size() == 1 &&
         dynamic_cast<spdlog::sinks::stdout_color_sink_mt*>(logger.sinks().front().get()) != nullptr;
}

}  // namespace

std::shared_ptr<spdlog::logger> logger() {
  constexpr const char* kName = "log";
  if (std::shared_ptr<spdlog::logger> own = spdlog::get(kName)) return own;
  return default_logger(kName);
}

std::shared_ptr<spdlog::logger> default_logger(const std::string& name) {
  spdlog::logger* const fallback = spdlog::default_logger_raw();
  if (fallback == nullptr) return std::make_shared<spdlog::logger>(name);  // the application took it away: no sinks
  std::shared_ptr<spdlog::logger> logger = fallback->clone(name);
  if (is_spdlogs_own(*fallback)) logger->sinks() = {std::make_shared<spdlog::sinks::stderr_color_sink_mt>()};
  return logger;
}

}  // namespace lungo
