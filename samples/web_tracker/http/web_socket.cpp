#include "http/web_socket.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

#include <lungo/log/log_text.hpp>

#include "http/use_result.hpp"

namespace tracker::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr int kSendBufferBytes = 256 << 10;  // of the kernel: without a bound it grows to megabytes for each slow reader

}  // namespace

OpenSocket::OpenSocket(Shared& shared, beast::tcp_stream& stream)
    : shared_(shared), stream_(stream), news_(shared.context, asio::steady_timer::time_point::max()) {}

void OpenSocket::send(std::shared_ptr<const std::string> message) {
  if (ended_ || closing_) return;
  if (unsent_bytes_ + message->size() > shared_.limits.unsent_bytes_max && !unsent_.empty()) {
    ++shared_.counts.slow_readers_dropped;
    return drop();
  }
  unsent_bytes_ += message->size();
  unsent_.push_back(std::move(message));
  news_.cancel();
}

void OpenSocket::close() {
  closing_ = true;
  news_.cancel();
}

// Without a goodbye: who reads nothing would not read it either.
void OpenSocket::drop() {
  ended_ = true;
  error_code ignored;
  stream_.next_layer().socket().close(ignored);
  news_.cancel();
}

asio::awaitable<void> OpenSocket::run(Request request, unsigned version, std::unique_ptr<SocketListener> listener) {
  error_code ignored;
  stream_.next_layer().socket().set_option(asio::socket_base::send_buffer_size{kSendBufferBytes}, ignored);
  stream_.next_layer().expires_never();  // the WebSocket has time-outs of its own
  beast::websocket::stream_base::timeout timeouts{};
  timeouts.handshake_timeout = shared_.limits.header_timeout;
  timeouts.idle_timeout = shared_.limits.silence_max;
  timeouts.keep_alive_pings = true;
  stream_.set_option(timeouts);
  stream_.read_message_max(shared_.limits.message_bytes_max);
  stream_.text(true);
  stream_.auto_fragment(false);  // a frame a message: parts of 4 KiB would each be a write of its own

  beast::http::request<beast::http::empty_body> handshake;
  handshake.base() = beast::http::request_header<>{};
  handshake.method(request.method);
  handshake.target(request.target);
  handshake.version(version);
  for (const auto& one : request.fields) handshake.insert(one.name_string(), one.value());
  const auto [error] = co_await stream_.async_accept(handshake, use_result);
  if (error) co_return;

  ++shared_.counts.sockets;
  writing_ = true;
  asio::steady_timer written{shared_.context, asio::steady_timer::time_point::max()};
  asio::co_spawn(shared_.context, write(), [this, &written](const std::exception_ptr&) {
    writing_ = false;
    written.cancel();
  });
  co_await read(*listener);
  drop();  // one who closed his side and reads nothing would hold the write for ever
  if (writing_) co_await written.async_wait(use_result);
  --shared_.counts.sockets;
}

asio::awaitable<void> OpenSocket::read(SocketListener& listener) {
  beast::flat_buffer buffer;
  for (;;) {
    const auto [error, bytes] = co_await stream_.async_read(buffer, use_result);
    if (error || ended_) co_return;
    if (!closing_ && !pass_on({static_cast<const char*>(buffer.data().data()), bytes}, listener)) co_return;
    buffer.consume(bytes);
  }
}

// What a listener throws ends its socket and nothing else.
bool OpenSocket::pass_on(std::string_view text, SocketListener& listener) {
  try {
    listener.on_message(text);
    return true;
  } catch (const std::exception& error) {
    lungo::log_text("web", lungo::Severity::error, std::string{"a WebSocket's message ended with "} + error.what());
    return false;
  }
}

asio::awaitable<void> OpenSocket::write() {
  while (!ended_) {
    if (unsent_.empty()) {
      if (closing_) break;
      co_await news_.async_wait(use_result);
      continue;
    }
    const std::shared_ptr<const std::string> message = unsent_.front();
    const auto [error, bytes] = co_await stream_.async_write(asio::buffer(*message), use_result);
    if (error) break;
    ++shared_.counts.messages_sent;
    unsent_bytes_ -= message->size();
    unsent_.pop_front();
  }
  if (closing_ && !ended_) {
    const beast::websocket::close_reason reason{beast::websocket::close_code::going_away};
    co_await stream_.async_close(reason, use_result);
  }
  if (!ended_) drop();
}

}  // namespace tracker::http
