#include "forward/forward_site.hpp"

#include <utility>

#include <lungo/log/start_activity.hpp>

#include "forward/forward_protocol.hpp"
#include "forward/forward_service.hpp"
#include "http/server.hpp"

namespace tracker {

using lungo::Result;

namespace {

constexpr lungo::Duration kStopTimeout = std::chrono::seconds{5};

/// Of a few trackers, each with some connections. A stranger can make it hold so many bodies, no more.
http::Limits limits() {
  http::Limits limits;
  limits.body_bytes_max = lungo::kForwardedBytesMax;
  limits.connections_max = 64;
  limits.connections_per_address_max = 0;
  return limits;
}

}  // namespace

/// Destroyed from the last to the first: the thread stops before what it uses goes.
struct ForwardSite::Parts {
  explicit Parts(ForwardTimeouts given) : timeouts(given) {}

  const ForwardTimeouts timeouts;
  std::string endpoint;
  std::optional<lungo::Ports> ports;  // since start()
  ForwardService service;
  std::shared_ptr<ForwardCalls> calls;  // its coroutines go with the server
  http::Server server{service, limits()};
  std::unique_ptr<lungo::RunningActivity> thread;
};

ForwardSite::ForwardSite(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

ForwardSite::~ForwardSite() {
  Parts& parts = *parts_;
  if (!parts.thread) return;
  parts.server.close([&executor = parts.ports->executor] { executor.notify(); });
  parts.ports->executor.wait_until([&] { return parts.server.is_empty(); }, parts.ports->clock.monotonic() + kStopTimeout);
  parts.thread.reset();
  if (parts.calls) parts.calls->close_idle();
}

Result<std::unique_ptr<ForwardSite>> ForwardSite::open(const boost::asio::ip::tcp::endpoint& at, ForwardTimeouts timeouts) {
  std::unique_ptr<ForwardSite> site{new ForwardSite{std::make_unique<Parts>(timeouts)}};
  Parts& parts = *site->parts_;
  Result<void> listens = parts.server.listen(at.address(), at.port());
  if (!listens) return listens.error();
  parts.endpoint = text_of({at.address(), parts.server.port()});
  return site;
}

std::string ForwardSite::endpoint() const { return parts_->endpoint; }

Result<void> ForwardSite::start(lungo::EventStore& store, const std::vector<std::string>& topics,
                                const std::optional<Secret>& secret) {
  Parts& parts = *parts_;
  auto server = std::make_unique<lungo::ForwardServer>(store);
  for (const std::string& topic : topics) {
    Result<void> taken = server->take_appends(topic);
    if (!taken) return taken;
  }
  parts.ports.emplace(store.log().ports());
  parts.service.connect(std::move(server), secret);
  if (secret) {
    parts.calls = std::make_shared<ForwardCalls>(parts.server.context(), *secret, parts.endpoint, parts.timeouts);
    store.forward_with(std::make_shared<HttpForwarder>(parts.server.poster(), parts.calls));
  }
  Result<std::unique_ptr<lungo::RunningActivity>> started = lungo::start_activity(parts.ports->executor, parts.server);
  if (!started) return started.error();
  parts.thread = std::move(*started);
  return {};
}

}  // namespace tracker
