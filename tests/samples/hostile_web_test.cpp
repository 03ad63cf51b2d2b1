// What HTTP allows nobody to send, and some send: each has its listed answer (docs/decisions/0004).
#include <gtest/gtest.h>

#include <string>

#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kEvent = R"({"name":"pageview","url":"https://example.com/"})";

std::string healthz(std::string_view fields = {}) { return http_request("GET", "/healthz", fields); }
/// The event behind a header that says something of its own about the body.
std::string post_with(std::string_view fields, std::string_view body = kEvent) {
  return "POST /api/event HTTP/1.1\r\nHost: localhost\r\n" + std::string{fields} + "\r\n" + std::string{body};
}
std::string chunked(std::string_view body) { return post_with("Transfer-Encoding: chunked\r\n", body); }
std::string chunk(std::size_t size) {
  char digits[17];
  const int length = std::snprintf(digits, sizeof digits, "%zx", size);
  return std::string(digits, static_cast<std::size_t>(length)) + "\r\n" + std::string(size, ' ') + "\r\n";
}
const std::string kLength = "Content-Length: " + std::to_string(kEvent.size()) + "\r\n";
const std::string kOneChunk = "30\r\n" + std::string{kEvent} + "\r\n0\r\n";

TEST(HostileWeb, HeadersOverTheirLimit) {
  static_assert(kEvent.size() == 0x30);
  const WebSite site{unhurried()};
  expect_rows(site, {
                        {"one field of 8 KiB", healthz("X: " + std::string(8200, 'x') + "\r\n"), 431, {"\"error\":"}},
                        {"one field of a megabyte", healthz("X: " + std::string(1 << 20, 'x') + "\r\n"), 431},
                        {"many fields", healthz(repeated("X-Field: 0123456789\r\n", 500)), 431},
                        {"many empty fields", healthz(repeated("X:\r\n", 3000)), 431},
                        {"target of 8 KiB", http_request("GET", "/" + std::string(8200, 'a')), 431},
                        {"no line ends", std::string(20'000, 'a'), 431},
                        {"cookies", healthz(repeated("Cookie: a=b\r\n", 800)), 431},
                        {"just under the limit", healthz("X: " + std::string(8100, 'x') + "\r\n"), 200},
                    });
}

TEST(HostileWeb, BodiesOverTheirLimit) {
  const WebSite site{unhurried()};
  const std::string padded = std::string{kEvent} + std::string((64 << 10) - kEvent.size(), ' ');
  expect_rows(
      site, {
                {"a length of 64 KiB and one", post_with("Content-Length: 65537\r\n", ""), 413, {"\"error\":"}},
                {"a length of 64 KiB and one, and so much", post_event(padded + " "), 413},
                {"a megabyte that is sent whole", post_event(std::string(1 << 20, ' ')), 413},
                {"a length of terabytes", post_with("Content-Length: 1000000000000\r\n", ""), 413},
                {"a length of 2^64 - 1", post_with("Content-Length: 18446744073709551615\r\n", ""), 413},
                {"a length of 2^64", post_with("Content-Length: 18446744073709551616\r\n", ""), 400},
                {"a chunk of 64 KiB and one", chunked(chunk(65'537) + "0\r\n\r\n"), 413},
                {"many chunks", chunked(repeated(chunk(1024), 65) + "0\r\n\r\n"), 413},
                {"a chunk of 2^64 - 1", chunked("ffffffffffffffff\r\n"), 413},
                {"a chunk of 2^64", chunked("10000000000000000\r\n"), 400},
                {"a chunk extension of a megabyte", chunked("1;x=" + std::string(1 << 20, 'x')), 413},
                {"a chunk size of a megabyte of zeros", chunked(std::string(1 << 20, '0')), 413},
                {"trailers of a megabyte", chunked("0\r\n" + repeated("X: 0123456789\r\n", 70'000)), 413},
                {"expected by a client that waits", post_with("Expect: 100-continue\r\nContent-Length: 65537\r\n", ""), 413},
                {"a GET with a body over the limit", "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n", 413},
                {"exactly 64 KiB", post_event(padded), 204},
            });
}

TEST(HostileWeb, LengthsThatTwoReadersMayReadDifferently) {
  const WebSite site{unhurried()};
  const std::string te = "Transfer-Encoding: chunked\r\n";
  const std::vector<Row> rows{
      {"both lengths", post_with(kLength + te, kOneChunk + "\r\n"), 400},
      {"both lengths, the other way round", post_with(te + kLength, kOneChunk + "\r\n"), 400},
      {"two different lengths", post_with(kLength + "Content-Length: 3\r\n"), 400},
      {"two different lengths in a list", post_with("Content-Length: 48, 3\r\n"), 400},
      {"a negative length", post_with("Content-Length: -1\r\n"), 400},
      {"a length with a plus", post_with("Content-Length: +48\r\n"), 400},
      {"a hexadecimal length", post_with("Content-Length: 0x30\r\n"), 400},
      {"a length with a space", post_with("Content-Length: 4 8\r\n"), 400},
      {"an empty length", post_with("Content-Length: \r\n"), 400},
      {"a length that is no number", post_with("Content-Length: many\r\n"), 400},
      {"space before the colon", post_with("Content-Length : 48\r\n"), 400},
      {"chunked twice", post_with(te + te, kOneChunk + "\r\n"), 400},
      {"chunked twice in a list", post_with("Transfer-Encoding: chunked, chunked\r\n", kOneChunk + "\r\n"), 400},
      {"chunked not last", post_with("Transfer-Encoding: chunked, gzip\r\n", kOneChunk + "\r\n"), 400},
      {"gzip, then chunked", post_with("Transfer-Encoding: gzip, chunked\r\n", kOneChunk + "\r\n"), 400},
      {"no coding that is known", post_with("Transfer-Encoding: xchunked\r\n", kOneChunk + "\r\n"), 400},
      {"identity", post_with("Transfer-Encoding: identity\r\n" + kLength), 400},
      {"identity alone", post_with("Transfer-Encoding: identity\r\n"), 400},
      {"an empty coding", post_with("Transfer-Encoding:\r\n"), 400},
      {"chunked in HTTP/1.0", "POST /api/event HTTP/1.0\r\nHost: localhost\r\n" + te + "\r\n" + kOneChunk + "\r\n", 400},
      {"a chunk size that is none", chunked("zz\r\n\r\n"), 400},
      {"a chunk longer than its size", chunked("3\r\n" + std::string{kEvent} + "\r\n0\r\n\r\n"), 400},
      {"two hosts", healthz("Host: localhost\r\nHost: example.com\r\n"), 400},
      {"no host", "GET /healthz HTTP/1.1\r\n\r\n", 400},
      {"a chunk and all is well", chunked(kOneChunk + "\r\n"), 204},
      {"the same length twice", post_with(kLength + kLength), 204},
  };
  expect_rows(site, rows);
  // Nor is what follows such a request taken for another one.
  for (const Row& row : rows) {
    if (row.status != 400) continue;
    SCOPED_TRACE(row.name);
    WebClient client = site.client();
    client.send(row.bytes + healthz());
    EXPECT_TRUE(client.read());
    EXPECT_TRUE(client.is_closed());
  }
}

TEST(HostileWeb, WhatIsNotHttp) {
  const WebSite site{unhurried()};
  expect_rows(site, {
                        {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(60, 'x'), 400},
                        {"zeros", std::string(100, '\0'), 400},
                        {"every byte",
                         [] {
                           std::string bytes;
                           for (int byte = 255; byte >= 0; --byte) bytes += static_cast<char>(byte);
                           return bytes;
                         }(),
                         400},
                        {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
                        {"HTTP/0.9", "GET /\r\n\r\n", 400},
                        {"HTTP/2.0 in the first line", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400},
                        {"a version that is none", "GET / HTTP/one\r\nHost: localhost\r\n\r\n", 400},
                        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 400},
                        {"two spaces", "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
                        {"a space in the target", "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
                        {"a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
                        {"bare line feeds", "GET / HTTP/1.1\nHost: localhost\n\n", 400},
                        {"a zero in a field", healthz(std::string("X: a\0b\r\n", 8)), 400},
                        {"a carriage return in a field", healthz("X: a\rb\r\n"), 400},
                        {"a field without a colon", healthz("nonsense\r\n"), 400},
                        {"a field without a name", healthz(": x\r\n"), 400},
                        {"a name with a space", healthz("a b: x\r\n"), 400},
                        {"a name in brackets", healthz("(a): x\r\n"), 400},
                    });
}

TEST(HostileWeb, MethodsAndPaths) {
  const WebSite site{unhurried()};
  const auto at = [](std::string_view method, std::string_view target) { return http_request(method, target); };
  expect_rows(site, {
                        {"a method that is none", at("BREW", "/"), 405, {"Allow: GET, HEAD"}},
                        {"a method in lower case", at("get", "/"), 405, {"Allow: GET, HEAD"}},
                        {"TRACE", at("TRACE", "/"), 405, {"Allow: GET, HEAD"}},
                        {"DELETE a page", at("DELETE", "/demo/"), 405, {"Allow: GET, HEAD"}},
                        {"PUT an event", at("PUT", "/api/event"), 405, {"Allow: POST, OPTIONS, GET"}},
                        {"PATCH a rebuild", at("PATCH", "/api/rebuild"), 405, {"Allow: POST, DELETE"}},
                        {"GET a rebuild", at("GET", "/api/rebuild"), 405, {"Allow: POST, DELETE"}},
                        {"POST metrics", at("POST", "/metrics"), 405, {"Allow: GET"}},
                        {"POST health", at("POST", "/healthz"), 405, {"Allow: GET"}},
                        {"PUT a login", at("PUT", "/login"), 405, {"POST", "GET"}},
                        {"GET a logout", at("GET", "/logout"), 405, {"Allow: POST"}},
                        {"CONNECT", at("CONNECT", "example.com:443"), 404},
                        {"OPTIONS of everything", at("OPTIONS", "*"), 404},
                        {"HEAD", at("HEAD", "/healthz"), 200},
                        {"a folder without its slash", at("GET", "/demo"), 308, {"Location: /demo/\n"}},
                        {"a folder and a query", at("GET", "/demo?a=%2F&b"), 308, {"Location: /demo/?a=%2F&b\n"}},
                        {"HEAD of a folder", at("HEAD", "/demo"), 308, {"Location: /demo/\n"}},
                        {"another folder", at("GET", "/assets"), 404},
                        {"HEAD of a page", at("HEAD", "/demo/"), 200, {"Content-Type: text/html"}},
                        {"nothing there", at("GET", "/nothing"), 404, {"\"error\":"}},
                        {"up", at("GET", "/../../etc/passwd"), 404},
                        {"up from a folder", at("GET", "/demo/../../../etc/passwd"), 404},
                        {"up to a page", at("GET", "/assets/../dashboard.html"), 404},
                        {"up, written by percent", at("GET", "/demo/%2e%2e/%2e%2e/etc/passwd"), 404},
                        {"up with a backslash", at("GET", "/demo/..\\..\\etc\\passwd"), 404},
                        {"a percent that is none", at("GET", "/%zz"), 404},
                        {"a zero, written by percent", at("GET", "/demo/%00"), 404},
                        {"two slashes", at("GET", "//"), 404},
                        {"another server's path", at("GET", "//example.com/%2f.."), 404},
                        {"a folder without a name", at("GET", "/assets/"), 404},
                        {"absolute", at("GET", "http://example.com/"), 404},
                        {"a query only", at("GET", "?period=7d"), 404},
                        {"bytes that are no UTF-8", at("GET", "/\xff\xfe"), 404, {"\"error\":"}},
                        {"markup", at("GET", "/<script>alert(1)</script>"), 404, {"Content-Type: application/json"}},
                        {"a WebSocket without its handshake", at("GET", "/ws"), 426, {"Upgrade: websocket"}},
                        {"a page with a query", at("GET", "/demo/?a=%zz"), 200},
                    });
  const std::optional<Answer> answer = site.ask(at("GET", "/" + std::string(7000, 'a')));
  ASSERT_TRUE(answer);
  EXPECT_LT(answer->body.size(), 300U) << "a long path comes back whole";
  const std::optional<Answer> head = site.ask(at("HEAD", "/demo/"));
  ASSERT_TRUE(head);
  EXPECT_GT(std::stoi((*head)["Content-Length"]), 100);
}

TEST(HostileWeb, QueriesThatAreWrong) {
  const WebSite site{unhurried()};
  const auto at = [](std::string_view target) { return http_request("GET", target); };
  const std::string event = "/api/event?topic=events&";
  expect_rows(site, {
                        {"a percent that is none", at("/api/stats?period=%zz"), 400, {"\"error\":"}},
                        {"half a percent", at("/api/streams?topic=events%4"), 400, {"\"error\":"}},
                        {"a percent at the end", at("/api/events?topic=events&stream=%"), 400},
                        {"a limit that is no number", at("/api/events?topic=events&limit=ten"), 400, {"limit"}},
                        {"a limit below zero", at("/api/events?topic=events&limit=-1"), 400, {"limit"}},
                        {"no partition", at(event + "offset=0"), 400, {"partition"}},
                        {"a partition below zero", at(event + "partition=-1&offset=0"), 400},
                        {"a partition of 2^31", at(event + "partition=2147483648&offset=0"), 400},
                        {"an offset of 2^63", at(event + "partition=0&offset=9223372036854775808"), 400},
                        {"an offset with an exponent", at(event + "partition=0&offset=1e3"), 400},
                        {"an offset and words", at(event + "partition=0&offset=1%00"), 400},
                    });
}

TEST(HostileWeb, PagesAndAnswersOfTheServerItselfAreSafe) {
  const WebSite site{unhurried()};
  for (const char* page : {"/", "/replay", "/events", "/login", "/demo/"}) {
    SCOPED_TRACE(page);
    const std::optional<Answer> answer = site.ask(http_request("GET", page));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_TRUE(answer->has("Content-Security-Policy"));
    expect_safe(*answer);
    const std::optional<Answer> known = site.ask(http_request("GET", page, "If-None-Match: " + (*answer)["ETag"] + "\r\n"));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->status, 304);
    expect_safe(*known);
  }
}

TEST(HostileWeb, RequestsBehindOneAnother) {
  const WebSite site{unhurried()};
  WebClient client = site.client();
  ASSERT_TRUE(client.send(healthz() + post_event(kEvent) + http_request("GET", "/nothing") + healthz()));
  for (const int status : {200, 204, 404, 200}) {
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
  }
  ASSERT_TRUE(client.send(healthz() + "nonsense\r\n\r\n" + healthz()));
  for (const int status : {200, 400}) {
    const std::optional<Answer> answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
  }
  EXPECT_TRUE(client.is_closed());
}

TEST(HostileWeb, OldHttpIsAnsweredAndClosed) {
  const WebSite site{unhurried()};
  WebClient client = site.client();
  client.send("GET /healthz HTTP/1.0\r\n\r\n");
  const std::optional<Answer> answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_TRUE(client.is_closed());
  WebClient kept = site.client();
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(kept.read());
  }
  WebClient last = site.client();
  last.send(healthz("Connection: close\r\n"));
  EXPECT_TRUE(last.read());
  EXPECT_TRUE(last.is_closed());
}

TEST(HostileWeb, WhoWaitsForAWordBeforeTheBodyGetsIt) {
  const WebSite site{unhurried()};
  WebClient client = site.client();
  client.send(post_with("Expect: 100-continue\r\n" + kLength, ""));
  std::optional<Answer> answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 100);
  client.send(kEvent);
  answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
}

TEST(HostileWeb, OldHttpGetsNoWordBeforeTheBody) {
  const WebSite site{unhurried()};
  expect_rows(site, {{"expected in HTTP/1.0",
                      "POST /api/event HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\n" + kLength + "\r\n" +
                          std::string{kEvent},
                      204}});
}

TEST(HostileWeb, WhoClosesHalfIsAnswered) {
  const WebSite site{unhurried()};
  WebClient client = site.client();
  client.send(post_event(kEvent));
  client.half_close();
  const std::optional<Answer> answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  WebClient half = site.client();
  half.send(post_with(kLength, "{"));
  half.half_close();
  EXPECT_TRUE(half.is_closed());
}

}  // namespace
}  // namespace lungo::test
