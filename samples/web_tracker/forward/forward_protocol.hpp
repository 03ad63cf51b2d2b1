// How trackers on one log talk to each other: what an endpoint looks like, and by what a request is known to be a tracker's.
//
//   POST /internal/forward HTTP/1.1     body: a forwarded append (forwarded_command.hpp)
//   X-Tracker-Seal: SEAL                -> 200, body: its answer, as there
//
//   SEAL = hex of HMAC-SHA256 under a key that is made of the trackers' secret, over the body
//
// Who lacks the secret can neither make a request nor change one; who reads along may send it again, so the connection belongs
// on a network of the trackers' own. Threads: pure functions.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/visitor_ids.hpp"

namespace tracker {

inline constexpr std::string_view kForwardPath = "/internal/forward";
inline constexpr std::string_view kSealField = "X-Tracker-Seal";

/// "192.0.2.1:80" or "[2001:db8::1]:80"; nothing for other text. Names of hosts are none.
std::optional<boost::asio::ip::tcp::endpoint> endpoint_of(std::string_view text);
std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint);

std::string seal_of(const Secret& secret, std::string_view body);
/// Compares in a time that does not tell how much of it was right.
bool is_seal_of(std::string_view given, const Secret& secret, std::string_view body);

}  // namespace tracker
