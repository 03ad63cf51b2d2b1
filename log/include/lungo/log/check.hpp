// `check`: an invariant of ours that stays on in release builds.
//
// For every folder. A broken invariant is our bug: it throws, the owner's loop closes the partition (or projection), logs it
// once and reports it. A library never ends its host.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace lungo {

class invariant_broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// What the exception in flight says, for the one `catch (...)` at an edge: its what(), or that it is no std::exception. Only
/// inside a handler.
std::string current_exception_text();

[[noreturn]] void fail_check(const char* what, std::source_location where);

/// Throws `invariant_broken` with `what` and the place unless `condition` holds.
inline void check(bool condition, const char* what, std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    fail_check(what, where);
}

}  // namespace lungo
