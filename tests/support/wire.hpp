// What carries bytes between the processes of a test, and may lose them: a Forwarder whose other end is a ForwardServer.
//
// Threads: one, that of the simulation.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <lungo/framework/forward_server.hpp>
#include <lungo/log/executor.hpp>
#include <lungo/log/ports.hpp>

namespace lungo::test {

/// Carries requests to servers, by endpoint, and answers back; each way takes some time.
class Wire final : public Activity {
 public:
  explicit Wire(Ports ports) : ports_(ports), running_(ports.executor.start(*this)) {}

  std::map<std::string, ForwardServer*> servers;
  /// What becomes of the next requests; then they arrive.
  enum class Fate { arrives, is_refused, request_is_lost, answer_is_lost, is_swallowed, answer_is_garbage };
  std::deque<Fate> fates;
  std::function<Fate()> any_fate;
  std::function<void()> before_delivery;
  int sent = 0;

  void send(const std::string& endpoint, Bytes request, Forwarder::Done done) {
    ++sent;
    Fate fate = any_fate ? any_fate() : Fate::arrives;
    if (!fates.empty()) {
      fate = fates.front();
      fates.pop_front();
    }
    if (fate == Fate::is_swallowed) return;
    at(delay, [=, this, request = std::move(request), done = std::move(done)]() mutable {
      if (before_delivery) std::exchange(before_delivery, {})();
      const auto server = servers.find(endpoint);
      if (fate == Fate::is_refused || server == servers.end()) return done(Error{Errc::closed, "connection refused"});
      if (fate == Fate::request_is_lost) return done(Error{Errc::io, "connection reset"});
      server->second->serve(request, [=, this, done = std::move(done)](Bytes answer) {
        at(delay, [=, done = std::move(done), answer = std::move(answer)]() mutable {
          if (fate == Fate::answer_is_lost) return done(Error{Errc::io, "connection reset"});
          if (fate == Fate::answer_is_garbage) answer = Bytes(7);
          done(std::move(answer));
        });
      });
    });
  }
  Duration delay{std::chrono::milliseconds{1}};

  Instant step(Instant now) override {
    while (!due_.empty() && due_.begin()->first <= now) {
      const std::function<void()> work = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      work();
    }
    return due_.empty() ? Instant::max() : due_.begin()->first;
  }
  [[nodiscard]] std::string_view name() const override { return "wire"; }

 private:
  void at(Duration wait, std::function<void()> work) {
    due_.emplace(ports_.clock.monotonic() + wait, std::move(work));
    running_->wake();
  }

  Ports ports_;
  std::multimap<Instant, std::function<void()>> due_;
  std::unique_ptr<RunningActivity> running_;
};

struct WireForwarder final : Forwarder {
  explicit WireForwarder(Wire& its_wire) : wire(its_wire) {}
  void forward(const std::string& endpoint, Bytes request, Done done) override {
    wire.send(endpoint, std::move(request), std::move(done));
  }
  Wire& wire;
};

}  // namespace lungo::test
