// A connection that has become a WebSocket: messages in to a listener, messages out through a bounded queue.
//
// Threads: the server's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <memory>

#include "http/connection.hpp"

namespace tracker::http {

class OpenSocket final : public WebSocket {
 public:
  /// The stream must outlive it.
  OpenSocket(Shared& shared, boost::beast::tcp_stream& stream);

  void send(std::shared_ptr<const std::string> message) override;
  /// Says goodbye (1001) behind what is queued.
  void close();

  /// Accepts the handshake and passes messages on until the socket is gone. Keeps what it needs until both directions ended.
  boost::asio::awaitable<void> run(Request request, unsigned version, std::unique_ptr<SocketListener> listener);

 private:
  boost::asio::awaitable<void> read(SocketListener& listener);
  bool pass_on(std::string_view text, SocketListener& listener);
  boost::asio::awaitable<void> write();
  void drop();

  Shared& shared_;
  boost::beast::websocket::stream<boost::beast::tcp_stream&, false> stream_;
  std::deque<std::shared_ptr<const std::string>> unsent_;
  std::size_t unsent_bytes_ = 0;
  boost::asio::steady_timer news_;  // cancelled when there is something to write, or nothing ever again
  bool closing_ = false;
  bool ended_ = false;
  bool writing_ = false;
};

}  // namespace tracker::http
