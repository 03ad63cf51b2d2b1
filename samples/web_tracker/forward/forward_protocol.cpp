#include "forward/forward_protocol.hpp"

#include <openssl/crypto.h>

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <span>

#include <lungo/log/text.hpp>

namespace tracker {

namespace ip = boost::asio::ip;

std::optional<ip::tcp::endpoint> endpoint_of(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (wrong != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const bool is_v6 = host.starts_with('[') && host.ends_with(']');
  if (is_v6) host = host.substr(1, host.size() - 2);
  boost::system::error_code is_none;
  const ip::address address = ip::make_address(std::string{host}, is_none);
  if (is_none || address.is_v6() != is_v6) return std::nullopt;
  return ip::tcp::endpoint{address, port};
}

std::string text_of(const ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

std::string seal_of(const Secret& secret, std::string_view body) {
  const Secret::Key seal = secret.key_for("forwarded-append", body);
  return lungo::to_hex(std::as_bytes(std::span{seal}));
}

bool is_seal_of(std::string_view given, const Secret& secret, std::string_view body) {
  const std::string seal = seal_of(secret, body);
  return given.size() == seal.size() && CRYPTO_memcmp(given.data(), seal.data(), seal.size()) == 0;
}

}  // namespace tracker
