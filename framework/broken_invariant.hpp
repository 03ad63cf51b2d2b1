// What an activity of the framework answers when it ran into a bug of ours.
#pragma once

#include <string>

#include <lungo/log/check.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// The error for the status of `who`, which stops for good; it is logged here, once. Only inside `catch (...)`.
inline Error stopped_on_broken_invariant(const std::string& who) {
  Error error{Errc::closed, who + " stopped on a broken invariant: " + current_exception_text()};
  log_text("framework", Severity::error, std::string(error.text()));
  return error;
}

}  // namespace lungo
