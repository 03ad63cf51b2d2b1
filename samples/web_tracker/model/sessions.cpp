#include "model/sessions.hpp"

#include <algorithm>

namespace tracker {
namespace {

std::chrono::seconds& current_timeout() {
  static std::chrono::seconds timeout = std::chrono::minutes{30};
  return timeout;
}

// When the session is over if nothing more comes.
lungo::Timestamp end_of(const Sessions::State& state) {
  const std::chrono::minutes zone{state.zone_minutes};
  const auto next_day = std::chrono::floor<std::chrono::days>(state.last + zone) + std::chrono::days{1};
  return std::min<lungo::Timestamp>(state.last + session_timeout(), next_day - zone);
}

SessionEnded ended(const Sessions::State& state) {
  return {.started = state.first,
          .zone_minutes = state.zone_minutes,
          .duration_seconds = (state.last - state.first).count(),
          .pages = state.pages,
          .bounce = state.pages == 1,
          .entry_page = state.path.front(),
          .exit_page = state.exit_page,
          .referrer_host = state.referrer_host,
          .path = state.path};
}

template <class Page>
void see_page(Sessions::State& state, const Page& event) {
  if (!event.is_view()) return;
  const std::string_view page = page_of(event.target);
  // The watermark lags behind the newest line, so the timeout of a visitor who comes back may not have fired yet.
  const bool begins = state.pages == 0 || event.time > state.last + session_timeout();
  if (begins) {
    state.first = state.last = event.time;
    state.pages = 0;
    ++state.number;
    state.referrer_host = event.referrer_host;
    state.path.clear();
  }
  ++state.pages;
  state.zone_minutes = event.zone_minutes;
  state.first = std::min(state.first, event.time);
  state.last = std::max(state.last, event.time);
  state.exit_page = page;
  if (state.path.size() < kSessionPathMax) state.path.emplace_back(page);
}

template <class Page>
void tell_of_page(const Sessions::State& before, const Sessions::State& after, const Page& event, lungo::Actions& actions) {
  if (!event.is_view()) return;
  if (after.number != before.number) {
    if (before.pages > 0) actions.emit(ended(before), end_of(before));
    actions.emit(SessionStarted{.started = event.time,
                                .zone_minutes = event.zone_minutes,
                                .entry_page = after.path.front(),
                                .referrer_host = after.referrer_host});
  }
  actions.at<Sessions::SessionTimeout>(end_of(after));
}

}  // namespace

void set_session_timeout(std::chrono::seconds timeout) { current_timeout() = timeout; }
std::chrono::seconds session_timeout() { return current_timeout(); }

void Sessions::evolve(State& state, const Request& request) { see_page(state, request); }
void Sessions::evolve(State& state, const PageViewed& viewed) { see_page(state, viewed); }

void Sessions::react(const State& before, const State& after, const Request& request, lungo::Actions& actions) {
  tell_of_page(before, after, request, actions);
}
void Sessions::react(const State& before, const State& after, const PageViewed& viewed, lungo::Actions& actions) {
  tell_of_page(before, after, viewed, actions);
}

void Sessions::react(const State& state, const SessionTimeout&, lungo::Actions& actions) {
  if (state.pages > 0) actions.emit(ended(state));
  actions.close();
}

}  // namespace tracker
