#include "forward/http_forwarder.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

#include "forward/forward_protocol.hpp"
#include "http/use_result.hpp"
#include "valid_utf8.hpp"

namespace tracker {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using http::use_result;
using lungo::Bytes;
using lungo::Errc;
using lungo::Error;
using lungo::Result;
using Parser = beast::http::response_parser<beast::http::string_body>;

constexpr std::uint32_t kHeaderBytesMax = 8u << 10;
constexpr std::size_t kToldBytesMax = 200;  // of why a peer refuses
/// Far below the time after which the server closes: a request that meets the close can't be told from one that was executed.
constexpr std::chrono::seconds kKept{10};

std::string head_of(const ForwardCall& call, const Secret& secret) {
  std::string head = "POST " + std::string(kForwardPath) + " HTTP/1.1\r\nHost: " + call.endpoint + "\r\n";
  head.append(kSealField).append(": ").append(seal_of(secret, lungo::as_text(call.request)));
  head.append("\r\nContent-Type: application/octet-stream\r\nContent-Length: ").append(std::to_string(call.request.size()));
  return head.append("\r\n\r\n");
}

/// Of an answer that came whole. 4xx and 503 are of a peer that has executed nothing, whoever that is.
Result<Bytes> outcome_of(const Parser::value_type& answer) {
  const unsigned code = answer.result_int();
  if (code == 200) {
    const lungo::BytesView body = lungo::as_bytes(answer.body());
    return Bytes{body.begin(), body.end()};
  }
  const bool is_refused = (code >= 400 && code < 500) || code == 503;
  return Error{is_refused ? Errc::closed : Errc::io,
               "answered with " + std::to_string(code) + ": " + printable(answer.body().substr(0, kToldBytesMax))};
}

bool is_open(beast::tcp_stream& stream) {
  char byte;
  const ssize_t read = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return read < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

// ---- a call ----

ForwardCall::ForwardCall(std::string to, Bytes bytes, lungo::Forwarder::Done done)
    : endpoint(std::move(to)), request(std::move(bytes)), done_(std::move(done)) {}

ForwardCall::~ForwardCall() {
  answer(is_sent ? Error{Errc::canceled, "stopped before there was an answer"}
                 : Error{Errc::closed, "stopped before it was sent"});
}

void ForwardCall::answer(Result<Bytes> outcome) {
  if (done_) std::exchange(done_, nullptr)(std::move(outcome));
}

void HttpForwarder::forward(const std::string& endpoint, Bytes request, Done done) {
  auto call = std::make_shared<ForwardCall>(endpoint, std::move(request), std::move(done));
  post_([weak = calls_, call = std::move(call)] {
    if (const std::shared_ptr<ForwardCalls> calls = weak.lock()) calls->begin(call);
  });
}

// ---- the connections ----

ForwardCalls::ForwardCalls(asio::io_context& context, const Secret& secret, std::string own, ForwardTimeouts timeouts)
    : context_(context), secret_(secret), own_(std::move(own)), timeouts_(timeouts) {}

void ForwardCalls::begin(std::shared_ptr<ForwardCall> call) { asio::co_spawn(context_, run(std::move(call)), asio::detached); }

asio::awaitable<void> ForwardCalls::run(std::shared_ptr<ForwardCall> call) {
  Stream stream = take_idle(call->endpoint);
  if (!stream) {
    Result<Stream> connected = co_await connect(call->endpoint);
    if (!connected) {
      call->answer(connected.error());
      co_return;
    }
    stream = std::move(*connected);
  }
  Result<Bytes> outcome = co_await exchange(call, std::move(stream));
  call->answer(std::move(outcome));
}

asio::awaitable<Result<ForwardCalls::Stream>> ForwardCalls::connect(std::string endpoint) {
  if (endpoint == own_)
    co_return Error{Errc::closed, "that is this tracker itself, as it was started before; or two have the same --endpoint"};
  const std::optional<asio::ip::tcp::endpoint> to = endpoint_of(endpoint);
  if (!to) co_return Error{Errc::closed, "that is no ADDRESS:PORT of a tracker"};
  Stream stream = std::make_unique<beast::tcp_stream>(context_);
  stream->expires_after(timeouts_.connect);
  const error_code error = std::get<0>(co_await stream->async_connect(*to, use_result));
  if (error) co_return Error{Errc::closed, "it can't be reached: " + error.message()};
  error_code ignored;
  stream->socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
  co_return Result<Stream>{std::move(stream)};
}

asio::awaitable<Result<Bytes>> ForwardCalls::exchange(std::shared_ptr<ForwardCall> call, Stream stream) {
  const std::string head = head_of(*call, secret_);
  const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(call->request.data(), call->request.size())};
  stream->expires_after(timeouts_.answer);
  call->is_sent = true;
  const error_code unsent = std::get<0>(co_await asio::async_write(*stream, parts, use_result));
  if (unsent) co_return Error{Errc::closed, "not all of it could be sent: " + unsent.message()};

  beast::flat_buffer buffer;
  Parser parser;
  parser.header_limit(kHeaderBytesMax);
  parser.body_limit(lungo::kForwardedBytesMax);
  const error_code error = std::get<0>(co_await beast::http::async_read(*stream, buffer, parser, use_result));
  if (error == beast::error::timeout) co_return Error{Errc::timed_out, "no answer came in time"};
  if (error) co_return Error{Errc::io, "no answer came: " + error.message()};
  if (parser.get().keep_alive() && buffer.size() == 0)
    idle_[call->endpoint].push_back({std::move(stream), std::chrono::steady_clock::now()});
  co_return outcome_of(parser.get());
}

/// Null: a new one is to be opened.
ForwardCalls::Stream ForwardCalls::take_idle(const std::string& endpoint) {
  forget_old();
  const auto found = idle_.find(endpoint);
  while (found != idle_.end() && !found->second.empty()) {
    Stream stream = std::move(found->second.back().stream);
    found->second.pop_back();
    if (is_open(*stream)) return stream;
  }
  return nullptr;
}

/// Those of trackers that are gone, too.
void ForwardCalls::forget_old() {
  const auto oldest = std::chrono::steady_clock::now() - kKept;
  for (auto& [endpoint, kept] : idle_) std::erase_if(kept, [oldest](const Idle& one) { return one.since < oldest; });
  std::erase_if(idle_, [](const auto& one) { return one.second.empty(); });
}

}  // namespace tracker
