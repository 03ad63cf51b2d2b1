#include "tests/support/quiet_log.hpp"

#include <spdlog/spdlog.h>

namespace lungo::test {

QuietLog::QuietLog(Loudness loudness) : level_before_(static_cast<int>(spdlog::get_level())) {
  spdlog::set_level(loudness == Loudness::nothing ? spdlog::level::off : spdlog::level::warn);
}

QuietLog::~QuietLog() { spdlog::set_level(static_cast<spdlog::level::level_enum>(level_before_)); }

}  // namespace lungo::test
