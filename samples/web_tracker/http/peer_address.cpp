#include "http/peer_address.hpp"

#include <cstddef>

namespace tracker::http {

namespace ip = boost::asio::ip;

ip::address unmapped(const ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return ip::make_address_v4(ip::v4_mapped, address.to_v6());
}

std::uint64_t network_of(const ip::address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  const ip::address_v6::bytes_type bytes = address.to_v6().to_bytes();
  std::uint64_t network = 0;
  for (std::size_t i = 0; i < sizeof network; ++i) network = network << 8 | bytes[i];
  return network | (std::uint64_t{1} << 63);  // no IPv4 address; addresses of the internet have a zero there
}

}  // namespace tracker::http
