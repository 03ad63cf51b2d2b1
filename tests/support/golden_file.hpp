// The hex files of tests/golden: digits, with comments from '#' to the end of the line.
#pragma once

#include <lungo/log/bytes.hpp>
#include <string>

namespace lungo::test {

/// The bytes of tests/golden/NAME; a failed expectation and nothing when it is not there.
Bytes golden_file(const std::string& name);

}  // namespace lungo::test
