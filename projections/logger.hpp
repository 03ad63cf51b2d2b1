// The log lines of this folder: logger `projections`.
#pragma once

#include <string>

#include <lungo/log/log_text.hpp>

namespace lungo {

inline void log_info(const std::string& text) { log_text("projections", Severity::info, text); }
inline void log_warn(const std::string& text) { log_text("projections", Severity::warn, text); }
inline void log_error(const std::string& text) { log_text("projections", Severity::error, text); }

}  // namespace lungo
