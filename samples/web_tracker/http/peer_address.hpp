// A peer's address as the limits count it.
//
// Threads: pure functions.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>

namespace tracker::http {

/// An IPv4 address that a socket for both families shows as an IPv6 one, as itself: access logs have it so, and it is the same
/// peer's. Done where an address comes in; behind that none is mapped.
boost::asio::ip::address unmapped(const boost::asio::ip::address& address);

/// What one holder has: an IPv4 address, or the /64 that an IPv6 one lies in, as who has one address of it has them all.
std::uint64_t network_of(const boost::asio::ip::address& address);

}  // namespace tracker::http
