#include "model/sessions.hpp"

#include <algorithm>

namespace tracker {
namespace {

// When the session is over if nothing more comes.
lungo::Timestamp end_of(const Sessions::State& state) {
  const std::chrono::minutes zone{state.zone_minutes};
  const auto next_day = std::chrono::floor<std::chrono::days>(state.last + zone) + std::chrono::days{1};
  return std::min<lungo::Timestamp>(state.last + kSessionTimeout, next_day - zone);
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

}  // namespace

std::string_view Sessions::key(const lungo::Envelope& envelope, const Request&) {
  return envelope.stream.substr(envelope.stream.find('-') + 1);
}

void Sessions::evolve(State& state, const Request& request) {
  if (!request.is_view()) return;
  const std::string_view page = page_of(request.target);
  // The watermark lags behind the newest line, so the timeout of a visitor who comes back may not have fired yet.
  const bool begins = state.pages == 0 || request.time > state.last + kSessionTimeout;
  if (begins) {
    state.first = state.last = request.time;
    state.pages = 0;
    ++state.number;
    state.referrer_host = request.referrer_host;
    state.path.clear();
  }
  ++state.pages;
  state.zone_minutes = request.zone_minutes;
  state.first = std::min(state.first, request.time);
  state.last = std::max(state.last, request.time);
  state.exit_page = page;
  if (state.path.size() < kSessionPathMax) state.path.emplace_back(page);
}

void Sessions::react(const State& before, const State& after, const Request& request, lungo::Actions& actions) {
  if (!request.is_view()) return;
  if (after.number != before.number) {
    if (before.pages > 0) actions.emit(ended(before), end_of(before));
    actions.emit(SessionStarted{.started = request.time,
                                .zone_minutes = request.zone_minutes,
                                .entry_page = after.path.front(),
                                .referrer_host = after.referrer_host});
  }
  actions.at<SessionTimeout>(end_of(after));
}

void Sessions::react(const State& state, const SessionTimeout&, lungo::Actions& actions) {
  if (state.pages > 0) actions.emit(ended(state));
  actions.close();
}

}  // namespace tracker
