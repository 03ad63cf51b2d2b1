#include "web/intake.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <optional>
#include <utility>

#include <lungo/log/log_text.hpp>

#include "http/peer_address.hpp"
#include "ingest/request_target.hpp"
#include "web/append_lanes.hpp"
#include "web/replies.hpp"

namespace tracker {
namespace {

using http::Reply;
using http::status;
using lungo::Errc;
using lungo::Error;
using lungo::Result;
using lungo::Timestamp;

constexpr lungo::Duration kComeAgain = std::chrono::seconds{5};
constexpr lungo::Duration kLogAgain = std::chrono::minutes{1};
constexpr std::size_t kUserAgentBytesMax = 1024;  // of a longer one the beginning counts
/// An event's time is cut to the second, and a wall clock may be set back a little.
constexpr std::chrono::milliseconds kArrivalSlack{1000};

/// Any page may send here and none may read the answer's body, which says nothing.
Reply for_any_page(Reply reply) {
  reply.set("Access-Control-Allow-Origin", "*");
  return reply;
}

bool is_loopback_name(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

/// A client that names no type is a program's, which means JSON.
bool is_media_type_taken(std::string_view type) {
  if (type.empty()) return true;
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return boost::beast::iequals(type, "application/json") || boost::beast::iequals(type, "text/plain");
}

/// Of the codings that a body came in, the fields that name any but `identity`, which is none.
std::string codings_of(const http::Request& request) {
  std::string codings;
  const auto [begin, end] = request.fields.equal_range(http::field::content_encoding);
  for (auto one = begin; one != end; ++one) {
    if (one->value().empty() || boost::beast::iequals(one->value(), "identity")) continue;
    codings.append(codings.empty() ? "" : ", ").append(one->value().substr(0, 100));
  }
  return codings;
}

/// "www." or "a.b.": labels, each with its dot.
bool is_below(std::string_view labels) {
  while (!labels.empty()) {
    const std::size_t dot = labels.find('.');
    if (dot == 0 || dot == labels.npos) return false;
    const auto is_of_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
    if (!std::all_of(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(dot), is_of_name)) return false;
    labels.remove_prefix(dot + 1);
  }
  return true;
}

/// PageViewed and CustomEvent have these fields in common.
template <class E>
E event_of(const PostedEvent& posted, const Visitor& visitor, std::chrono::sys_seconds time) {
  E event;
  event.visitor = visitor.bytes;
  event.time = time;
  event.host = posted.domain.empty() ? posted.host : posted.domain;
  event.target = posted.target;
  event.referrer = posted.referrer;
  referrer_host(posted.referrer, event.referrer_host);
  // From one page to another of the site: nobody referred the visitor.
  if (event.referrer_host == posted.host) event.referrer_host.clear();
  event.browser = visitor.agent.browser;
  event.system = visitor.agent.system;
  event.device = visitor.agent.device;
  event.bot = visitor.agent.bot;
  event.props = posted.props;
  return event;
}

Result<void> add_to(lungo::EventBatch& batch, std::string_view stream, const PostedEvent& posted, const Visitor& visitor,
                    Timestamp time) {
  lungo::EventMeta meta;
  meta.time = time;
  meta.id = posted.id;
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (posted.name == "pageview") return batch.add(stream, event_of<PageViewed>(posted, visitor, second), meta);
  CustomEvent event = event_of<CustomEvent>(posted, visitor, second);
  event.name = posted.name;
  return batch.add(stream, event, meta);
}

}  // namespace

/// Shared for the lanes' sake only: an answer that comes after the intake's end finds it gone.
struct Intake::Parts {
  Parts(lungo::EventStore used, const Secret& secret, IntakeOptions given)
      : store(std::move(used)), options(std::move(given)), visitors(secret), rate(options.rate) {}

  void take(const http::Request& request, http::Responder respond);
  std::optional<Reply> refusal(const http::Request& request, std::vector<PostedEvent>& events, boost::asio::ip::address& from);
  [[nodiscard]] bool is_site(std::string_view host) const;
  [[nodiscard]] boost::asio::ip::address sender_of(const http::Request& request) const;
  Result<void> append(const std::vector<PostedEvent>& events, const Visitor& visitor, Timestamp time,
                      const std::shared_ptr<PostedRequest>& waiting);
  Result<void> append_each(const std::vector<PostedEvent>& events, std::string_view stream, const Visitor& visitor,
                           Timestamp time, const std::shared_ptr<PostedRequest>& waiting);
  void answer(PostedRequest& waiting);
  void log_refusal(const Error& error);
  void begin(const PostedRequest& waiting, Timestamp time);
  void end(const PostedRequest& waiting);

  lungo::EventStore store;
  const IntakeOptions options;
  VisitorIds visitors;
  RateLimit rate;
  IntakeCounts counts;
  std::function<void(lungo::Duration)> listener;
  std::shared_ptr<AppendLanes> lanes;
  std::uint64_t next_number = 0;
  std::map<std::uint64_t, Timestamp> in_flight;  // arrivals by number
  std::size_t in_flight_bytes = 0;
  std::optional<Errc> logged;  // why events were refused last, and when that was said
  lungo::Instant logged_at{};
  std::atomic<Timestamp> oldest{Timestamp::max()};  // of those in flight
};

Intake::Intake(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}
Intake::~Intake() = default;

Result<std::unique_ptr<Intake>> Intake::open(EventAppends& appends, const Secret& secret, IntakeOptions options, Post post) {
  lungo::EventStore store = appends.store();
  Result<lungo::TopicInfo> topic = store.topic(kEventsTopic);
  if (!topic) return topic.error();
  auto parts = std::make_shared<Parts>(std::move(store), secret, std::move(options));
  const auto answer = [weak = std::weak_ptr{parts}](PostedRequest& request) {
    if (const std::shared_ptr<Parts> still = weak.lock()) still->answer(request);
  };
  parts->lanes = std::make_shared<AppendLanes>(appends, topic->spec.partitions, std::move(post), answer);
  return std::unique_ptr<Intake>{new Intake{std::move(parts)}};
}

void Intake::take(const http::Request& request, http::Responder respond) { parts_->take(request, std::move(respond)); }
boost::asio::ip::address Intake::sender_of(const http::Request& request) const { return parts_->sender_of(request); }
IntakeCounts Intake::counts() const {
  IntakeCounts counts = parts_->counts;
  counts.appends = parts_->lanes->counts().appends;
  counts.repeated = parts_->lanes->counts().repeated;
  return counts;
}
void Intake::on_answered(std::function<void(lungo::Duration)> listener) { parts_->listener = std::move(listener); }
std::optional<Error> Intake::trouble() const { return parts_->lanes->trouble(); }

Timestamp Intake::complete_until() const {
  // In this order: whoever is counted only after the look at `oldest` takes its events' time later than this one.
  const Timestamp now = parts_->store.log().ports().clock.now();
  return std::min(now, parts_->oldest.load()) - kArrivalSlack;
}

bool Intake::Parts::is_site(std::string_view host) const {
  if (is_loopback_name(host)) return true;
  return std::any_of(options.sites.begin(), options.sites.end(), [host](const std::string& site) {
    return host.ends_with(site) && is_below(host.substr(0, host.size() - site.size()));
  });
}

/// The last address of the last field, which the proxy wrote; whatever is before it may be made up.
boost::asio::ip::address Intake::Parts::sender_of(const http::Request& request) const {
  if (!options.behind_proxy) return request.peer;
  std::string_view forwarded;
  const auto [begin, end] = request.fields.equal_range("X-Forwarded-For");
  for (auto one = begin; one != end; ++one) forwarded = {one->value().data(), one->value().size()};
  forwarded = forwarded.substr(forwarded.rfind(',') + 1);
  forwarded.remove_prefix(std::min(forwarded.find_first_not_of(" \t"), forwarded.size()));
  forwarded = forwarded.substr(0, forwarded.find_last_not_of(" \t") + 1);
  boost::system::error_code is_none;
  const auto address = boost::asio::ip::make_address(std::string{forwarded}, is_none);
  return is_none ? request.peer : http::unmapped(address);
}

/// The chain up to the point where the events are known to be wanted; fills `events` and the address they are from.
std::optional<Reply> Intake::Parts::refusal(const http::Request& request, std::vector<PostedEvent>& events,
                                            boost::asio::ip::address& from) {
  if (!is_media_type_taken(request[http::field::content_type])) {
    ++counts.bad;
    return error_reply(status::unsupported_media_type, "the body must be application/json or text/plain that holds JSON");
  }
  if (const std::string codings = codings_of(request); !codings.empty()) {
    ++counts.bad;
    Reply reply =
        error_reply(status::unsupported_media_type, "the body's Content-Encoding is " + codings + "; send it plainly");
    reply.set("Accept-Encoding", "identity");
    return reply;
  }
  if (const std::optional<BadField> bad = parse_posted_events(request.body, events)) {
    ++counts.bad;
    return bad_field_reply(*bad);
  }
  for (const PostedEvent& event : events) {
    const std::string_view named = event.domain.empty() ? std::string_view{event.host} : event.domain;
    if (is_site(event.host) && is_site(named)) continue;
    ++counts.wrong_host;
    return error_reply(status::forbidden, (is_site(event.host) ? std::string(named) : event.host) +
                                              " is not one of this tracker's sites; start it with --site to add it");
  }
  from = sender_of(request);
  const lungo::Duration wait = rate.take(from, static_cast<double>(events.size()), store.log().ports().clock.monotonic());
  if (wait > lungo::Duration::zero()) {
    ++counts.over_rate;
    return later_reply(status::too_many_requests, "more events than one address may send", wait);
  }
  if (in_flight_bytes + request.body.size() > options.in_flight_max) {
    ++counts.refused;
    return later_reply(status::service_unavailable, "too many events wait for the disk", std::chrono::seconds{1});
  }
  return std::nullopt;
}

void Intake::Parts::take(const http::Request& request, http::Responder respond) {
  std::vector<PostedEvent> events;
  boost::asio::ip::address from;
  if (std::optional<Reply> refused = refusal(request, events, from)) return respond(for_any_page(std::move(*refused)));
  ++counts.requests;
  lungo::Clock& clock = store.log().ports().clock;
  const auto waiting =
      std::make_shared<PostedRequest>(std::move(respond), next_number++, clock.monotonic(), request.body.size(), events.size());
  begin(*waiting, clock.now());
  const Timestamp time = clock.now();  // once it is in flight: complete_until() can't pass it any more
  const Visitor& visitor = visitors.of(std::chrono::floor<std::chrono::days>(time), from.to_string(),
                                       request[http::field::user_agent].substr(0, kUserAgentBytesMax));
  Result<void> appended = append(events, visitor, time, waiting);
  if (!appended) waiting->error = appended.error();
  if (waiting->appends == 0) answer(*waiting);
}

/// With ids at once, each alone; without with what else comes while this thread is busy. All of a request, or nothing.
Result<void> Intake::Parts::append(const std::vector<PostedEvent>& events, const Visitor& visitor, Timestamp time,
                                   const std::shared_ptr<PostedRequest>& waiting) {
  const std::string stream = "visitor-" + std::string(visitor.id_text());
  if (!events.front().id.empty()) return append_each(events, stream, visitor, time, waiting);
  const lungo::PartitionId lane = lanes->lane_of(stream);
  Result<lungo::EventBatch*> batch = lanes->batch_of(lane);
  if (!batch) return batch.error();
  for (const PostedEvent& event : events) {
    Result<void> added = add_to(**batch, stream, event, visitor, time);
    if (!added) return added;
  }
  lanes->join(lane, waiting);
  return {};
}

/// An id is known again as that of an append.
Result<void> Intake::Parts::append_each(const std::vector<PostedEvent>& events, std::string_view stream, const Visitor& visitor,
                                        Timestamp time, const std::shared_ptr<PostedRequest>& waiting) {
  std::vector<lungo::EventBatch> batches;
  for (const PostedEvent& event : events) {
    Result<lungo::EventBatch> alone = store.batch(kEventsTopic);
    if (!alone) return alone.error();
    Result<void> added = add_to(*alone, stream, event, visitor, time);
    if (!added) return added;
    batches.push_back(std::move(*alone));
  }
  for (lungo::EventBatch& batch : batches) lanes->append_alone(lanes->lane_of(stream), std::move(batch), waiting);
  return {};
}

void Intake::Parts::answer(PostedRequest& waiting) {
  end(waiting);
  if (!waiting.error) {
    counts.accepted += waiting.events;
    if (listener) listener(store.log().ports().clock.monotonic() - waiting.arrived);
    return waiting.respond(for_any_page(plain(status::no_content)));
  }
  const Error& error = *waiting.error;
  const bool is_theirs = error == Errc::invalid_argument || error == Errc::too_large;
  ++(is_theirs ? counts.bad : counts.refused);
  if (!is_theirs) log_refusal(error);
  waiting.respond(for_any_page(is_theirs ? error_reply(status::bad_request, error.text())
                                         : later_reply(status::service_unavailable, reason_of(error.code()), kComeAgain)));
}

/// Where and why, which those who send are not told; once for all that meet it.
void Intake::Parts::log_refusal(const Error& error) {
  const lungo::Instant now = store.log().ports().clock.monotonic();
  if (logged && *logged == error.code() && now - logged_at < kLogAgain) return;
  logged = error.code();
  logged_at = now;
  lungo::log_text("web", lungo::Severity::warn, "events are refused: " + lungo::to_string(error));
}

void Intake::Parts::begin(const PostedRequest& waiting, Timestamp time) {
  in_flight.emplace(waiting.number, time);
  in_flight_bytes += waiting.bytes;
  counts.in_flight = in_flight.size();
  oldest = in_flight.begin()->second;
}

void Intake::Parts::end(const PostedRequest& waiting) {
  in_flight.erase(waiting.number);
  in_flight_bytes -= waiting.bytes;
  counts.in_flight = in_flight.size();
  oldest = in_flight.empty() ? Timestamp::max() : in_flight.begin()->second;
}

}  // namespace tracker
