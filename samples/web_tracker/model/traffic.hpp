// Read models of hits, pages and what people use to see them.
//
// Hits, status codes and targets count everything, assets and bots included; referrers, browsers, systems and devices count
// people's pages (is_view()).
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <lungo/projections/projection.hpp>

#include "model/events.hpp"
#include "model/page_day.hpp"
#include "model/row_keys.hpp"
#include "model/time_text.hpp"

namespace tracker {

/// What a line of an access log and a page told by the beacon have in common.
using PageEvents = lungo::events<Request, PageViewed>;

struct Hits {
  std::int64_t hits = 0;
  std::int64_t views = 0;  // of them, pages that people saw
  friend Hits operator+(const Hits& a, const Hits& b) { return {a.hits + b.hits, a.views + b.views}; }
};

template <TimeUnit unit>
struct HitsPer {
  using Events = PageEvents;
  using Key = std::string;
  using State = Hits;
  template <class E>
  static TimeText key(const lungo::Envelope&, const E& e) {
    return {e.local_time(), unit};
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    ++s.hits;
    s.views += e.is_view() ? 1 : 0;
  }
  static State merge(const State& a, const State& b) { return a + b; }
};
struct HitsPerMinute : HitsPer<TimeUnit::minute> {};
struct HitsPerHour : HitsPer<TimeUnit::hour> {};
struct HitsPerDay : HitsPer<TimeUnit::day> {};

struct Requests {
  std::int64_t hits = 0;
  friend Requests operator+(const Requests& a, const Requests& b) { return {a.hits + b.hits}; }
};

/// Of requests: a page that the beacon tells of has no status.
struct StatusCodes {
  using Events = lungo::events<Request>;
  struct Key {
    std::string day;
    std::int32_t status = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  using State = Requests;
  static Key key(const lungo::Envelope&, const Request& r) { return {std::string{day_text(r.local_time()).view()}, r.status}; }
  static void evolve(State& s, const Request&) { ++s.hits; }
  static State merge(const State& a, const State& b) { return a + b; }
};

/// Rows keyed by page: the target cut at `?`.
struct TopTargets {
  using Events = PageEvents;
  using Key = std::string;
  using State = Hits;
  template <class E>
  static std::string_view key(const lungo::Envelope&, const E& e) {
    return page_of(e.target);
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    ++s.hits;
    s.views += e.is_view() ? 1 : 0;
  }
  static State merge(const State& a, const State& b) { return a + b; }
};

/// All there is to know of a page's day, but for who sent people there and what else they did.
struct PagesPerDay {
  using Events = PageEvents;
  using Key = DayPage;
  using State = PageDay;
  template <class E>
  static DayPageView key(const lungo::Envelope&, const E& e) {
    return {day_text(e.local_time()), page_of(e.target)};
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    const std::chrono::sys_seconds time = e.local_time();
    const auto of_day = std::chrono::floor<std::chrono::hours>(time - std::chrono::floor<std::chrono::days>(time));
    const bool is_view = e.is_view();
    std::optional<std::int32_t> status;
    if constexpr (requires { e.status; }) status = e.status;
    add_hit(s, static_cast<unsigned>(of_day.count()), is_view, status);
    if (is_view) add_view(s, e.browser, e.system, e.device);
  }
  static State merge(State a, const State& b) {
    add_page(a, b);
    return a;
  }
};

struct Views {
  std::int64_t views = 0;
  friend Views operator+(const Views& a, const Views& b) { return {a.views + b.views}; }
};

/// Views of a page by who sent people there; those that came directly are the page's others.
struct PageReferrers {
  using Events = PageEvents;
  using Key = DayPageValue;
  using State = Views;
  template <class E>
  static std::optional<DayPageValueView> key(const lungo::Envelope&, const E& e) {
    if (!e.is_view() || e.referrer_host.empty()) return std::nullopt;
    return DayPageValueView{day_text(e.local_time()), page_of(e.target), e.referrer_host};
  }
  template <class E>
  static void evolve(State& s, const E&) {
    ++s.views;
  }
  static State merge(const State& a, const State& b) { return a + b; }
};

inline std::string_view value_text(const std::string& text) { return text; }
inline std::string_view value_text(Device device) { return to_string(device); }

/// What people's pages of a day have in common; `ValueOf` names the field.
template <class ValueOf>
struct ViewsBy {
  using Events = PageEvents;
  using Key = DayValue;
  using State = Views;
  template <class E>
  static std::optional<DayValueView> key(const lungo::Envelope&, const E& e) {
    if (!e.is_view()) return std::nullopt;
    return DayValueView{day_text(e.local_time()), value_text(ValueOf{}(e))};
  }
  template <class E>
  static void evolve(State& s, const E&) {
    ++s.views;
  }
  static State merge(const State& a, const State& b) { return a + b; }
};
struct ReferrerHostOf {
  const std::string& operator()(const auto& e) const { return e.referrer_host; }
};
struct BrowserOf {
  const std::string& operator()(const auto& e) const { return e.browser; }
};
struct SystemOf {
  const std::string& operator()(const auto& e) const { return e.system; }
};
struct DeviceOf {
  Device operator()(const auto& e) const { return e.device; }
};
struct Referrers : ViewsBy<ReferrerHostOf> {};  // value "": came directly
struct Browsers : ViewsBy<BrowserOf> {};
struct Systems : ViewsBy<SystemOf> {};
struct Devices : ViewsBy<DeviceOf> {};

struct EventCount {
  std::int64_t count = 0;
  friend EventCount operator+(const EventCount& a, const EventCount& b) { return {a.count + b.count}; }
};

/// By their name, whoever told of them: an order may come from a program.
struct CustomEvents {
  using Events = lungo::events<CustomEvent>;
  using Key = DayValue;
  using State = EventCount;
  static DayValueView key(const lungo::Envelope&, const CustomEvent& e) { return {day_text(e.local_time()), e.name}; }
  static void evolve(State& s, const CustomEvent&) { ++s.count; }
  static State merge(const State& a, const State& b) { return a + b; }
};

/// The same by the page on which they happened.
struct PageCustomEvents {
  using Events = lungo::events<CustomEvent>;
  using Key = DayPageValue;
  using State = EventCount;
  static DayPageValueView key(const lungo::Envelope&, const CustomEvent& e) {
    return {day_text(e.local_time()), page_of(e.target), e.name};
  }
  static void evolve(State& s, const CustomEvent&) { ++s.count; }
  static State merge(const State& a, const State& b) { return a + b; }
};

}  // namespace tracker
