#include "web/access.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "web/query.hpp"

namespace tracker {
namespace {

constexpr std::string_view kCookie = "tracker_session";
constexpr std::chrono::hours kSession{12};

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

Digest digest_of(std::string_view text) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

/// Of what `Cookie` lists, the value under our name.
std::string_view cookie_of(std::string_view cookies) {
  while (!cookies.empty()) {
    std::string_view one = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(one.size() + 1, cookies.size()));
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.size() > kCookie.size() && one.starts_with(kCookie) && one[kCookie.size()] == '=')
      return one.substr(kCookie.size() + 1);
  }
  return {};
}

/// "localhost" of "localhost:8080", "[::1]" of "[::1]:8080"; nothing where something else is behind the name.
std::string_view name_of(std::string_view host) {
  const std::size_t end = host.starts_with('[') ? host.find(']') + 1 : std::min(host.find(':'), host.size());
  return end == host.size() || host[end] == ':' ? host.substr(0, end) : std::string_view{};
}

/// A path on this host, whoever reads it: browsers take "//host" and "/\\host" for another one, and drop tabs and line ends.
bool is_way_back(std::string_view target) {
  constexpr std::size_t kBytesMax = 2048;  // encoded, it still fits into a header
  if (!target.starts_with('/') || target.starts_with("//") || target.size() > kBytesMax) return false;
  return std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c <= '~' && c != '\\'; });
}

}  // namespace

Access::Access(std::string password, const Secret& secret)
    : password_(std::move(password)), key_(secret.key_for("dashboard-session", password_)) {}

bool Access::is_password(std::string_view given) const {
  const Digest left = digest_of(given);
  const Digest right = digest_of(password_);
  return !password_.empty() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool Access::has_session(const http::Request& request, lungo::Timestamp now) const {
  const std::string_view cookie = cookie_of(request[http::field::cookie]);
  const std::size_t dot = cookie.find('.');
  if (dot == cookie.npos) return false;
  const std::string_view expiry = cookie.substr(0, dot);
  const std::string seal_of_it = seal(expiry);
  const std::string_view given = cookie.substr(dot + 1);
  if (given.size() != seal_of_it.size() || CRYPTO_memcmp(given.data(), seal_of_it.data(), given.size()) != 0) return false;
  std::int64_t until = 0;
  std::from_chars(expiry.data(), expiry.data() + expiry.size(), until);
  return until > now.time_since_epoch().count();
}

bool Access::shows_password(const http::Request& request) const {
  constexpr std::string_view kBasic = "Basic ";
  const std::string_view authorization = request[http::field::authorization];
  if (!boost::beast::iequals(authorization.substr(0, kBasic.size()), kBasic)) return false;
  const std::optional<std::string> pair = from_base64(authorization.substr(kBasic.size()));
  return pair && pair->find(':') != pair->npos && is_password(std::string_view{*pair}.substr(pair->find(':') + 1));
}

std::string Access::session_cookie(lungo::Timestamp now) const {
  const std::string expiry = std::to_string((now + kSession).time_since_epoch().count());
  return std::string(kCookie) + "=" + expiry + "." + seal(expiry) +
         "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(std::chrono::seconds{kSession}.count());
}

std::string Access::no_cookie() { return std::string(kCookie) + "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"; }

std::string Access::seal(std::string_view expiry) const {
  Digest digest;
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(expiry.data()),
       expiry.size(), digest.data(), &size);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool Access::is_our_host(const http::Request& request) const {
  if (asks_password()) return true;
  std::string_view name = name_of(request[http::field::host]);
  if (boost::beast::iequals(name, "localhost")) return true;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  boost::system::error_code is_none;
  const auto address = boost::asio::ip::make_address(std::string{name}, is_none);
  return !is_none && address.is_loopback();
}

bool Access::is_same_origin(const http::Request& request) {
  const std::string_view origin = request[http::field::origin];
  if (origin.empty()) return true;
  const std::size_t scheme = origin.find("://");
  return scheme != origin.npos && boost::beast::iequals(origin.substr(scheme + 3), request[http::field::host]);
}

std::string login_for(std::string_view target) {
  return target == "/" || !is_way_back(target) ? "/login" : "/login?to=" + encoded(target);
}

std::string way_back_of(std::string_view query) {
  const Query asked{query};
  const std::string_view to = asked.get("to").value_or("/");
  return is_way_back(to) ? std::string{to} : "/";
}

std::optional<std::string> from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0 || text.size() > 1024) return std::nullopt;
  const std::size_t digits = std::min(text.find_first_not_of(kDigits), text.size());
  const std::string_view padding = text.substr(digits);
  if (padding.size() > 2 || padding.find_first_not_of('=') != padding.npos) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int written = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (written < 0) return std::nullopt;
  bytes.resize(bytes.size() - padding.size());
  return bytes;
}

}  // namespace tracker
