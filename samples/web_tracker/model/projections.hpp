// The tracker's read models. Each is a fold of a few lines; its rows are a table of views.db.
//
// Hits, status codes, targets and visitors count every Request, assets and bots included; referrers, browsers, systems and
// devices count people's pages (Request::is_view); the rest counts sessions. A line's own clock decides its day. No row depends
// on the order between partitions: all are sums, sets or maxima.
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/projections/projection.hpp>

#include "model/events.hpp"
#include "model/funnel.hpp"
#include "model/hyperloglog.hpp"
#include "model/time_text.hpp"

namespace tracker {

struct Hits {
  std::int64_t hits = 0;
};

template <TimeUnit unit>
struct HitsPer {
  using Events = lungo::events<Request>;
  using Key = std::string;
  using State = Hits;
  static TimeText key(const lungo::Envelope&, const Request& r) { return {r.local_time(), unit}; }
  static void evolve(State& s, const Request&) { ++s.hits; }
};
struct HitsPerMinute : HitsPer<TimeUnit::minute> {};
struct HitsPerHour : HitsPer<TimeUnit::hour> {};
struct HitsPerDay : HitsPer<TimeUnit::day> {};

struct StatusCodes {
  using Events = lungo::events<Request>;
  struct Key {
    std::string day;
    std::int32_t status = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  using State = Hits;
  static Key key(const lungo::Envelope&, const Request& r) { return {std::string{day_text(r.local_time()).view()}, r.status}; }
  static void evolve(State& s, const Request&) { ++s.hits; }
};

/// Rows keyed by page: the target cut at `?`.
struct TopTargets {
  using Events = lungo::events<Request>;
  using Key = std::string;
  struct State {
    std::int64_t hits = 0;
    std::int64_t views = 0;  // of them, pages that people saw
  };
  static std::string_view key(const lungo::Envelope&, const Request& r) { return page_of(r.target); }
  static void evolve(State& s, const Request& r) {
    ++s.hits;
    s.views += r.is_view() ? 1 : 0;
  }
};

/// The visitors of a day, exactly: 256 buckets a day, each a sorted run of 16-byte ids. Rows stay small, and a day's are
/// written a few times only.
struct Visitors {
  using Events = lungo::events<Request>;
  struct Key {
    std::string day;
    std::int32_t bucket = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct State {
    std::int64_t visitors = 0;
    std::vector<std::byte> ids;
  };
  static Key key(const lungo::Envelope&, const Request& r) {
    return {std::string{day_text(r.local_time()).view()}, std::to_integer<std::int32_t>(r.visitor[0])};
  }
  static void evolve(State& s, const Request& r) {
    constexpr std::size_t kIdBytes = sizeof r.visitor;
    std::size_t low = 0;
    std::size_t high = static_cast<std::size_t>(s.visitors);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const int order = std::memcmp(s.ids.data() + middle * kIdBytes, r.visitor.data(), kIdBytes);
      if (order == 0) return;
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    s.ids.insert(s.ids.begin() + static_cast<std::ptrdiff_t>(low * kIdBytes), r.visitor.begin(), r.visitor.end());
    ++s.visitors;
  }
};

/// The same as a sketch, which takes 4 KiB a day and merges over days, processes and partitions.
struct VisitorSketch {
  using Events = lungo::events<Request>;
  using Key = std::string;
  struct State {
    Sketch registers;
  };
  static TimeText key(const lungo::Envelope&, const Request& r) { return day_text(r.local_time()); }
  static void evolve(State& s, const Request& r) {
    std::uint64_t hash = 0;
    std::memcpy(&hash, r.visitor.data(), sizeof hash);  // bytes of an HMAC: as even as a hash can be
    sketch_add(s.registers, hash);
  }
  static State merge(State a, const State& b) {
    sketch_merge(a.registers, b.registers);
    return a;
  }
};

struct Views {
  std::int64_t views = 0;
};

/// What people's pages have in common; `member` names the field.
template <std::string Request::*member>
struct ViewsBy {
  using Events = lungo::events<Request>;
  using Key = std::string;
  using State = Views;
  static std::optional<std::string_view> key(const lungo::Envelope&, const Request& r) {
    if (!r.is_view()) return std::nullopt;
    return std::string_view{r.*member};
  }
  static void evolve(State& s, const Request&) { ++s.views; }
};
struct Referrers : ViewsBy<&Request::referrer_host> {};  // key "": came directly
struct Browsers : ViewsBy<&Request::browser> {};
struct Systems : ViewsBy<&Request::system> {};

struct Devices {
  using Events = lungo::events<Request>;
  using Key = std::string;
  using State = Views;
  static std::optional<std::string_view> key(const lungo::Envelope&, const Request& r) {
    if (!r.is_view()) return std::nullopt;
    return to_string(r.device);
  }
  static void evolve(State& s, const Request&) { ++s.views; }
};

/// Sessions by the day they began.
struct SessionsPerDay {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionStarted, SessionEnded>;
  using Key = std::string;
  struct State {
    std::int64_t started = 0;
    std::int64_t ended = 0;
    std::int64_t bounces = 0;  // of the ended ones, as all below
    std::int64_t pages = 0;
    std::int64_t duration_seconds = 0;  // the sum
  };
  static TimeText key_of(std::chrono::sys_seconds started, std::int32_t zone) {
    return day_text(started + std::chrono::minutes{zone});
  }
  static TimeText key(const lungo::Envelope&, const SessionStarted& e) { return key_of(e.started, e.zone_minutes); }
  static TimeText key(const lungo::Envelope&, const SessionEnded& e) { return key_of(e.started, e.zone_minutes); }
  static void evolve(State& s, const SessionStarted&) { ++s.started; }
  static void evolve(State& s, const SessionEnded& e) {
    ++s.ended;
    s.bounces += e.bounce ? 1 : 0;
    s.pages += e.pages;
    s.duration_seconds += e.duration_seconds;
  }
};

struct SessionCount {
  std::int64_t sessions = 0;
};

struct EntryPages {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionStarted>;
  using Key = std::string;
  using State = SessionCount;
  static std::string_view key(const lungo::Envelope&, const SessionStarted& e) { return e.entry_page; }
  static void evolve(State& s, const SessionStarted&) { ++s.sessions; }
};

struct ExitPages {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionEnded>;
  using Key = std::string;
  using State = SessionCount;
  static std::string_view key(const lungo::Envelope&, const SessionEnded& e) { return e.exit_page; }
  static void evolve(State& s, const SessionEnded&) { ++s.sessions; }
};

/// Ended sessions by the last step of the funnel that they reached; 0: not even the first.
struct Funnel {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionEnded>;
  struct Key {
    std::string funnel;
    std::int32_t step = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  using State = SessionCount;
  static std::int64_t version() { return funnel().version(); }
  static Key key(const lungo::Envelope&, const SessionEnded& e) { return {funnel().name(), funnel().reached(e.path)}; }
  static void evolve(State& s, const SessionEnded&) { ++s.sessions; }
};

}  // namespace tracker
