// The data directory that the user of a command-line tool names, or the address of a log elsewhere. Makes nothing. Threads:
// any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// Ok when `directory` is a data directory; `option` is what the user names it with.
/// Errors: not_found (nothing there, or no data directory; says which, and what to do).
Result<void> check_is_data_directory(const std::string& directory, std::string_view option);

/// Opens its log for reading, beside a live application or not. Errors: as check_is_data_directory() and open_local().
Result<std::shared_ptr<EventLog>> open_to_look_at(const std::string& directory, std::string_view option);

/// Whether the user means a log elsewhere (SCHEME://...) and no directory. So does a `kafka:` without its slashes: the
/// directory of that name is written ./kafka:...
bool is_address(std::string_view text);

/// What a program answers that was given an address and has nothing to open it with: unsupported, saying what to install.
Error built_without_kafka();

}  // namespace lungo
