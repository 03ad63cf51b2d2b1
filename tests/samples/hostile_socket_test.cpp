// WebSockets as attackers speak them, and readers that do not read.
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <string>

#include <lungo/log/ports.hpp>

#include "tests/samples/web_rows.hpp"

namespace lungo::test {
namespace {

namespace http = tracker::http;

/// Sends what it is told to all its sockets, and says back what they say.
class Echo final : public http::Application {
 public:
  void handle(http::Request, http::Responder respond) override { respond(http::Reply{http::status::ok, "text/plain", "ok"}); }
  http::Upgrade upgrade(const http::Request&, http::WebSocket& socket) override {
    return {std::nullopt, std::make_unique<Listener>(*this, socket)};
  }
  http::Reply refuse(http::status code, std::string_view why) override {
    return http::Reply{code, "text/plain", std::string{why}};
  }
  void send_to_all(const std::shared_ptr<const std::string>& message) {
    for (http::WebSocket* socket : std::set{sockets_}) socket->send(message);
  }
  [[nodiscard]] std::size_t size() const { return sockets_.size(); }

 private:
  class Listener final : public http::SocketListener {
   public:
    Listener(Echo& echo, http::WebSocket& socket) : echo_(echo), socket_(socket) { echo_.sockets_.insert(&socket_); }
    ~Listener() override { echo_.sockets_.erase(&socket_); }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    void on_message(std::string_view text) override { socket_.send(std::make_shared<const std::string>(text)); }

   private:
    Echo& echo_;
    http::WebSocket& socket_;
  };
  std::set<http::WebSocket*> sockets_;
};

/// A server of an Echo, on a free port.
class EchoServer {
 public:
  explicit EchoServer(const http::Limits& limits = {}) : server_(echo_, limits) {
    EXPECT_TRUE(server_.listen(boost::asio::ip::make_address("127.0.0.1"), 0));
    thread_ = ports_.ports().executor.start(server_);
  }
  ~EchoServer() { thread_.reset(); }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  /// An open WebSocket.
  [[nodiscard]] WebClient open(bool reads_little = false) const {
    WebClient client;
    if (reads_little) client.read_little();
    client.connect(server_.port());
    client.send(handshake());
    const std::optional<Answer> answer = client.read();
    EXPECT_TRUE(answer);
    EXPECT_EQ(answer ? answer->status : 0, 101);
    return client;
  }
  /// What `look(echo, counts)` says on the server's thread.
  template <class Look>
  auto on_server(Look look) {
    std::promise<decltype(look(echo_, server_.counts()))> said;
    auto answer = said.get_future();
    server_.post([this, look, shared = std::make_shared<decltype(said)>(std::move(said))] {
      shared->set_value(look(echo_, server_.counts()));
    });
    return answer.get();
  }
  std::size_t listeners() {
    return on_server([](Echo& echo, const http::Counts&) { return echo.size(); });
  }
  std::size_t sockets() {
    return on_server([](Echo&, const http::Counts& counts) { return counts.sockets; });
  }

 private:
  const PosixPorts ports_;
  Echo echo_;
  http::Server server_;
  std::unique_ptr<RunningActivity> thread_;
};

TEST(HostileSocket, HandshakesThatAreNone) {
  const WebSite site{unhurried()};
  const auto with = [](std::string_view fields) { return http_request("GET", "/ws", fields); };
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  expect_rows(site,
              {
                  {"no key", with(upgrade + version), 400, {"\"error\":"}},
                  {"an empty key", with(upgrade + version + "Sec-WebSocket-Key:\r\n"), 400},
                  {"a long key", with(upgrade + version + "Sec-WebSocket-Key: " + std::string(2000, 'x') + "\r\n"), 400},
                  {"no version", with(upgrade + key), 426, {"Sec-WebSocket-Version: 13"}},
                  {"an old version", with(upgrade + key + "Sec-WebSocket-Version: 8\r\n"), 426, {"Sec-WebSocket-Version: 13"}},
                  {"another protocol", with("Connection: Upgrade\r\nUpgrade: h2c\r\n" + key + version), 426},
                  {"no connection field", with("Upgrade: websocket\r\n" + key + version), 426},
                  {"another path", handshake("", "/socket"), 404},
                  {"a page's path", handshake("", "/"), 404},
                  {"the events' path", handshake("", "/api/event"), 404},
                  {"POST", http_request("POST", "/ws", upgrade + key + version), 405, {"Allow: GET"}},
                  {"HTTP/1.0", "GET /ws HTTP/1.0\r\nHost: localhost\r\n" + upgrade + key + version + "\r\n", 426},
                  {"a query", handshake("", "/ws?x=1"), 101},
                  {"compression, which is not agreed to", handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"), 101},
              });
  WebClient client = site.client();
  client.send(handshake("Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: evil\r\n"));
  const std::optional<Answer> answer = client.read();
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->has("Sec-WebSocket-Extensions"));
  EXPECT_FALSE(answer->has("Sec-WebSocket-Protocol"));
}

struct FrameRow {
  const char* name;
  std::string bytes;
  int close_code;  // 0: the connection stays, and the next message is answered
};

std::string closing(int code) {
  return frame(Opcode::close, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 255)});
}

TEST(HostileSocket, FramesThatAreWrongCloseTheSocket) {
  EchoServer server;
  std::string reserved_bit = frame(Opcode::text, "x");
  reserved_bit[0] = static_cast<char>(reserved_bit[0] | 0x40);
  std::string huge = frame(Opcode::text, std::string(70'000, 'x')).substr(0, 14);
  for (int byte = 2; byte < 10; ++byte) huge[static_cast<std::size_t>(byte)] = byte == 2 ? '\x7f' : '\xff';
  const std::string big(40 << 10, 'x');
  const std::vector<FrameRow> rows{
      {"a message of 64 KiB and one", frame(Opcode::text, std::string((64 << 10) + 1, 'x')), 1009},
      {"a message of 2^63 - 1", huge, 1009},
      {"two parts of 40 KiB", frame(Opcode::text, big, false) + frame(Opcode::continued, big), 1009},
      {"parts without end",
       frame(Opcode::text, "", false) + repeated(frame(Opcode::continued, std::string(1000, 'x'), false), 80), 1009},
      {"no mask", frame(Opcode::text, "x", true, false), 1002},
      {"a reserved bit", reserved_bit, 1002},
      {"an opcode that is none", frame(static_cast<Opcode>(3), "x"), 1002},
      {"a control opcode that is none", frame(static_cast<Opcode>(11), "x"), 1002},
      {"a part of nothing", frame(Opcode::continued, "x"), 1002},
      {"a message within a message", frame(Opcode::text, "x", false) + frame(Opcode::text, "y"), 1002},
      {"a long ping", frame(Opcode::ping, std::string(126, 'x')), 1002},
      {"a ping in parts", frame(Opcode::ping, "x", false), 1002},
      {"text that is no UTF-8", frame(Opcode::text, "\xff\xfe"), 1007},
      {"half a character", frame(Opcode::text, "\xe2\x82"), 1007},
      {"a close of one byte", frame(Opcode::close, "x"), 1002},
      {"a close without a reason", closing(1000), 1000},
      {"a close code that is none", closing(1), 1002},
      {"exactly 64 KiB", frame(Opcode::text, std::string(64 << 10, 'x')), 0},
      {"a pong that nobody asked for", frame(Opcode::pong, "x"), 0},
      {"an empty message", frame(Opcode::text, ""), 0},
      {"bytes, which are a message too", frame(Opcode::binary, "\xff"), 0},
  };
  for (const FrameRow& row : rows) {
    SCOPED_TRACE(row.name);
    WebClient client = server.open();
    client.send(row.bytes + (row.close_code == 0 ? frame(Opcode::text, "still here?") : ""));
    std::optional<Frame> answer = read_frame(client);
    while (answer && row.close_code == 0 && answer->payload != "still here?") answer = read_frame(client);
    ASSERT_TRUE(answer) << "it closed without a word";
    EXPECT_EQ(answer->close_code(), row.close_code);
    if (row.close_code != 0) {
      EXPECT_TRUE(client.is_closed());
    }
  }
  EXPECT_TRUE(eventually([&] { return server.sockets() == 0; }));
}

/// An open WebSocket to the dashboard's data.
WebClient dashboard_of(const WebSite& site, bool reads_little = false) {
  WebClient client;
  if (reads_little) client.read_little();
  client.connect(site.port());
  client.send(handshake());
  const std::optional<Answer> answer = client.read();
  EXPECT_EQ(answer ? answer->status : 0, 101);
  return client;
}

TEST(HostileSocket, MessagesThatMakeNoSenseAreAnsweredAndTheSocketStays) {
  const WebSite site{unhurried()};
  WebClient client = dashboard_of(site);
  for (const std::string& message :
       {std::string{}, std::string{"watch"}, std::string{"{"}, std::string{"null"}, std::string{"[]"}, std::string{"{}"},
        std::string{R"({"type":7})"}, std::string{R"({"type":null})"}, std::string{R"({"type":"<script>"})"},
        std::string{R"({"type":["watch"]})"}, std::string{R"({"type":"watch","period":"forever"})"},
        std::string{R"({"type":"watch","from":"2026-13-01","to":"2026-13-02"})"},
        std::string{R"({"type":"watch","from":"2026-01-02","to":"2026-01-01"})"},
        std::string{R"({"type":"watch","from":"-9223372036854775808-01-01","to":"99999-01-01"})"}, std::string(60'000, '['),
        repeated("{\"a\":", 10'000), std::string{"\xef\xbb\xbf{}"}}) {
    SCOPED_TRACE(message.substr(0, 80));
    client.send(frame(Opcode::text, message));
    const std::optional<Frame> answer = read_frame(client);
    ASSERT_TRUE(answer) << "it closed";
    EXPECT_NE(answer->payload.find(R"("type":"error")"), answer->payload.npos) << answer->payload;
  }
  client.send(frame(Opcode::text, R"({"type":"watch","period":"7d","page":")" + std::string(60'000, '/') + "\"}"));
  EXPECT_TRUE(read_frame(client));
  client.send(frame(Opcode::text, R"({"type":"watch","period":"7d"})"));
  std::optional<Frame> answer = read_frame(client);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->payload.find(R"("type":"view")"), answer->payload.npos) << answer->payload;
}

TEST(HostileSocket, WhoAsksWithoutReadingIsDropped) {
  tracker::SiteOptions options = unhurried();
  options.limits.unsent_bytes_max = 64 << 10;
  const WebSite site{options};
  WebClient slow = dashboard_of(site, true);
  WebClient good = dashboard_of(site);
  const std::string asks =
      repeated(frame(Opcode::text, R"({"type":"watch","period":"7d"})") + frame(Opcode::text, "nonsense"), 1000);
  EXPECT_TRUE(eventually([&] { return !slow.send(asks, std::chrono::milliseconds{100}) && slow.is_reset(); }));
  good.send(frame(Opcode::text, R"({"type":"watch","period":"7d"})"));
  const std::optional<Frame> answer = read_frame(good);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->payload.find(R"("type":"view")"), answer->payload.npos) << answer->payload;
}

TEST(HostileSocket, FloodsAreOutlived) {
  EchoServer server;
  WebClient pings = server.open();
  WebClient parts = server.open();
  WebClient good = server.open();
  // Nobody reads the pongs: in the end the kernel's buffers are full, and the server reads no more of it.
  pings.send(repeated(frame(Opcode::ping, std::string(125, 'x')), 100'000), std::chrono::milliseconds{500});
  parts.send(frame(Opcode::text, "", false) + repeated(frame(Opcode::continued, "", false), 100'000),
             std::chrono::milliseconds{500});
  for (int i = 0; i < 10; ++i) {
    good.send(frame(Opcode::text, "hello"));
    const std::optional<Frame> answer = read_frame(good);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload, "hello");
  }
}

TEST(HostileSocket, ReaderThatNeverReadsIsDroppedAndNobodyElse) {
  http::Limits limits;
  limits.unsent_bytes_max = 256 << 10;
  EchoServer server{limits};
  const WebClient slow = server.open(true);
  WebClient good = server.open();
  const auto message = std::make_shared<const std::string>(16 << 10, 'x');
  const auto dropped = [&] {
    return server.on_server([](Echo&, const http::Counts& counts) { return counts.slow_readers_dropped; });
  };
  int sent = 0;
  for (; sent < 1000 && dropped() == 0; ++sent) {
    server.on_server([&](Echo& echo, const http::Counts&) { return echo.send_to_all(message), 0; });
    const std::optional<Frame> frame = read_frame(good);
    ASSERT_TRUE(frame) << "message " << sent;
    EXPECT_EQ(frame->payload.size(), message->size());
  }
  EXPECT_LT(sent, 100) << "far more than its limit was kept for it";
  EXPECT_TRUE(eventually([&] { return server.listeners() == 1; }));
  EXPECT_EQ(dropped(), 1U);
  good.send(frame(Opcode::text, "still here?"));
  const std::optional<Frame> frame = read_frame(good);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->payload, "still here?");
}

TEST(HostileSocket, WhoClosesHisSideAndReadsNothingIsLetGo) {
  http::Limits limits;
  EchoServer server{limits};
  const WebClient gone = server.open(true);
  const auto message = std::make_shared<const std::string>(600 << 10, 'x');  // more than the kernel keeps for him
  for (int i = 0; i < 2; ++i) server.on_server([&](Echo& echo, const http::Counts&) { return echo.send_to_all(message), 0; });
  gone.half_close();
  EXPECT_TRUE(eventually([&] { return server.sockets() == 0; })) << "his connection is held for ever";
}

TEST(HostileSocket, WhoIsSilentIsPingedThenClosed) {
  http::Limits limits;
  limits.silence_max = std::chrono::milliseconds{600};
  EchoServer server{limits};
  WebClient silent = server.open();
  const std::optional<Frame> ping = read_frame(silent);
  ASSERT_TRUE(ping);
  EXPECT_EQ(ping->opcode, Opcode::ping);
  EXPECT_TRUE(silent.is_closed()) << "a silent one stays";
  EXPECT_TRUE(eventually([&] { return server.sockets() == 0; }));

  WebClient alive = server.open();
  for (int i = 0; i < 4; ++i) {  // longer than a silent one is let live
    const std::optional<Frame> asked = read_frame(alive);
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->opcode, Opcode::ping);
    alive.send(frame(Opcode::pong, asked->payload));
  }
  EXPECT_EQ(server.sockets(), 1U);
}

TEST(HostileSocket, WhoEndsWithoutAWordIsForgotten) {
  EchoServer server;
  for (int i = 0; i < 20; ++i) {
    WebClient client = server.open();
    client.send(frame(Opcode::text, std::string(1000, 'x')).substr(0, i % 2 == 0 ? 1008 : 500));
  }
  EXPECT_TRUE(eventually([&] { return server.listeners() == 0; }));
  EXPECT_TRUE(eventually([&] { return server.sockets() == 0; }));
}

}  // namespace
}  // namespace lungo::test
