// A client of the tracker's web service that sends whatever bytes it is told to, and a service in this process to send them to.
// What a browser would ask the program by it: web_requests.hpp.
//
// The client blocks, with a deadline on all it waits for, and takes nothing for granted: an answer is taken apart here, not by
// the library that made it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/beast/core/string.hpp>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/log/local_event_log.hpp>
#include "tests/samples/program.hpp"
#include "tests/support/quiet_log.hpp"
#include "web/site.hpp"

namespace lungo::test {

/// One answer, as it came.
struct Answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  /// The field's text; nothing when it did not come.
  [[nodiscard]] std::string operator[](std::string_view name) const {
    for (const auto& [known, value] : fields)
      if (boost::beast::iequals(known, name)) return value;
    return {};
  }
  [[nodiscard]] bool has(std::string_view name) const {
    for (const auto& field : fields)
      if (boost::beast::iequals(field.first, name)) return true;
    return false;
  }
};

/// A TCP connection to 127.0.0.1.
class WebClient {
 public:
  static constexpr std::chrono::milliseconds kPatience{20'000};

  explicit WebClient(std::uint16_t port) : WebClient() { connect(port); }
  /// A socket that is not connected yet.
  WebClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~WebClient() { close(); }
  WebClient(WebClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)), unread_(std::move(other.unread_)) {}
  WebClient& operator=(WebClient&&) = delete;

  /// Before connect(): as another client of this machine, e.g. "127.0.0.2".
  void come_from(const char* own) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, own, &address.sin_addr);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  }
  bool connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  /// Before connect(): the kernel keeps little for a reader that does not read.
  void read_little() const {
    const int bytes = 4096;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }

  /// False when the peer took not all of it: it has closed, or reads no more.
  bool send(std::string_view bytes, std::chrono::milliseconds patience = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN || !wait_for(POLLOUT, deadline)) {
        return false;
      }
    }
    return true;
  }
  void half_close() const { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  /// The next answer; nothing when the peer closed before its end, or took too long. Of an answer to HEAD: without a body.
  std::optional<Answer> read(bool is_head = false) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::size_t end = 0;
    while ((end = unread_.find("\r\n\r\n")) == unread_.npos)
      if (!read_more(deadline)) return std::nullopt;
    std::optional<Answer> answer = head_of(std::string_view{unread_}.substr(0, end));
    unread_.erase(0, end + 4);
    if (!answer || is_head || answer->status < 200 || answer->status == 204 || answer->status == 304) return answer;
    const std::size_t length = std::strtoull((*answer)["Content-Length"].c_str(), nullptr, 10);
    while (unread_.size() < length)
      if (!read_more(deadline)) return std::nullopt;
    answer->body = unread_.substr(0, length);
    unread_.erase(0, length);
    return answer;
  }
  /// Exactly so many bytes; fewer when the peer closed or took too long.
  std::string read_bytes(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (unread_.size() < count && read_more(deadline)) {
    }
    std::string bytes = unread_.substr(0, count);
    unread_.erase(0, count);
    return bytes;
  }
  /// Nothing more came and the peer has closed.
  bool is_closed() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    return unread_.empty() && !read_more(deadline) && ended_;
  }
  /// The peer has gone, whatever it had sent before.
  [[nodiscard]] bool is_reset() const {
    pollfd waits{socket_, POLLOUT, 0};
    return ::poll(&waits, 1, 0) > 0 && (waits.revents & (POLLHUP | POLLERR)) != 0;
  }
  [[nodiscard]] bool has_answer_within(std::chrono::milliseconds patience) const {
    return !unread_.empty() || wait_for(POLLIN, std::chrono::steady_clock::now() + patience);
  }

 private:
  [[nodiscard]] bool wait_for(short event, std::chrono::steady_clock::time_point deadline) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waits{socket_, event, 0};
    return left.count() > 0 && ::poll(&waits, 1, static_cast<int>(left.count())) > 0;
  }
  bool read_more(std::chrono::steady_clock::time_point deadline) {
    if (ended_ || !wait_for(POLLIN, deadline)) return false;
    char bytes[16384];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count > 0) unread_.append(bytes, static_cast<std::size_t>(count));
    ended_ = count <= 0;
    return count > 0;
  }
  static std::optional<Answer> head_of(std::string_view head) {
    if (!head.starts_with("HTTP/1.") || head.size() < 12) return std::nullopt;
    Answer answer;
    answer.status = std::atoi(std::string{head.substr(9, 3)}.c_str());
    for (std::size_t line = head.find("\r\n"); line != head.npos;) {
      const std::size_t next = head.find("\r\n", line + 2);
      const std::string_view field = head.substr(line + 2, next == head.npos ? next : next - line - 2);
      const std::size_t colon = field.find(": ");
      if (colon == field.npos) return std::nullopt;
      answer.fields.emplace_back(field.substr(0, colon), field.substr(colon + 2));
      line = next;
    }
    return answer;
  }

  int socket_;
  std::string unread_;
  bool ended_ = false;
};

/// A request's bytes. `fields` are whole lines, each with its CRLF; a body gets its length.
inline std::string http_request(std::string_view method, std::string_view target, std::string_view fields = {},
                                std::string_view body = {}) {
  std::string text = std::string{method} + " " + std::string{target} + " HTTP/1.1\r\n";
  if (fields.find("Host:") == fields.npos) text += "Host: localhost\r\n";
  text += fields;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string{body};
}

inline std::string get(std::string_view target = "/healthz", std::string_view fields = {}) {
  return http_request("GET", target, fields);
}

inline std::string post_event(std::string_view json, std::string_view fields = {}) {
  return http_request("POST", "/api/event", std::string{fields} + "Content-Type: application/json\r\n", json);
}

/// The tracker's service in this process, on a free port.
class WebSite {
 public:
  explicit WebSite(tracker::SiteOptions options = {}) { start(std::move(options)); }
  /// Ends it and starts it anew on the same data.
  void restart(tracker::SiteOptions options) {
    site_.reset();
    tracker_.reset();
    start(std::move(options));
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] tracker::Tracker& tracker() { return *tracker_; }
  [[nodiscard]] tracker::Site& site() { return *site_; }
  [[nodiscard]] WebClient client() const { return WebClient{port_}; }
  /// Sends on a connection of its own and reads one answer.
  [[nodiscard]] std::optional<Answer> ask(std::string_view bytes) const {
    WebClient client{port_};
    client.send(bytes);
    return client.read(bytes.starts_with("HEAD "));
  }
  [[nodiscard]] int status_of(std::string_view bytes) const {
    const std::optional<Answer> answer = ask(bytes);
    return answer ? answer->status : 0;
  }

 private:
  void start(tracker::SiteOptions options) {
    tracker_ = tracker::Tracker::open(open_local(directory_ / "data").value()).value();
    options.bind = boost::asio::ip::make_address("127.0.0.1");
    site_ = tracker::Site::start(*tracker_, options).value();
    const std::string url = site_->url();
    port_ = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }

  const QuietLog quiet_;
  const TempDirectory directory_;
  std::unique_ptr<tracker::Tracker> tracker_;
  std::unique_ptr<tracker::Site> site_;
  std::uint16_t port_ = 0;
};

/// The service with no limit on events, as most tests want it: they all come from one address.
inline tracker::SiteOptions unhurried() {
  tracker::SiteOptions options;
  options.intake.rate = {};
  options.intake.sites = {"example.com"};
  return options;
}

/// A WebSocket's handshake; `fields` as in http_request().
inline std::string handshake(std::string_view fields = {}, std::string_view target = "/ws") {
  return http_request("GET", target,
                      std::string{fields} +
                          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

enum class Opcode : unsigned char { continued = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// A frame as a client sends it; masked by zeros.
inline std::string frame(Opcode opcode, std::string_view payload, bool is_last = true, bool is_masked = true) {
  std::string bytes{static_cast<char>((is_last ? 0x80 : 0) | static_cast<unsigned char>(opcode))};
  const unsigned mask = is_masked ? 0x80 : 0;
  if (payload.size() < 126) {
    bytes += static_cast<char>(mask | payload.size());
  } else {
    const int width = payload.size() < 65'536 ? 2 : 8;
    bytes += static_cast<char>(mask | (width == 2 ? 126 : 127));
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
      bytes += static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> shift);
  }
  if (is_masked) bytes.append(4, '\0');
  return bytes.append(payload);
}

struct Frame {
  Opcode opcode = Opcode::text;
  std::string payload;

  /// Of a close frame; 0: none.
  [[nodiscard]] int close_code() const {
    if (opcode != Opcode::close || payload.size() < 2) return 0;
    return static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
  }
};

/// The next frame of a server; nothing when it closed.
inline std::optional<Frame> read_frame(WebClient& client) {
  const std::string head = client.read_bytes(2);
  if (head.size() < 2) return std::nullopt;
  std::uint64_t length = static_cast<unsigned char>(head[1]);
  const std::size_t more = length < 126 ? 0 : length == 126 ? 2 : 8;
  const std::string extended = client.read_bytes(more);
  if (extended.size() < more) return std::nullopt;
  if (more > 0) length = 0;
  for (const char byte : extended) length = length * 256 + static_cast<unsigned char>(byte);
  std::string payload = client.read_bytes(length);
  if (payload.size() < length) return std::nullopt;
  return Frame{static_cast<Opcode>(head[0] & 15), std::move(payload)};
}

}  // namespace lungo::test
