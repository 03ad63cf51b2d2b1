#include "http/connection.hpp"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>
#include <span>

#include "http/deadline.hpp"
#include "http/peer_address.hpp"
#include "http/use_result.hpp"
#include "http/web_socket.hpp"

namespace tracker::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr std::size_t kFirstReadBytes = 1024;  // what an idle connection holds

/// What the server answers to what is not a request; nothing where nobody listens any more.
std::optional<std::pair<status, std::string_view>> refusal_of(error_code code) {
  using beast::http::error;
  if (code == error::header_limit) return {{status::request_header_fields_too_large, "the header is too long"}};
  if (code == error::body_limit || code == error::buffer_overflow) return {{status::payload_too_large, "the body is too long"}};
  if (code == beast::error::timeout) return {{status::request_timeout, "the request did not come to its end in time"}};
  if (code == error::end_of_stream || code == error::partial_message) return std::nullopt;
  if (code.category() == make_error_code(error::bad_method).category())
    return {{status::bad_request, "this is no HTTP request"}};
  return std::nullopt;
}

/// What the parser lets pass and another reader, before or behind this one, may read differently: the body's length by a coding
/// that is not plainly `chunked`, the host by its first or its last field (RFC 9112, 3.2 and 6.1).
bool is_ambiguous(const Parser::value_type& message) {
  const auto coding = message.find(field::transfer_encoding);
  if (coding != message.end() && (message.version() < 11 || !beast::iequals(coding->value(), "chunked"))) return true;
  const std::size_t hosts = message.count(field::host);
  return hosts > 1 || (hosts == 0 && message.version() >= 11);
}

/// Status line and fields. By hand: Beast's serializer takes longer for them than the kernel for sending them.
std::string head_of(const Reply& reply, unsigned version, bool keep_alive, std::string_view date) {
  std::string head;
  head.reserve(512);
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  head.append(version >= 11 ? "HTTP/1.1 " : "HTTP/1.0 ").append(std::to_string(static_cast<unsigned>(reply.code())));
  head.append(" ").append(beast::http::obsolete_reason(reply.code())).append("\r\n");
  add("Date", date);
  for (const auto& [name, value] : reply.fields()) add(name, value);
  if (!reply.media_type().empty()) add("Content-Type", reply.media_type());
  if (!keep_alive && version >= 11) add("Connection", "close");
  if (keep_alive && version < 11) add("Connection", "keep-alive");
  if (reply.code() != status::no_content && reply.code() != status::not_modified)
    add("Content-Length", std::to_string(reply.body().size()));
  return head.append("\r\n");
}

/// The application's answer, when it has come: it may come from any thread, and later than the connection's end.
struct Awaited {
  explicit Awaited(asio::io_context& context) : come(context, asio::steady_timer::time_point::max()) {}
  asio::steady_timer come;
  std::optional<Reply> reply;
};

class Connection final : public OpenConnection {
 public:
  Connection(Shared& shared, asio::ip::tcp::socket socket, asio::ip::address peer)
      : shared_(shared),
        stream_(std::move(socket)),
        buffer_(2 * std::size_t{shared.limits.header_bytes_max}),
        deadline_(std::make_shared<Deadline>(shared.context)),
        peer_(std::move(peer)),
        client_(shared.clients[network_of(peer_)]) {
    shared_.open.insert(this);
    ++client_.open;
  }
  ~Connection() override {
    deadline_->clear();
    set_busy();
    shared_.open.erase(this);
    shared_.turned_away -= is_turned_away_ ? 1 : 0;
    client_.turned_away -= is_turned_away_ ? 1 : 0;
    if (--client_.open == 0) shared_.clients.erase(network_of(peer_));
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> run() {
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
    while (!shared_.closing) {
      const bool begun = co_await wait_for_byte();
      if (!begun) break;
      const bool goes_on = co_await one_request();
      if (!goes_on) break;
    }
    if (buffer_.size() > 0) co_await let_it_be_read();
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  /// Says that there are too many.
  asio::awaitable<void> turn_away(std::string_view why) {
    is_turned_away_ = true;
    ++shared_.turned_away;
    ++client_.turned_away;
    const Reply reply = shared_.application.refuse(status::service_unavailable, why);
    co_await write(reply, 11, false, false);
    co_await let_it_be_read();
  }

  void end() override {
    if (socket_ != nullptr) return socket_->close();
    if (list_ != nullptr) stream_.cancel();
  }
  [[nodiscard]] std::chrono::steady_clock::time_point waits_since() const override { return waits_since_; }

 private:
  using List = std::list<OpenConnection*> Endable::*;

  /// On a list of those that may be ended, the server's and the client's; from now on, or since it was put on it.
  void wait_in(List list) {
    set_busy();
    list_ = list;
    place_ = (shared_.endable.*list).insert((shared_.endable.*list).end(), this);
    client_place_ = (client_.endable.*list).insert((client_.endable.*list).end(), this);
    waits_since_ = std::chrono::steady_clock::now();
  }
  void set_busy() {
    if (list_ == nullptr) return;
    (shared_.endable.*list_).erase(place_);
    (client_.endable.*list_).erase(client_place_);
    list_ = nullptr;
  }

  /// So long may reads and writes take from now on.
  void limit_to(std::chrono::milliseconds time) {
    deadline_->clear();
    deadline_->set(stream_, std::chrono::steady_clock::now() + time);
  }

  asio::awaitable<bool> wait_for_byte() {
    if (buffer_.size() > 0) co_return true;  // the next request came with the last one
    buffer_.shrink_to_fit();
    limit_to(shared_.limits.idle_timeout);
    wait_in(&Endable::idle);
    const auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(kFirstReadBytes), use_result);
    set_busy();
    buffer_.commit(bytes);
    co_return !error;
  }

  /// Reads, answers; whether the connection may go on.
  asio::awaitable<bool> one_request() {
    Parser parser;
    std::optional<beast::http::request_header<>> header;
    parser.header_limit(shared_.limits.header_bytes_max);
    parser.body_limit(shared_.limits.body_bytes_max);
    wait_in(&Endable::reading);
    const auto begun = waits_since_;
    deadline_->set(stream_, begun + shared_.limits.header_timeout);
    error_code error = std::get<0>(co_await beast::http::async_read_header(stream_, buffer_, parser, use_result));
    if (!error && is_ambiguous(parser.get())) error = beast::http::error::bad_field;
    if (!error && !parser.is_done()) {
      // Fields behind a chunked body stand for nothing: what was checked in the header must not be said again there, and the
      // parser puts them among the others.
      if (parser.chunked()) header = parser.get().base();
      deadline_->set(stream_, begun + shared_.limits.request_timeout);
      const bool waits = parser.get().version() >= 11 && beast::iequals(parser.get()[field::expect], "100-continue");
      if (waits) error = co_await say_continue();
      if (!error) error = std::get<0>(co_await beast::http::async_read(stream_, buffer_, parser, use_result));
      if (!error && header) parser.get().base() = std::move(*header);
    }
    set_busy();
    const bool is_late = deadline_->clear();
    if (is_late && error == asio::error::operation_aborted) error = beast::error::timeout;
    if (error) {
      co_await refuse(error);
      co_return false;
    }
    ++shared_.counts.requests;
    co_return co_await answer(parser.release());
  }

  asio::awaitable<error_code> say_continue() {
    beast::http::response<beast::http::empty_body> go_on{status::continue_, 11};
    co_return std::get<0>(co_await beast::http::async_write(stream_, go_on, use_result));
  }

  asio::awaitable<void> refuse(error_code error) {
    const std::optional<std::pair<status, std::string_view>> refusal = refusal_of(error);
    if (!refusal) co_return;
    ++shared_.counts.refused;
    const Reply reply = shared_.application.refuse(refusal->first, refusal->second);
    co_await write(reply, 11, false, false);
    co_await let_it_be_read();
  }

  /// Takes what the peer has still to say, for a moment: a close with unread bytes would reset the connection before the answer
  /// is read.
  asio::awaitable<void> let_it_be_read() {
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    buffer_.clear();
    limit_to(std::chrono::seconds{1});
    for (std::size_t taken = 0; taken < (1u << 20);) {
      const auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(kFirstReadBytes), use_result);
      if (error) break;
      taken += bytes;
    }
  }

  asio::awaitable<bool> answer(Parser::value_type message) {
    const bool keep_alive = message.keep_alive();
    const unsigned version = message.version();
    const bool only_head = message.method() == verb::head;
    const bool is_upgrade = beast::websocket::is_upgrade(message);
    Request request;
    request.method = message.method();
    request.target = message.target();
    request.body = std::move(message.body());
    request.fields = std::move(message.base());
    request.peer = peer_;
    if (is_upgrade) co_return co_await upgrade(std::move(request), version);

    const auto awaited = std::make_shared<Awaited>(shared_.context);
    shared_.application.handle(std::move(request), responder(awaited));
    if (!awaited->reply) co_await awaited->come.async_wait(use_result);
    if (awaited->reply->code() == status::internal_server_error && awaited->reply->body().empty())
      awaited->reply = shared_.application.refuse(status::internal_server_error, "the request got lost inside of the server");
    const Reply reply = std::move(*awaited->reply);
    const bool goes_on = keep_alive && !shared_.closing;
    co_return co_await write(reply, version, goes_on, only_head);
  }

  Responder responder(const std::shared_ptr<Awaited>& awaited) const {
    // Weak: an answer that comes after the server's end must not be what keeps a timer of it alive.
    return Responder{[weak = std::weak_ptr{awaited}, door = shared_.door](Reply reply) {
      door->post([weak, reply = std::move(reply)]() mutable {
        const std::shared_ptr<Awaited> waiting = weak.lock();
        if (!waiting) return;
        waiting->reply = std::move(reply);
        waiting->come.cancel();
      });
    }};
  }

  /// Whether the connection may go on.
  asio::awaitable<bool> write(const Reply& reply, unsigned version, bool keep_alive, bool only_head) {
    head_ = head_of(reply, version, keep_alive, shared_.date.text());
    const std::string& body = reply.body();
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(body)};
    const std::size_t count = only_head || body.empty() ? 1 : 2;
    limit_to(shared_.limits.request_timeout);
    const error_code error = std::get<0>(co_await asio::async_write(stream_, std::span{parts}.first(count), use_result));
    deadline_->clear();  // how long the application takes for its next answer is its own affair
    co_return !error && keep_alive;
  }

  /// Beast would refuse these too, in an answer of its own, without the headers that all answers have.
  [[nodiscard]] std::optional<Reply> refusal_of_handshake(const Request& request) const {
    constexpr std::size_t kKeyChars = 24;  // 16 bytes in base64
    if (request[field::sec_websocket_version] != "13") {
      Reply reply = shared_.application.refuse(status::upgrade_required, "the WebSocket version must be 13");
      reply.set("Upgrade", "websocket").set("Connection", "Upgrade").set("Sec-WebSocket-Version", "13");
      return reply;
    }
    if (request[field::sec_websocket_key].size() != kKeyChars)
      return shared_.application.refuse(status::bad_request, "the WebSocket key must be 16 bytes in base64");
    return std::nullopt;
  }

  /// Never goes on as an HTTP connection.
  asio::awaitable<bool> upgrade(Request request, unsigned version) {
    if (const std::optional<Reply> refusal = refusal_of_handshake(request)) {
      ++shared_.counts.refused;
      co_return co_await write(*refusal, version, false, false);
    }
    if (buffer_.size() > 0) {
      ++shared_.counts.refused;
      const Reply reply =
          shared_.application.refuse(status::bad_request, "something was sent before the handshake was answered");
      co_return co_await write(reply, version, false, false);
    }
    OpenSocket socket{shared_, stream_};
    Upgrade decided = shared_.application.upgrade(request, socket);
    if (decided.refusal) co_return co_await write(*decided.refusal, version, false, false);
    socket_ = &socket;
    co_await socket.run(std::move(request), version, std::move(decided.listener));
    socket_ = nullptr;
    co_return false;
  }

  Shared& shared_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;  // its bound is that of chunks' headers and of trailers, for which the parser has none
  const std::shared_ptr<Deadline> deadline_;
  std::string head_;  // of the answer that is being written
  const asio::ip::address peer_;
  Client& client_;
  bool is_turned_away_ = false;
  OpenSocket* socket_ = nullptr;  // once it is a WebSocket
  List list_ = nullptr;           // null while a request is answered
  std::list<OpenConnection*>::iterator place_;
  std::list<OpenConnection*>::iterator client_place_;
  std::chrono::steady_clock::time_point waits_since_{};
};

}  // namespace

asio::awaitable<void> serve(Shared& shared, asio::ip::tcp::socket socket, asio::ip::address peer) {
  Connection connection{shared, std::move(socket), std::move(peer)};
  co_await connection.run();
}

asio::awaitable<void> turn_away(Shared& shared, asio::ip::tcp::socket socket, asio::ip::address peer, std::string_view why) {
  Connection connection{shared, std::move(socket), std::move(peer)};
  co_await connection.turn_away(why);
}

}  // namespace tracker::http
