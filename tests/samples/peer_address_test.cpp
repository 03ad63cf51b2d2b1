// Whose an address is.
#include "http/peer_address.hpp"

#include <gtest/gtest.h>

namespace tracker::http {
namespace {

using boost::asio::ip::make_address;

TEST(PeerAddress, MappedOneIsItself) {
  EXPECT_EQ(unmapped(make_address("::ffff:192.0.2.1")), make_address("192.0.2.1"));
  for (const char* text : {"192.0.2.1", "::1", "2001:db8::1", "::192.0.2.1"})
    EXPECT_EQ(unmapped(make_address(text)), make_address(text));
}

TEST(PeerAddress, NetworkIsWhatOneHolderHas) {
  const auto network = [](const char* text) { return network_of(make_address(text)); };
  EXPECT_EQ(network("2001:db8:1:1::1"), network("2001:db8:1:1:ffff::2"));
  EXPECT_NE(network("2001:db8:1:1::1"), network("2001:db8:1:2::1"));
  EXPECT_NE(network("2001:db8:1:1::1"), network("2001:db8:1:81::1"));
  EXPECT_NE(network("2001:db8:1:1::1"), network("2001:db8:81:1::1"));
  EXPECT_NE(network("192.0.2.1"), network("192.0.2.2"));
  EXPECT_NE(network("0.0.0.1"), network("::1"));
}

}  // namespace
}  // namespace tracker::http
