#include "web/access.hpp"

#include <gtest/gtest.h>

#include <string>

#include <lungo/log/ports.hpp>

#include "tests/support/temp_directory.hpp"

namespace tracker {
namespace {

using http::field;
using lungo::Timestamp;

constexpr Timestamp kNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

Access access_of(const std::string& password, const Secret& secret = {}) { return Access{password, secret}; }
http::Request with(field name, std::string_view value) {
  http::Request request;
  request.fields.set(name, value);
  return request;
}
http::Request with_cookie(const std::string& set_cookie) {
  return with(field::cookie, set_cookie.substr(0, set_cookie.find(';')));
}

TEST(Access, PasswordIsRightAsAWhole) {
  const Access access = access_of("open: sesame");
  EXPECT_TRUE(access.asks_password());
  EXPECT_TRUE(access.is_password("open: sesame"));
  for (const char* wrong : {"", "open", "open: sesame ", "Open: sesame", "open: sesam"})
    EXPECT_FALSE(access.is_password(wrong));
  EXPECT_FALSE(access.is_password(std::string("open: sesame\0", 13)));
}

TEST(Access, WithoutPasswordNoneIsRightAndNoneIsAsked) {
  const Access access = access_of("");
  EXPECT_FALSE(access.asks_password());
  EXPECT_FALSE(access.is_password(""));
  EXPECT_FALSE(access.shows_password(with(field::authorization, "Basic Og==")));
}

TEST(Access, SessionEndsAtItsTime) {
  const Access access = access_of("password");
  const http::Request request = with_cookie(access.session_cookie(kNow));
  EXPECT_TRUE(access.has_session(request, kNow));
  EXPECT_TRUE(access.has_session(request, kNow + std::chrono::hours{12} - std::chrono::milliseconds{1}));
  EXPECT_FALSE(access.has_session(request, kNow + std::chrono::hours{12}));
  EXPECT_FALSE(access.has_session(request, kNow + std::chrono::hours{1000}));
}

TEST(Access, SessionIsOfThisSecretAndThisPassword) {
  const http::Request request = with_cookie(access_of("password").session_cookie(kNow));
  EXPECT_TRUE(access_of("password").has_session(request, kNow)) << "a restart ended it";
  EXPECT_FALSE(access_of("passwore").has_session(request, kNow));
  EXPECT_FALSE(access_of("").has_session(request, kNow));
  const lungo::PosixPorts ports;
  const lungo::test::TempDirectory directory;
  const Secret other = Secret::load_or_create(ports.ports().storage, directory.path(), ports.ports().random).value();
  EXPECT_FALSE(access_of("password", other).has_session(request, kNow));
}

TEST(Login, LeadsBackToWhereItWasAskedFor) {
  for (const char* target : {"/?period=7d&page=%2Fa%26b", "/replay", "/events?topic=events"})
    EXPECT_EQ(way_back_of(login_for(target).substr(std::string_view{"/login?"}.size())), target);
  for (const std::string& target : {std::string{"/"}, std::string{"//evil.com"}, std::string{"/a\\b"}, std::string{"http://a/"},
                                    "/?page=" + std::string(4000, '%')})
    EXPECT_EQ(login_for(target), "/login") << target;
}

TEST(Access, SessionCantBeMadeLonger) {
  const Access access = access_of("password");
  const std::string cookie = access.session_cookie(kNow);
  const std::size_t begin = cookie.find('=') + 1;
  for (std::size_t at = begin; at < cookie.find(';'); ++at) {
    std::string forged = cookie;
    forged[at] = forged[at] == '9' ? '8' : '9';
    EXPECT_FALSE(access.has_session(with_cookie(forged), kNow)) << forged;
  }
  EXPECT_FALSE(access.has_session(with_cookie(Access::no_cookie()), kNow));
}

TEST(Access, PasswordThatAProgramShows) {
  const Access access = access_of("password");
  const auto shows = [&](std::string_view text) { return access.shows_password(with(field::authorization, text)); };
  EXPECT_TRUE(shows("Basic OnBhc3N3b3Jk"));
  EXPECT_TRUE(shows("basic dXNlcjpwYXNzd29yZA=="));
  for (const char* wrong :
       {"", "Basic", "Basic ", "Basic cGFzc3dvcmQ=", "Basic OnBhc3N3b3J ", "Basic OlBhc3N3b3Jk", "Bearer OnBhc3N3b3Jk"})
    EXPECT_FALSE(shows(wrong)) << wrong;
}

TEST(Access, SameOrigin) {
  const auto is_same = [](std::string_view origin, std::string_view host) {
    http::Request request = with(field::host, host);
    request.fields.set(field::origin, origin);
    return Access::is_same_origin(request);
  };
  EXPECT_TRUE(Access::is_same_origin(with(field::host, "localhost")));
  EXPECT_TRUE(is_same("http://localhost:8080", "localhost:8080"));
  EXPECT_TRUE(is_same("https://Stats.Example.com", "stats.example.com"));
  EXPECT_FALSE(is_same("http://localhost:8081", "localhost:8080"));
  EXPECT_FALSE(is_same("http://evil.com", "stats.example.com"));
  EXPECT_FALSE(is_same("http://stats.example.com.evil.com", "stats.example.com"));
  EXPECT_FALSE(is_same("null", "null"));
  EXPECT_FALSE(is_same("http://", "localhost"));
  EXPECT_FALSE(is_same("localhost", "localhost"));
}

TEST(Access, OurHostIsLoopbackWithoutPassword) {
  const Access access = access_of("");
  for (const char* ours : {"localhost", "LOCALHOST", "localhost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"})
    EXPECT_TRUE(access.is_our_host(with(field::host, ours))) << ours;
  for (const char* other : {"", "evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "[::2]", "[::1].evil.com", "[::1",
                            "::1", ":8080", "localhost.", "0.0.0.0"})
    EXPECT_FALSE(access.is_our_host(with(field::host, other))) << other;
  EXPECT_FALSE(access.is_our_host(http::Request{}));
  EXPECT_TRUE(access_of("password").is_our_host(with(field::host, "stats.example.com")));
}

TEST(Base64, OfAllLengths) {
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("YQ=="), "a");
  EXPECT_EQ(from_base64("YWI="), "ab");
  EXPECT_EQ(from_base64("YWJj"), "abc");
  EXPECT_EQ(from_base64("AP/+"), std::string("\0\xff\xfe", 3));
}

TEST(Base64, WhatIsNone) {
  for (const char* text : {"Y", "YQ", "YQ=", "YQ===", "Y===", "====", "Y Q=", "YQ=\n", "    ", "YQ==YQ==", "YW-j", "YW_j",
                           "YQ=a", "\xff\xff\xff\xff"})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  EXPECT_EQ(from_base64(std::string(4096, 'A')), std::nullopt);
}

}  // namespace
}  // namespace tracker
