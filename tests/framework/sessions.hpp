// A process for tests: sessions of visitors, 30 minutes long after their last hit.
#pragma once

#include <chrono>
#include <string>

#include <lungo/framework/process.hpp>

namespace process_tests {

using namespace lungo;
using namespace std::chrono_literals;

inline Timestamp at(std::chrono::milliseconds since) {
  return Timestamp{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}} + since;
}

struct Hit {
  std::string visitor;
  std::string page;
};
struct SessionStarted {
  std::string visitor;
  std::string page;
};
struct SessionEnded {
  std::string visitor;
  std::int32_t pages = 0;
};

struct Sessions {
  using Events = lungo::events<Hit>;
  struct Timeout {};
  using Timers = lungo::events<Timeout>;
  using Emits = lungo::events<SessionStarted, SessionEnded>;
  struct State {
    std::int32_t pages = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit&) { ++s.pages; }
  static void react(const State& s, const Hit& hit, Actions& actions) {
    if (s.pages == 1) actions.emit(SessionStarted{hit.visitor, hit.page});
    actions.after<Timeout>(30min);
  }
  static void react(const State& s, const Timeout&, Actions& actions) {
    actions.emit(SessionEnded{std::string(actions.key()), s.pages}).close();
  }
};

struct Undeclared : Sessions {
  using Emits = lungo::events<SessionEnded>;
};

/// The same over topics of their own.
struct StoredSessions : Sessions {
  static constexpr std::string_view topic = "hits";
  static constexpr std::string_view output_topic = "sessions";
};

}  // namespace process_tests
