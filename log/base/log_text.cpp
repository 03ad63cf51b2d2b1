#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <lungo/log/log_text.hpp>

#include "base/logger.hpp"

namespace lungo {
namespace {

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return spdlog::level::debug;
    case Severity::info:
      return spdlog::level::info;
    case Severity::warn:
      return spdlog::level::warn;
    case Severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void log_text(std::string_view folder, Severity severity, const std::string& text) {
  const std::string name(folder);
  if (const std::shared_ptr<spdlog::logger> own = spdlog::get(name)) {
    own->log(level_of(severity), text);
  } else {
    default_logger("")->log(level_of(severity), "[{}] {}", name, text);
  }
}

void log_to_stderr(Severity least) {
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level_of(least));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace lungo
