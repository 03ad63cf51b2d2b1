// Text from logs made fit for JSON and for terminals.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace tracker {

/// The text with every byte that is not part of valid UTF-8 written as \xNN.
std::string valid_utf8(std::string_view text);
/// The same, with control characters as \xNN too: a log's line must not steer a terminal.
std::string printable(std::string_view text);

}  // namespace tracker
