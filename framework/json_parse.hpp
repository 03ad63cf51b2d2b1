// Boost.JSON's parser with one difference: doubles are read to the nearest value, not to within a few units.
//
// For json_reader.cpp. Boost 1.81 computes doubles quickly and loses their last bits; an event must come back as it was.
#pragma once

#include <boost/json/error.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

namespace lungo::detail {

/// The document in `text`; `error` says what is wrong with it. Nested deeper than `depth_max` is an error.
boost::json::value parse_json(std::string_view text, std::size_t depth_max, boost::json::error_code& error);

}  // namespace lungo::detail
