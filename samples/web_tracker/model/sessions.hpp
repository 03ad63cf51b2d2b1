// Sessions: a process that follows each visitor's pages and says when a visit begins and when it is over.
//
// A session ends half an hour (session_timeout()) after its last page in event time, or at the end of its day, since a
// visitor's id lasts for one day. A line that is a little late joins the session that is open. What is open at the end of an
// import stays open: no clock ticks in its lane. Threads: pure functions.
#pragma once

#include <string_view>

#include <lungo/framework/process.hpp>

#include "model/events.hpp"

namespace tracker {

/// How long a session outlives its last page. A process is a type without an object, as a projection is: see set_funnel().
/// Sessions that are open when it changes end by the one with which their last page was seen. Set before anything is started.
void set_session_timeout(std::chrono::seconds timeout);
std::chrono::seconds session_timeout();

struct Sessions {
  static constexpr std::string_view topic = kEventsTopic;
  static constexpr std::string_view output_topic = kSessionsTopic;
  using Events = lungo::events<Request, PageViewed>;
  struct SessionTimeout {
    static constexpr std::string_view event_name = "SessionTimeout";
  };
  using Timers = lungo::events<SessionTimeout>;
  using Emits = lungo::events<SessionStarted, SessionEnded>;

  /// A visitor's open session; without pages there is none.
  struct State {
    static constexpr std::string_view event_name = "SessionState";
    std::chrono::sys_seconds first{};
    std::chrono::sys_seconds last{};
    std::int32_t zone_minutes = 0;
    std::int64_t pages = 0;
    std::int64_t number = 0;  // counts the visitor's sessions, so that react sees when one took the place of another
    std::string exit_page;
    std::string referrer_host;
    std::vector<std::string> path;
    friend bool operator==(const State&, const State&) = default;
  };

  template <class Page>
  static std::string_view key(const lungo::Envelope& envelope, const Page&) {
    return envelope.stream.substr(envelope.stream.find('-') + 1);
  }
  static void evolve(State& state, const Request& request);
  static void evolve(State& state, const PageViewed& viewed);
  static void react(const State& before, const State& after, const Request& request, lungo::Actions& actions);
  static void react(const State& before, const State& after, const PageViewed& viewed, lungo::Actions& actions);
  static void react(const State& state, const SessionTimeout& timeout, lungo::Actions& actions);
};

}  // namespace tracker
