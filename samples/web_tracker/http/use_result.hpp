// The completion token of all asynchronous calls: they return (error, result) and never throw.
#pragma once

#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tracker::http {

inline constexpr auto use_result = boost::asio::experimental::as_tuple(boost::asio::use_awaitable);

}  // namespace tracker::http
