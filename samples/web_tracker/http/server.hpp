// A small HTTP/1.1 and WebSocket server for one application.
//
// Promise: no peer can make it hold more than the limits say, whatever it sends, however slowly, and however little it reads.
// Threads: an Activity whose thread runs one io_context; everything on it is single-threaded. listen(), close() and post() may
// be called from any thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <lungo/log/executor.hpp>
#include <lungo/log/result.hpp>

#include "http/exchange.hpp"

namespace tracker::http {

struct Limits {
  std::uint32_t header_bytes_max = 8u << 10;
  std::uint64_t body_bytes_max = 64u << 10;
  std::chrono::milliseconds header_timeout{10'000};   // from a request's first byte to the end of its header
  std::chrono::milliseconds request_timeout{30'000};  // from its first byte to its last, and again for the answer to be taken
  std::chrono::milliseconds idle_timeout{60'000};     // between requests
  std::chrono::milliseconds patience{1'000};          // with a request that comes, where others wait for a connection
  std::chrono::milliseconds silence_max{40'000};      // of a WebSocket; half way there it is pinged
  std::size_t connections_max = 8000;
  std::size_t connections_per_address_max = 256;  // an IPv6 /64 is one address; 0: no limit
  bool loopback_is_limited = false;               // by that: all of a reverse proxy's connections come from it
  std::size_t message_bytes_max = 64u << 10;      // of a WebSocket, in
  std::size_t unsent_bytes_max = 1u << 20;        // of a WebSocket, out: more is not queued, the socket is dropped
};

/// What has happened since the start; read on the server's thread.
struct Counts {
  std::uint64_t connections = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;  // answered by the server itself: 400, 408, 413, 426, 431
  std::size_t sockets = 0;    // WebSockets that are open
  std::uint64_t messages_sent = 0;
  std::uint64_t slow_readers_dropped = 0;
};

class Server final : public lungo::Activity {
 public:
  /// `application` must outlive the server. Whatever is open when it goes is cut off.
  Server(Application& application, Limits limits);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Opens the port (0: any free one) and accepts from the first step on. Errors: locked: another program has the port;
  /// invalid_argument: no address of this machine; io.
  lungo::Result<void> listen(const boost::asio::ip::address& address, std::uint16_t port);
  [[nodiscard]] std::uint16_t port() const;

  /// Accepts no more, lets requests in progress be answered, closes idle connections and WebSockets (1001). `on_empty` is
  /// called once none is left, on the server's thread.
  void close(std::function<void()> on_empty);
  /// No connection is left. Any thread.
  [[nodiscard]] bool is_empty() const;

  /// Runs `work` on the server's thread.
  void post(std::function<void()> work);
  /// The same for those who may outlive the server: then the work is dropped.
  [[nodiscard]] std::function<void(std::function<void()>)> poster() const;
  [[nodiscard]] const Counts& counts() const;
  /// Connections that are open.
  [[nodiscard]] std::size_t open() const;
  [[nodiscard]] boost::asio::io_context& context();

  // Activity.
  lungo::Instant step(lungo::Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "web"; }

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tracker::http
