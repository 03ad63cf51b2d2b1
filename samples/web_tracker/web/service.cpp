#include "web/service.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "web/replies.hpp"

namespace tracker {
namespace {

using http::field;
using http::Reply;
using http::Responder;
using http::status;
using http::verb;
using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr lungo::Duration kDeskBusy = std::chrono::seconds{1};

Reply json_or_error(Result<std::string> text) {
  return text ? json_reply(status::ok, std::move(*text)) : error_reply(text.error());
}

/// Fills in the names of {"projections": [...]}; none, which means all, when the body is empty or has none. A key that is none
/// of ours may be a slip, and would then rebuild all.
std::optional<BadField> parse_projections(const std::string& body, std::vector<std::string>& names) {
  const BadField no_list{"projections", "must be a list of names"};
  if (body.empty()) return std::nullopt;
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) return BadField{"", "must be a JSON object"};
  for (const auto& [key, list] : value.get_object()) {
    if (key != "projections") return BadField{std::string{key.substr(0, 100)}, "is no key of this; `projections` is"};
    if (!list.is_array()) return no_list;
    for (const boost::json::value& name : list.get_array()) {
      if (!name.is_string()) return no_list;
      names.emplace_back(name.get_string().data(), name.get_string().size());
    }
  }
  return std::nullopt;
}

}  // namespace

const Service::Route Service::kRoutes[]{
    {verb::post, "/api/event", true, &Service::take_event},
    {verb::options, "/api/event", true, &Service::preflight},
    {verb::get, "/healthz", true, &Service::health},
    {verb::get, "/readyz", true, &Service::readiness},
    {verb::post, "/login", true, &Service::log_in},
    {verb::post, "/logout", true, &Service::log_out},
    {verb::get, "/api/stats", false, &Service::stats},
    {verb::get, "/api/projections", false, &Service::projections},
    {verb::post, "/api/rebuild", false, &Service::begin_rebuild},
    {verb::delete_, "/api/rebuild", false, &Service::cancel_rebuild},
    {verb::get, "/api/topics", false, &Service::topics},
    {verb::get, "/api/streams", false, &Service::streams},
    {verb::get, "/api/events", false, &Service::events},
    {verb::get, "/api/event", false, &Service::event},
    {verb::get, "/metrics", false, &Service::metrics},
    {verb::get, "/ws", false, &Service::socket_without_upgrade},
};

Service::Service(Parts parts, Access access) : parts_(parts), access_(std::move(access)) {}

void Service::connect(http::Server& server, Intake& intake, Watchers& watchers) {
  server_ = &server;
  intake_ = &intake;
  watchers_ = &watchers;
  intake.on_answered([this](lungo::Duration after) { parts_.metrics.event_answered(after); });
}

void Service::handle(http::Request request, Responder respond) {
  if (request.method == verb::head) request.method = verb::get;
  const std::string_view path = request.path();
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    if (route.method != request.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(boost::beast::http::to_string(route.method));
      continue;
    }
    if (std::optional<Reply> refused = refusal(request, route.is_open)) return respond(std::move(*refused));
    return (this->*route.handler)(request, std::move(respond));
  }
  const EmbeddedFile* file = assets_.find(path);
  if (path == "/demo") return respond(moved("/demo/" + request.target.substr(path.size())));
  if (file == nullptr) return respond(no_route(request, allowed));
  if (request.method != verb::get) return respond(no_route(request, allowed + (allowed.empty() ? "GET, HEAD" : ", GET, HEAD")));
  const bool is_open =
      path.starts_with("/demo/") || path.starts_with("/assets/") || path == "/js/script.js" || path == "/login";
  if (std::optional<Reply> refused = refusal(request, is_open)) {
    if (refused->code() == status::unauthorized) return respond(see_other(login_for(request.target)));
    return respond(std::move(*refused));
  }
  respond(assets_.reply(*file, request));
}

/// Why this request may not be served.
std::optional<Reply> Service::refusal(const http::Request& request, bool is_open) {
  if (is_open) return std::nullopt;
  if (!access_.is_our_host(request))
    return error_reply(status::forbidden,
                       "without a password the dashboard answers to localhost, 127.0.0.1 and [::1] only; see --password-file");
  if (std::optional<Reply> refused = refusal_of_stranger(request)) return refused;
  if (request.path().starts_with("/api/") && !Query{request.query()}.is_valid())
    return error_reply(status::bad_request, "the query is not well formed");
  const bool is_change = request.method != verb::get;
  if (is_change && !Access::is_same_origin(request))
    return error_reply(status::forbidden, "a page of another origin sent this");
  return std::nullopt;
}

/// Nothing for who has a session, or the password; nor where none is asked for.
std::optional<Reply> Service::refusal_of_stranger(const http::Request& request) {
  if (!access_.asks_password() || access_.has_session(request, parts_.tracker.ports().clock.now())) return std::nullopt;
  const bool is_program = !request[field::authorization].empty();
  if (is_program) {
    if (std::optional<Reply> refused = too_many_passwords(request)) return refused;
    if (access_.shows_password(request)) return std::nullopt;
    count_wrong_password(request);
  }
  Reply reply = error_reply(status::unauthorized,
                            "the dashboard's password is needed: log in at /login, or send it by Basic authentication");
  // Only to programs: browsers would ask by a box of their own, which no page can style or end.
  if (is_program) reply.set("WWW-Authenticate", "Basic realm=\"web-tracker\", charset=\"UTF-8\"");
  return reply;
}

/// Before the look at a password, which it is then not worth: or the right one would still tell itself from the wrong ones.
std::optional<Reply> Service::too_many_passwords(const http::Request& request) const {
  const lungo::Duration wait = passwords_.wait(intake_->sender_of(request), 1, parts_.tracker.ports().clock.monotonic());
  if (wait <= lungo::Duration::zero()) return std::nullopt;
  return later_reply(status::too_many_requests, "too many passwords were tried", wait);
}

void Service::count_wrong_password(const http::Request& request) {
  passwords_.take(intake_->sender_of(request), 1, parts_.tracker.ports().clock.monotonic());
}

Reply Service::no_route(const http::Request& request, std::string_view allowed) const {
  if (allowed.empty()) return error_reply(status::not_found, "nothing is at " + std::string(request.path().substr(0, 200)));
  Reply reply = error_reply(status::method_not_allowed, "this path takes " + std::string(allowed));
  reply.set("Allow", std::string(allowed));
  return reply;
}

Reply Service::refuse(status code, std::string_view why) {
  return code == status::service_unavailable ? later_reply(code, why, std::chrono::seconds{1}) : error_reply(code, why);
}

http::Upgrade Service::upgrade(const http::Request& request, http::WebSocket& socket) {
  http::Upgrade upgrade;
  if (request.path() != "/ws") {
    upgrade.refusal = error_reply(status::not_found, "WebSockets are at /ws");
  } else if (std::optional<Reply> refused = refusal(request, false)) {
    upgrade.refusal = std::move(refused);
  } else if (!Access::is_same_origin(request)) {
    upgrade.refusal = error_reply(status::forbidden, "a page of another origin asked for this");
  } else {
    upgrade.listener = watchers_->join(socket);
  }
  return upgrade;
}

void Service::from_desk(Responder respond, std::function<Result<std::string>()> read, StatsDesk::Load load) {
  const auto waiting = std::make_shared<Responder>(std::move(respond));
  const bool taken = parts_.desk.submit([waiting, read = std::move(read)] { (*waiting)(json_or_error(read())); }, load);
  if (!taken) (*waiting)(later_reply(status::service_unavailable, "too many readers wait", kDeskBusy));
}

void Service::take_event(const http::Request& request, Responder respond) { intake_->take(request, std::move(respond)); }

void Service::preflight(const http::Request&, Responder respond) {
  Reply reply = plain(status::no_content);
  reply.set("Access-Control-Allow-Origin", "*").set("Access-Control-Allow-Methods", "POST");
  reply.set("Access-Control-Allow-Headers", "Content-Type").set("Access-Control-Max-Age", "86400");
  respond(std::move(reply));
}

void Service::log_in(const http::Request& request, Responder respond) {
  if (!Access::is_same_origin(request)) return respond(error_reply(status::forbidden, "a page of another origin sent this"));
  const std::string to = way_back_of(request.query());
  if (!access_.asks_password()) return respond(see_other(to));
  if (std::optional<Reply> refused = too_many_passwords(request)) return respond(std::move(*refused));
  const Query form{request.body};
  if (!access_.is_password(form.get("password").value_or(""))) {
    count_wrong_password(request);
    return respond(see_other(to == "/" ? "/login?wrong" : "/login?wrong&to=" + encoded(to)));
  }
  Reply reply = see_other(to);
  reply.set("Set-Cookie", access_.session_cookie(parts_.tracker.ports().clock.now()));
  respond(std::move(reply));
}

void Service::log_out(const http::Request& request, Responder respond) {
  if (!Access::is_same_origin(request)) return respond(error_reply(status::forbidden, "a page of another origin sent this"));
  Reply reply = see_other("/login");
  reply.set("Set-Cookie", Access::no_cookie());
  respond(std::move(reply));
}

void Service::stats(const http::Request& request, Responder respond) {
  from_desk(
      std::move(respond),
      [&desk = parts_.desk, query = Query{request.query()}]() -> Result<std::string> {
        if (!query.is_valid()) return Error{Errc::invalid_argument, "the query is not well formed"};
        Result<StatsFilter> filter =
            StatsFilter::parse({query.get("period"), query.get("from"), query.get("to"), query.get("page")});
        if (!filter) return filter.error();
        return desk.stats(*filter);
      },
      StatsDesk::Load::heavy);
}

void Service::projections(const http::Request&, Responder respond) {
  from_desk(std::move(respond), [&desk = parts_.desk] { return desk.projections(); });
}

void Service::begin_rebuild(const http::Request& request, Responder respond) {
  std::vector<std::string> names;
  if (const std::optional<BadField> bad = parse_projections(request.body, names)) return respond(bad_field_reply(*bad));
  const auto waiting = std::make_shared<Responder>(std::move(respond));
  const bool taken = parts_.desk.submit(
      [waiting, &desk = parts_.desk, names = std::move(names)] {
        const Result<void> begun = desk.begin_rebuild(names);
        (*waiting)(begun ? json_reply(status::accepted, "{}") : error_reply(begun.error()));
      },
      StatsDesk::Load::light);
  if (!taken) (*waiting)(later_reply(status::service_unavailable, "too many readers wait", kDeskBusy));
}

void Service::cancel_rebuild(const http::Request&, Responder respond) {
  const auto waiting = std::make_shared<Responder>(std::move(respond));
  const bool taken = parts_.desk.submit(
      [waiting, &desk = parts_.desk] {
        const Result<void> canceled = desk.cancel_rebuild();
        (*waiting)(canceled ? json_reply(status::accepted, "{}") : error_reply(canceled.error()));
      },
      StatsDesk::Load::light);
  if (!taken) (*waiting)(later_reply(status::service_unavailable, "too many readers wait", kDeskBusy));
}

void Service::topics(const http::Request&, Responder respond) {
  from_desk(std::move(respond), [&browser = parts_.browser] { return browser.topics(); });
}

void Service::streams(const http::Request& request, Responder respond) {
  from_desk(std::move(respond), [&browser = parts_.browser, query = Query{request.query()}] {
    return browser.streams(query.get("topic").value_or(""));
  });
}

void Service::events(const http::Request& request, Responder respond) {
  from_desk(std::move(respond), [&browser = parts_.browser, query = Query{request.query()}]() -> Result<std::string> {
    EventsQuery wanted;
    wanted.topic = query.get("topic").value_or("");
    if (const auto stream = query.get("stream")) wanted.stream = std::string(*stream);
    if (const auto before = query.get("before"); before && !before->empty()) wanted.before = std::string(*before);
    if (const auto after = query.get("after"); after && !after->empty()) wanted.after = std::string(*after);
    if (const auto limit = query.get("limit")) {
      const std::optional<std::int64_t> number = query.number("limit");
      if (!number) return Error{Errc::invalid_argument, "`limit` must be a number"};
      wanted.limit = *number;
    }
    return browser.events(wanted);
  });
}

void Service::event(const http::Request& request, Responder respond) {
  from_desk(std::move(respond), [&browser = parts_.browser, query = Query{request.query()}]() -> Result<std::string> {
    const std::optional<std::int64_t> partition = query.number("partition");
    const std::optional<std::int64_t> offset = query.number("offset");
    if (!partition || *partition > INT32_MAX || !offset)
      return Error{Errc::invalid_argument, "`partition` and `offset` must be numbers"};
    return browser.event(query.get("topic").value_or(""), lungo::PartitionId{static_cast<std::int32_t>(*partition)},
                         lungo::Offset{*offset});
  });
}

void Service::metrics(const http::Request&, Responder respond) {
  respond(
      plain(status::ok, "text/plain; version=0.0.4; charset=utf-8",
            parts_.metrics.text({server_->counts(), server_->open(), intake_->counts(), watchers_->size(), parts_.tracker})));
}

void Service::health(const http::Request&, Responder respond) {
  respond(plain(status::ok, "text/plain; charset=utf-8", "ok\n"));
}

void Service::readiness(const http::Request&, Responder respond) {
  std::optional<Error> trouble = intake_->trouble();
  if (!trouble) trouble = parts_.tracker.trouble();
  if (!trouble) return respond(plain(status::ok, "text/plain; charset=utf-8", "ok\n"));
  respond(later_reply(status::service_unavailable, reason_of(trouble->code()), std::chrono::seconds{5}));
}

void Service::socket_without_upgrade(const http::Request&, Responder respond) {
  Reply reply = error_reply(status::upgrade_required, "this is a WebSocket");
  reply.set("Upgrade", "websocket").set("Connection", "Upgrade");
  respond(std::move(reply));
}

}  // namespace tracker
