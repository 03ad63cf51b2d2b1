// What the server hands to an application, and what it gets back: a request, a reply, a WebSocket.
//
// Threads: Request and Reply are values. A Responder may be called from any thread. WebSocket and its listener belong to the
// server's thread.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/verb.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracker::http {

using boost::beast::http::field;
using boost::beast::http::status;
using boost::beast::http::verb;

struct Request {
  verb method = verb::unknown;
  std::string target;  // as it was sent: path and query
  boost::beast::http::fields fields;
  std::string body;
  boost::asio::ip::address peer;  // an IPv4 one is that, also on a socket for both families

  [[nodiscard]] std::string_view path() const { return std::string_view{target}.substr(0, target.find('?')); }
  [[nodiscard]] std::string_view query() const {
    const std::size_t mark = target.find('?');
    return mark == target.npos ? std::string_view{} : std::string_view{target}.substr(mark + 1);
  }
  /// The field's text, or nothing.
  template <class Name>
  [[nodiscard]] std::string_view operator[](const Name& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string_view{} : std::string_view{found->value().data(), found->value().size()};
  }
};

/// A body is owned or shared: pages are shared by all who ask for them.
class Reply {
 public:
  Reply() = default;
  explicit Reply(status code) : code_(code) {}
  Reply(status code, std::string_view media_type, std::string body)
      : code_(code), media_type_(media_type), body_(std::move(body)) {}
  Reply(status code, std::string_view media_type, std::shared_ptr<const std::string> body)
      : code_(code), media_type_(media_type), shared_(std::move(body)) {}

  /// `name` is a constant of the program.
  Reply& set(std::string_view name, std::string value) {
    fields_.emplace_back(name, std::move(value));
    return *this;
  }

  [[nodiscard]] status code() const { return code_; }
  [[nodiscard]] std::string_view media_type() const { return media_type_; }
  [[nodiscard]] const std::string& body() const { return shared_ ? *shared_ : body_; }
  [[nodiscard]] const std::vector<std::pair<std::string_view, std::string>>& fields() const { return fields_; }

 private:
  status code_ = status::ok;
  std::string media_type_;
  std::string body_;
  std::shared_ptr<const std::string> shared_;
  std::vector<std::pair<std::string_view, std::string>> fields_;
};

/// Answers one request, once. One that is dropped unused answers 500, so that no client waits for ever.
class Responder {
 public:
  using Deliver = std::function<void(Reply)>;
  explicit Responder(Deliver deliver) : deliver_(std::move(deliver)) {}
  ~Responder() {
    if (deliver_) deliver_(Reply{status::internal_server_error});
  }
  Responder(Responder&& other) noexcept : deliver_(std::exchange(other.deliver_, nullptr)) {}
  Responder& operator=(Responder&& other) noexcept {
    std::swap(deliver_, other.deliver_);
    return *this;
  }
  void operator()(Reply reply) { std::exchange(deliver_, nullptr)(std::move(reply)); }

 private:
  Deliver deliver_;
};

/// A WebSocket that is open, or was.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  /// Queues a text message. A reader that has let too much pile up is dropped instead.
  virtual void send(std::shared_ptr<const std::string> message) = 0;
};

/// What an application does with a WebSocket's messages. Destroyed when the socket is gone.
class SocketListener {
 public:
  virtual ~SocketListener() = default;
  virtual void on_message(std::string_view text) = 0;
};

/// What upgrade() decides: a reply refuses the handshake; without one the listener gets the messages.
struct Upgrade {
  std::optional<Reply> refusal;
  std::unique_ptr<SocketListener> listener;
};

/// What a server serves. Called on the server's thread; must not block.
class Application {
 public:
  virtual ~Application() = default;
  virtual void handle(Request request, Responder respond) = 0;
  /// A handshake to open `socket`, which the listener may keep for as long as it lives.
  virtual Upgrade upgrade(const Request& request, WebSocket& socket) = 0;
  /// A reply of the server itself, for what never became a request: its text, and the headers that every answer has.
  virtual Reply refuse(status code, std::string_view why) = 0;
};

}  // namespace tracker::http
