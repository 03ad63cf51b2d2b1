// What strangers send to the port that is for other trackers, and what a peer may answer that is none.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <lungo/framework/forwarded_command.hpp>
#include "tests/samples/forward_fixture.hpp"

namespace lungo::test {
namespace {

class HostileForward : public Forwarded {
 protected:
  static std::string request(std::string_view body, std::string_view seal, std::string_view method = "POST",
                             std::string_view path = tracker::kForwardPath) {
    const std::string field =
        seal.empty() ? std::string() : std::string(tracker::kSealField) + ": " + std::string(seal) + "\r\n";
    return http_request(method, path, field, body);
  }
  static std::optional<Answer> ask(const ForwardingTracker& tracker, std::string_view bytes) {
    WebClient client{tracker.port()};
    client.send(bytes);
    return client.read();
  }
  /// An append to another tracker's partition, as it is sent.
  static std::string append() {
    ForwardingTracker maker{std::nullopt};
    EventBatch batch = maker.store.batch(tracker::kEventsTopic).value();
    batch.add("visitor-1", tracker::PageViewed{.host = "localhost", .target = "/"}).value();
    AppendRequest made = std::move(EventStore::requests_of(std::move(batch)).front());
    return std::string(as_text(detail::to_bytes(made).value()));
  }
};

TEST_F(HostileForward, WhoLacksTheSecretChangesNothing) {
  ForwardingTracker there{secret_};
  const std::string body = append();
  const std::string seal = tracker::seal_of(secret_, body);
  const std::string long_seal = seal + "0";
  const std::string big(kForwardedBytesMax + 1, 'x');
  const struct {
    const char* what;
    std::string bytes;
    int status;
  } rows[] = {
      {"without a seal", request(body, ""), 403},
      {"an empty one", request(body, " "), 403},
      {"another tracker's", request(body, tracker::seal_of(secret_of("b"), body)), 403},
      {"of another body", request(body, tracker::seal_of(secret_, body + "x")), 403},
      {"half of it", request(body, seal.substr(0, 32)), 403},
      {"more of it", request(body, long_seal), 403},
      {"another method", request(body, seal, "PUT"), 405},
      {"a look", request("", seal, "GET"), 405},
      {"another path", request(body, seal, "POST", "/internal"), 404},
      {"the public's path", request(body, seal, "POST", "/api/event"), 404},
      {"the dashboard's", http_request("GET", "/"), 404},
      {"too much", request(big, tracker::seal_of(secret_, big)), 413},
      {"a WebSocket", handshake(), 404},
      {"no HTTP", "\x16\x03\x01\r\n\r\n", 400},
  };
  for (const auto& row : rows) {
    const std::optional<Answer> answer = ask(there, row.bytes);
    EXPECT_EQ(answer ? answer->status : 0, row.status) << row.what;
  }
  EXPECT_EQ(there.stored(), 0);
  const std::optional<Answer> taken = ask(there, request(body, seal));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->status, 200) << "and who has it does";
  EXPECT_EQ(there.stored(), 1);
}

TEST_F(HostileForward, SealedBytesThatAreNoAppendAreToldSo) {
  ForwardingTracker there{secret_};
  std::string cut = append();
  cut.resize(cut.size() / 2);
  for (const std::string& body : {std::string(), std::string("x"), cut, std::string(kForwardedBytesMax, '\0')}) {
    std::optional<Answer> answer = ask(there, request(body, tracker::seal_of(secret_, body)));
    if (body.empty())
      answer = ask(there, "POST /internal/forward HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-Tracker-Seal: " +
                              tracker::seal_of(secret_, body) + "\r\n\r\n");
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200);
    const auto parsed = detail::parse_forwarded_answer(as_bytes(answer->body));
    ASSERT_TRUE(parsed);
    ASSERT_FALSE(parsed->outcome);
    EXPECT_EQ(parsed->outcome.error(), Errc::invalid_argument) << parsed->outcome.error();
  }
  EXPECT_EQ(there.stored(), 0);
}

TEST_F(HostileForward, ATrackerWithoutASecretTakesNothing) {
  ForwardingTracker there{std::nullopt};
  const std::optional<Answer> answer = ask(there, request("x", tracker::seal_of(secret_, "x")));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403);
  EXPECT_NE(answer->body.find("has no secret"), std::string::npos) << answer->body;
}

/// Takes one connection after the other, and answers with these bytes what it has read something of.
class Liar {
 public:
  explicit Liar(std::string answer, bool reads = true) : answer_(std::move(answer)), reads_(reads) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread{[this] { run(); }};
  }
  ~Liar() {
    ::shutdown(listener_, SHUT_RDWR);
    if (const int peer = peer_; peer >= 0) ::shutdown(peer, SHUT_RDWR);  // which may keep the connection
    thread_.join();
    ::close(listener_);
  }
  Liar(const Liar&) = delete;
  Liar& operator=(const Liar&) = delete;
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  void run() {
    int peer = -1;
    while ((peer = ::accept(listener_, nullptr, nullptr)) >= 0) {
      peer_ = peer;
      serve(peer);
      peer_ = -1;
      ::close(peer);
    }
  }
  void serve(int peer) const {
    char bytes[4096];
    if (!reads_) {
      pollfd gone{peer, POLLRDHUP, 0};
      ::poll(&gone, 1, -1);
      return;
    }
    if (::recv(peer, bytes, sizeof bytes, 0) <= 0) return;
    static_cast<void>(::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL));
    if (!answer_.empty()) ::shutdown(peer, SHUT_WR);
    while (::recv(peer, bytes, sizeof bytes, 0) > 0) {
    }
  }

  const std::string answer_;
  const bool reads_;
  int listener_ = -1;
  std::atomic<int> peer_ = -1;
  std::string endpoint_;
  std::thread thread_;
};

TEST_F(HostileForward, APeersAnswerIsTakenForNoMoreThanItIs) {
  const std::string huge = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
  const struct {
    const char* what;
    std::string answer;
    Errc code;  // `closed`: surely not executed
    std::string text;
  } rows[] = {
      {"silence", "", Errc::timed_out, "no answer came in time"},
      {"half a header", "HTTP/1.1 200 OK\r\nContent-Le", Errc::io, "no answer came: "},
      {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Errc::io, "no answer came: "},
      {"no HTTP", "SSH-2.0-x\r\n", Errc::io, "no answer came: "},
      {"a long header", "HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x'), Errc::io, "no answer came: "},
      {"a long body", huge, Errc::io, "no answer came: "},
      {"a body without end", "HTTP/1.1 200 OK\r\n\r\n" + std::string(3 << 20, 'x'), Errc::io, "no answer came: "},
      {"a refusal", "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nnone\x1b!", Errc::closed,
       "answered with 404: none\\x1b!"},
      {"too busy", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Errc::closed, "answered with 503: "},
      {"a fault", "HTTP/1.1 500 Lost\r\nContent-Length: 0\r\n\r\n", Errc::io, "answered with 500: "},
      {"another place", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n", Errc::io, "answered with 302: "},
  };
  ForwardingTracker here{secret_, "nobody", kQuick};
  for (const auto& row : rows) {
    const Liar peer{row.answer};
    const Result<Bytes> outcome = here.send(peer.endpoint(), Bytes(100));
    ASSERT_FALSE(outcome) << row.what;
    EXPECT_EQ(outcome.error(), row.code) << row.what << ": " << outcome.error();
    EXPECT_NE(outcome.error().text().find(row.text), std::string_view::npos) << row.what << ": " << outcome.error();
  }
  const Liar garbage{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"};
  here.log->give_to(garbage.endpoint());
  EXPECT_TRUE(here.append("visitor-1").starts_with("timed_out: nobody knows whether the append was written"));
}

TEST_F(HostileForward, WhereNobodyCanBeReachedNothingWasExecuted) {
  ForwardingTracker here{secret_, "nobody", kQuick};
  std::string left;
  { left = Liar{""}.endpoint(); }
  for (const std::string& endpoint : {std::string(), std::string("nonsense"), std::string("localhost:80"), left,
                                      std::string("127.0.0.1:0"), here.site->endpoint()}) {
    const Result<Bytes> outcome = here.send(endpoint, Bytes(100));
    ASSERT_FALSE(outcome) << endpoint;
    EXPECT_EQ(outcome.error(), Errc::closed) << endpoint << ": " << outcome.error();
  }
  EXPECT_NE(here.send(here.site->endpoint(), {}).error().text().find("two have the same --endpoint"), std::string_view::npos);
}

TEST_F(HostileForward, APeerThatReadsNothingHoldsNobodyUp) {
  ForwardingTracker here{secret_, "nobody", kQuick};
  const Liar peer{"", false};
  const Result<Bytes> outcome = here.send(peer.endpoint(), Bytes(kForwardedBytesMax));
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error() == Errc::closed || outcome.error() == Errc::timed_out) << outcome.error();
}

}  // namespace
}  // namespace lungo::test
