#include "web/site.hpp"

#include <utility>

#include "web/access.hpp"
#include "web/event_browser.hpp"
#include "web/metrics.hpp"
#include "web/service.hpp"
#include "web/stats_desk.hpp"
#include "web/watchers.hpp"

namespace tracker {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

namespace {

constexpr lungo::Duration kStopTimeout = std::chrono::seconds{5};

}  // namespace

/// Destroyed from the last to the first: threads stop before what they use goes, and the server, whose connections have
/// listeners that know the watchers, before those.
struct Site::Parts {
  Parts(Tracker& used, const SiteOptions& given)
      : tracker(used),
        options(given),
        desk(used, given.update_interval),
        browser(used.store()),
        service({used, desk, browser, metrics}, Access{given.password, used.secret()}) {}

  Tracker& tracker;
  const SiteOptions options;
  Metrics metrics;
  StatsDesk desk;
  EventBrowser browser;
  Service service;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<Watchers> watchers;
  std::optional<http::Server> server;
  std::unique_ptr<lungo::RunningActivity> desk_thread;
  std::unique_ptr<lungo::RunningActivity> web_thread;
};

Result<void> SiteOptions::check_guarded() const {
  if (bind.is_loopback() || !password.empty()) return {};
  return Error{Errc::invalid_argument, "others can reach " + bind.to_string() +
                                           ", so the dashboard needs a password: give it by --password-file FILE or in the "
                                           "environment as WEB_TRACKER_PASSWORD"};
}

Site::Site(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Site::~Site() { stop(); }

Result<std::unique_ptr<Site>> Site::start(Tracker& tracker, const SiteOptions& options) {
  Result<void> guarded = options.check_guarded();
  if (!guarded) return guarded.error();
  std::unique_ptr<Site> site{new Site{std::make_unique<Parts>(tracker, options)}};
  Parts& parts = *site->parts_;
  parts.server.emplace(parts.service, options.limits);
  Result<std::unique_ptr<Intake>> intake =
      Intake::open(tracker.appends(), tracker.secret(), options.intake, parts.server->poster());
  if (!intake) return intake.error();
  parts.intake = std::move(*intake);
  parts.watchers = std::make_unique<Watchers>(parts.desk, parts.server->poster());
  parts.service.connect(*parts.server, *parts.intake, *parts.watchers);
  Result<void> listens = parts.server->listen(options.bind, options.port);
  if (!listens) return listens.error();
  lungo::Executor& executor = tracker.ports().executor;
  parts.desk_thread = executor.start(parts.desk);
  parts.desk.set_running(parts.desk_thread.get());
  parts.web_thread = executor.start(*parts.server);
  return site;
}

void Site::stop() {
  Parts& parts = *parts_;
  if (!parts.web_thread) return;
  const lungo::Ports ports = parts.tracker.ports();
  parts.server->close([&executor = ports.executor] { executor.notify(); });
  ports.executor.wait_until([&] { return parts.server->is_empty(); }, ports.clock.monotonic() + kStopTimeout);
  parts.web_thread.reset();
  parts.desk.set_running(nullptr);
  parts.desk_thread.reset();
  parts.server.reset();
}

std::string Site::url() const {
  const boost::asio::ip::address& address = parts_->options.bind;
  if (address.is_unspecified()) return "http://localhost:" + std::to_string(parts_->server->port()) + "/";
  const std::string name = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return "http://" + name + ":" + std::to_string(parts_->server->port()) + "/";
}

lungo::Timestamp Site::complete_until() const { return parts_->intake->complete_until(); }

}  // namespace tracker
