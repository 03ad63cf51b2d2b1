#include "http/peer_address.hpp"

#include <cstring>

namespace tracker::http {

namespace ip = boost::asio::ip;

ip::address unmapped(const ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

std::uint64_t network_of(const ip::address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  std::uint64_t network = 0;
  std::memcpy(&network, address.to_v6().to_bytes().data(), sizeof network);
  return network | (std::uint64_t{1} << 63);
}

}  // namespace tracker::http
