// A tracker that serves, and a client that asks it, one request at a time over a connection that is kept.
#pragma once

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/samples/tracker_directory.hpp"

namespace lungo::test {

/// The port that a tracker said it serves on; waits for it. 0: it does not.
inline std::uint16_t port_of(Program& program) {
  constexpr std::string_view kBefore = "web-tracker: http://127.0.0.1:";
  std::uint16_t port = 0;
  static_cast<void>(eventually([&] {
    const std::string said = program.err();
    const std::size_t at = said.find(kBefore);
    if (at != said.npos && said.find('/', at + kBefore.size()) != said.npos)
      port = static_cast<std::uint16_t>(std::stoi(said.substr(at + kBefore.size())));
    return port != 0 || !program.is_running();
  }));
  return port;
}

struct PlainAnswer {
  int status = 0;
  std::string body;
  std::string retry_after;
};

class PlainClient {
 public:
  explicit PlainClient(std::uint16_t port) : port_(port) {}

  /// Nothing when the server is gone, or goes meanwhile.
  std::optional<PlainAnswer> ask(boost::beast::http::verb method, const std::string& target, const std::string& body = {},
                                 const std::string& media_type = "application/json") {
    namespace http = boost::beast::http;
    boost::system::error_code error;
    if (!socket_.is_open()) socket_.connect({boost::asio::ip::address_v4::loopback(), port_}, error);
    http::request<http::string_body> request{method, target, 11};
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::user_agent, kBrowser);
    if (!body.empty()) request.set(http::field::content_type, media_type);
    request.body() = body;
    request.prepare_payload();
    if (!error) http::write(socket_, request, error);
    http::response<http::string_body> response;
    if (!error) http::read(socket_, buffer_, response, error);
    if (error || !response.keep_alive()) socket_.close();
    if (error) return std::nullopt;
    return PlainAnswer{static_cast<int>(response.result_int()), response.body(),
                       std::string{response[http::field::retry_after]}};
  }
  std::optional<PlainAnswer> get(const std::string& target) { return ask(boost::beast::http::verb::get, target); }
  std::optional<PlainAnswer> post_event(const std::string& body) {
    return ask(boost::beast::http::verb::post, "/api/event", body);
  }

  static constexpr const char* kBrowser = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";

 private:
  const std::uint16_t port_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
};

inline std::string page_view(const std::string& page) {
  return R"({"name": "pageview", "url": "http://localhost)" + page + R"("})";
}

}  // namespace lungo::test
