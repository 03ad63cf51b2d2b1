// The time that a request may take to come.
//
// Threads: the server's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace tracker::http {

/// Ends a read that takes too long. Unlike the stream's own time-out it leaves the socket open, so that a 408 can be said. The
/// timer is set anew only where it would fire too late: not for each request of a busy connection.
class Deadline : public std::enable_shared_from_this<Deadline> {
 public:
  using TimePoint = boost::asio::steady_timer::time_point;

  explicit Deadline(boost::asio::io_context& context) : timer_(context) {}

  /// Reads of `stream` that are in progress at that time end with operation_aborted.
  void set(boost::beast::tcp_stream& stream, TimePoint at) {
    stream_ = &stream;
    at_ = at;
    if (at < fires_) arm(at);
  }
  /// Whether it had come.
  bool clear() {
    stream_ = nullptr;
    return std::exchange(is_over_, false);
  }

 private:
  void arm(TimePoint at) {
    fires_ = at;
    timer_.expires_at(at);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      const std::shared_ptr<Deadline> self = weak.lock();
      if (self && !error) self->fire();
    });
  }

  void fire() {
    fires_ = TimePoint::max();
    if (stream_ == nullptr) return;
    const TimePoint now = std::chrono::steady_clock::now();
    if (now >= at_) {
      is_over_ = true;
      stream_->cancel();
      at_ = now + kCancelAgain;
    }
    arm(at_);
  }

  /// A read that had just ended was not cancelled, and the next may have begun.
  static constexpr std::chrono::milliseconds kCancelAgain{20};

  boost::asio::steady_timer timer_;
  boost::beast::tcp_stream* stream_ = nullptr;  // null: nothing is waited for
  TimePoint at_{};
  TimePoint fires_ = TimePoint::max();
  bool is_over_ = false;
};

}  // namespace tracker::http
