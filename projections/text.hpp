// Text forms that messages and the replay tool share: hexadecimal bytes; and comparing cells. What tools of all folders share
// is in <lungo/log/printed.hpp>.
#pragma once

#include <string>
#include <string_view>

#include <lungo/log/printed.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

std::string hex_text(BytesView bytes);
/// The bytes that hexadecimal digits stand for, as far as they are digits.
std::string bytes_of_hex(std::string_view text);

bool same_cell(const Cell& a, const Cell& b);

}  // namespace lungo
