// The way in for posted events: a chain of counted steps, then appends, then the answer.
//
//   size (the server's) -> parse -> host -> rate -> target -> referrer -> visitor -> append -> 204
//
// Promise: 204 is answered after the events are durable. What comes for a partition while its last append is on its way shares
// the next one; an event with an id of its own is an append of its own, by which a repetition is known. Memory: what is in
// flight is bounded, more is answered 503. Threads: the web thread; complete_until() any.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event_appends.hpp"
#include "http/exchange.hpp"
#include "ingest/posted_event.hpp"
#include "ingest/visitor_ids.hpp"
#include "model/events.hpp"
#include "web/rate_limit.hpp"

namespace tracker {

struct IntakeOptions {
  std::vector<std::string> sites;         // hosts whose events are taken, each with its subdomains; loopback names always are
  Rate rate{100, 200};                    // events of one address
  bool behind_proxy = false;              // the address is the last one of X-Forwarded-For
  std::size_t in_flight_max = 16u << 20;  // bytes of bodies that wait for their appends
};

/// What became of requests and events since the start.
struct IntakeCounts {
  std::uint64_t accepted = 0;    // events, durable
  std::uint64_t requests = 0;    // that brought events
  std::uint64_t bad = 0;         // requests: 400, 415
  std::uint64_t wrong_host = 0;  // requests: 403
  std::uint64_t over_rate = 0;   // requests: 429
  std::uint64_t refused = 0;     // requests: 503
  std::uint64_t repeated = 0;    // events, known by their id
  std::uint64_t appends = 0;
  std::size_t in_flight = 0;  // requests
};

class Intake {
 public:
  /// Runs work on the web thread, and drops it when that is gone.
  using Post = std::function<void(std::function<void()>)>;

  /// The topics must exist; `appends` outlives what it was given. Errors: as EventStore::batch().
  static lungo::Result<std::unique_ptr<Intake>> open(EventAppends& appends, const Secret& secret, IntakeOptions options,
                                                     Post post);
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  /// One POST /api/event.
  void take(const http::Request& request, http::Responder respond);
  /// Whose request it is: the peer's, or behind a proxy the last address that was forwarded.
  [[nodiscard]] boost::asio::ip::address sender_of(const http::Request& request) const;
  [[nodiscard]] IntakeCounts counts() const;
  /// Called for each request that was answered 204, with the time it took.
  void on_answered(std::function<void(lungo::Duration)> listener);
  /// All events that came before this time are committed, or never will be.
  [[nodiscard]] lungo::Timestamp complete_until() const;
  /// Why a partition takes no events: for good when a sync of it failed; otherwise until it takes some again, and for about 10
  /// s at most, as it may have recovered since and nobody sends any.
  [[nodiscard]] std::optional<lungo::Error> trouble() const;

 private:
  struct Parts;
  explicit Intake(std::shared_ptr<Parts> parts);
  std::shared_ptr<Parts> parts_;
};

}  // namespace tracker
