// Takes appends to the trackers that own their partitions, by HTTP (forward_protocol.hpp).
//
//   forward() --post--> a kept connection, or a new one --> request --> answer --> done
//
// What can't have been executed is answered `closed`: nobody listens there, the request did not get there whole, it was
// refused. Whatever ends between the request's last byte and the answer's last leaves that open: io, timed_out, canceled.
// Promise: each call is answered once, within the time-outs; a peer makes it hold no more than kForwardedBytesMax, whatever it
// answers. Threads: forward() any; the rest is the server's, whose context the connections use.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <lungo/framework/forwarder.hpp>

#include "ingest/visitor_ids.hpp"

namespace tracker {

struct ForwardTimeouts {
  std::chrono::milliseconds connect{3'000};
  /// From the first byte sent. An owner that is silent for six seconds has lost its partitions (KafkaOptions::session_timeout):
  /// behind this, another one can be asked. One whose transaction takes longer is asked again.
  std::chrono::milliseconds answer{8'000};
};

/// One call of forward(). Answers when it is destroyed, if nobody has.
class ForwardCall {
 public:
  ForwardCall(std::string endpoint, lungo::Bytes request, lungo::Forwarder::Done done);
  ~ForwardCall();
  ForwardCall(const ForwardCall&) = delete;
  ForwardCall& operator=(const ForwardCall&) = delete;

  void answer(lungo::Result<lungo::Bytes> outcome);

  const std::string endpoint;
  const lungo::Bytes request;
  bool is_sent = false;  // the peer may have all of it

 private:
  lungo::Forwarder::Done done_;
};

/// The connections, and the calls that use them. Must not be used after the context, and outlives its coroutines.
class ForwardCalls {
 public:
  /// `own`: where this process is reached itself.
  ForwardCalls(boost::asio::io_context& context, const Secret& secret, std::string own, ForwardTimeouts timeouts);
  void begin(std::shared_ptr<ForwardCall> call);
  /// Closes what nobody uses; before the context goes.
  void close_idle() { idle_.clear(); }

 private:
  using Stream = std::unique_ptr<boost::beast::tcp_stream>;
  struct Idle {
    Stream stream;
    std::chrono::steady_clock::time_point since;
  };

  boost::asio::awaitable<void> run(std::shared_ptr<ForwardCall> call);
  boost::asio::awaitable<lungo::Result<Stream>> connect(std::string endpoint);
  boost::asio::awaitable<lungo::Result<lungo::Bytes>> exchange(std::shared_ptr<ForwardCall> call, Stream stream);
  Stream take_idle(const std::string& endpoint);
  void forget_old();

  boost::asio::io_context& context_;
  const Secret secret_;
  const std::string own_;
  const ForwardTimeouts timeouts_;
  std::map<std::string, std::vector<Idle>> idle_;  // by endpoint, newest last
};

class HttpForwarder final : public lungo::Forwarder {
 public:
  /// Runs work on the server's thread, and drops it when that is gone.
  using Post = std::function<void(std::function<void()>)>;
  HttpForwarder(Post post, std::weak_ptr<ForwardCalls> calls) : post_(std::move(post)), calls_(std::move(calls)) {}
  void forward(const std::string& endpoint, lungo::Bytes request, Done done) override;

 private:
  const Post post_;
  const std::weak_ptr<ForwardCalls> calls_;
};

}  // namespace tracker
