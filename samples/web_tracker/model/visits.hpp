// Read models of sessions, by the day they began.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <lungo/projections/projection.hpp>

#include "model/events.hpp"
#include "model/funnel.hpp"
#include "model/row_keys.hpp"
#include "model/time_text.hpp"

namespace tracker {

struct SessionTotals {
  std::int64_t started = 0;
  std::int64_t ended = 0;
  std::int64_t bounces = 0;  // of the ended ones, as all below
  std::int64_t pages = 0;
  std::int64_t duration_seconds = 0;  // the sum
  friend SessionTotals operator+(const SessionTotals& a, const SessionTotals& b) {
    return {a.started + b.started, a.ended + b.ended, a.bounces + b.bounces, a.pages + b.pages,
            a.duration_seconds + b.duration_seconds};
  }
};

inline void count_session(SessionTotals& totals, const SessionStarted&) { ++totals.started; }
inline void count_session(SessionTotals& totals, const SessionEnded& e) {
  ++totals.ended;
  totals.bounces += e.bounce ? 1 : 0;
  totals.pages += e.pages;
  totals.duration_seconds += e.duration_seconds;
}

/// The day on which a session began, by the clock of its first line.
template <class E>
TimeText day_of_session(const E& e) {
  return day_text(e.started + std::chrono::minutes{e.zone_minutes});
}

struct SessionsPerDay {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionStarted, SessionEnded>;
  using Key = std::string;
  using State = SessionTotals;
  template <class E>
  static TimeText key(const lungo::Envelope&, const E& e) {
    return day_of_session(e);
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    count_session(s, e);
  }
  static State merge(const State& a, const State& b) { return a + b; }
};

/// The same by the page with which they began.
struct EntryPages {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionStarted, SessionEnded>;
  using Key = DayPage;
  using State = SessionTotals;
  template <class E>
  static DayPageView key(const lungo::Envelope&, const E& e) {
    return {day_of_session(e), e.entry_page};
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    count_session(s, e);
  }
  static State merge(const State& a, const State& b) { return a + b; }
};

struct SessionCount {
  std::int64_t sessions = 0;
  friend SessionCount operator+(const SessionCount& a, const SessionCount& b) { return {a.sessions + b.sessions}; }
};

struct ExitPages {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionEnded>;
  using Key = DayPage;
  using State = SessionCount;
  static DayPageView key(const lungo::Envelope&, const SessionEnded& e) { return {day_of_session(e), e.exit_page}; }
  static void evolve(State& s, const SessionEnded&) { ++s.sessions; }
  static State merge(const State& a, const State& b) { return a + b; }
};

/// Ended sessions by the last step of the funnel that they reached; 0: not even the first.
struct Funnel {
  static constexpr std::string_view topic = kSessionsTopic;
  using Events = lungo::events<SessionEnded>;
  struct Key {
    std::string funnel;
    std::string day;
    std::int32_t step = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyView {
    std::string_view funnel;
    TimeText day;
    std::int32_t step = 0;
    explicit operator Key() const { return {std::string{funnel}, std::string{day.view()}, step}; }
  };
  using State = SessionCount;
  static std::int64_t version() { return funnel().version(); }
  static KeyView key(const lungo::Envelope&, const SessionEnded& e) {
    return {funnel().name(), day_of_session(e), funnel().reached(e.path)};
  }
  static void evolve(State& s, const SessionEnded&) { ++s.sessions; }
  static State merge(const State& a, const State& b) { return a + b; }
};

}  // namespace tracker
