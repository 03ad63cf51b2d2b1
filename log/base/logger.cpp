#include "base/logger.hpp"

namespace lungo {

std::shared_ptr<spdlog::logger> logger() {
  constexpr const char* kName = "log";
  if (std::shared_ptr<spdlog::logger> own = spdlog::get(kName)) return own;
  if (spdlog::logger* fallback = spdlog::default_logger_raw()) return fallback->clone(kName);
  return std::make_shared<spdlog::logger>(kName);  // the application took its default logger away: no sinks
}

}  // namespace lungo
