// Who may look at the dashboard, and which pages' requests may change something.
//
// With a password: a cookie that the login page gave out, or Basic authentication for programs. The cookie is
// EXPIRY "." HMAC-SHA256(key, EXPIRY), where the key comes from the tracker's secret and the password: no list of sessions is
// kept, a restart ends none, and another password ends them all. It is HttpOnly and SameSite=Strict. Without one (loopback
// only): the Host header must name this machine's loopback, or a foreign page could make its own name point here (DNS
// rebinding) and read what it likes. In both cases a change and a WebSocket must come from this origin. Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/types.hpp>

#include "http/exchange.hpp"
#include "ingest/visitor_ids.hpp"

namespace tracker {

class Access {
 public:
  /// An empty password: none is asked for.
  Access(std::string password, const Secret& secret);

  [[nodiscard]] bool asks_password() const { return !password_.empty(); }
  /// Compares in a time that does not tell how much of it was right.
  [[nodiscard]] bool is_password(std::string_view given) const;
  /// The request's cookie is of a session that we began and that has not ended.
  [[nodiscard]] bool has_session(const http::Request& request, lungo::Timestamp now) const;
  /// The request brings the password, as programs do, by Basic authentication.
  [[nodiscard]] bool shows_password(const http::Request& request) const;
  /// Value of Set-Cookie that begins a session; with an empty one, that ends it.
  [[nodiscard]] std::string session_cookie(lungo::Timestamp now) const;
  [[nodiscard]] static std::string no_cookie();

  /// The Host header names this machine's loopback; always true with a password, whose cookie no other name gets.
  [[nodiscard]] bool is_our_host(const http::Request& request) const;
  /// No page of another origin sent this: Origin, which browsers always send with such requests, is absent or is our own.
  [[nodiscard]] static bool is_same_origin(const http::Request& request);

 private:
  [[nodiscard]] std::string seal(std::string_view expiry) const;

  const std::string password_;
  const Secret::Key key_;
};

/// The login page, which leads back to `target`: path and query of a page of ours.
std::string login_for(std::string_view target);
/// Where a login leads that was sent to /login?`query`: to the `to` in it, and to "/" when that is no path on this host.
std::string way_back_of(std::string_view query);

/// Bytes from base64; nothing when it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace tracker
