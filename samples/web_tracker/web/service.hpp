// The tracker's web service: which path is answered by what, and who may ask.
//
//   open to all     POST /api/event, /js/script.js, /demo/, /healthz, /readyz, /login
//   behind access   everything else: the dashboard, its data, changes, metrics
//
// Threads: the web thread. Reads of rows and of the log go to the desk, which answers from its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "http/server.hpp"
#include "tracker.hpp"
#include "web/access.hpp"
#include "web/assets.hpp"
#include "web/event_browser.hpp"
#include "web/intake.hpp"
#include "web/metrics.hpp"
#include "web/query.hpp"
#include "web/rate_limit.hpp"
#include "web/stats_desk.hpp"
#include "web/watchers.hpp"

namespace tracker {

class Service final : public http::Application {
 public:
  /// All must outlive it.
  struct Parts {
    Tracker& tracker;
    StatsDesk& desk;
    EventBrowser& browser;
    Metrics& metrics;
  };
  Service(Parts parts, Access access);

  /// Before the first request: what is made after the server, since it posts to it.
  void connect(http::Server& server, Intake& intake, Watchers& watchers);

  void handle(http::Request request, http::Responder respond) override;
  http::Upgrade upgrade(const http::Request& request, http::WebSocket& socket) override;
  http::Reply refuse(http::status code, std::string_view why) override;

 private:
  using Handler = void (Service::*)(const http::Request& request, http::Responder respond);
  struct Route {
    http::verb method;
    std::string_view path;
    bool is_open;
    Handler handler;
  };
  static const Route kRoutes[];

  [[nodiscard]] std::optional<http::Reply> refusal(const http::Request& request, bool is_open);
  [[nodiscard]] std::optional<http::Reply> refusal_of_stranger(const http::Request& request);
  [[nodiscard]] std::optional<http::Reply> too_many_passwords(const http::Request& request) const;
  void count_wrong_password(const http::Request& request);
  [[nodiscard]] http::Reply no_route(const http::Request& request, std::string_view allowed) const;
  /// Runs `read` on the desk and answers with what it returns.
  void from_desk(http::Responder respond, std::function<lungo::Result<std::string>()> read,
                 StatsDesk::Load load = StatsDesk::Load::light);

  void take_event(const http::Request& request, http::Responder respond);
  void preflight(const http::Request& request, http::Responder respond);
  void log_in(const http::Request& request, http::Responder respond);
  void log_out(const http::Request& request, http::Responder respond);
  void stats(const http::Request& request, http::Responder respond);
  void projections(const http::Request& request, http::Responder respond);
  void begin_rebuild(const http::Request& request, http::Responder respond);
  void cancel_rebuild(const http::Request& request, http::Responder respond);
  void topics(const http::Request& request, http::Responder respond);
  void streams(const http::Request& request, http::Responder respond);
  void events(const http::Request& request, http::Responder respond);
  void event(const http::Request& request, http::Responder respond);
  void metrics(const http::Request& request, http::Responder respond);
  void health(const http::Request& request, http::Responder respond);
  void readiness(const http::Request& request, http::Responder respond);
  void socket_without_upgrade(const http::Request& request, http::Responder respond);

  const Parts parts_;
  const Access access_;
  const Assets assets_;
  RateLimit passwords_{Rate{0.2, 5}};  // of wrong ones
  http::Server* server_ = nullptr;
  Intake* intake_ = nullptr;
  Watchers* watchers_ = nullptr;
};

}  // namespace tracker
