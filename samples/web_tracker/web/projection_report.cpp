#include "web/projection_report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "valid_utf8.hpp"

namespace tracker {
namespace {

namespace json = boost::json;
using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr lungo::Duration kRateSpan = std::chrono::seconds{5};
constexpr lungo::Duration kSampleInterval = std::chrono::milliseconds{400};

double seconds_of(lungo::Duration duration) { return std::chrono::duration<double>(duration).count(); }
double rounded(double value) { return std::round(value * 10) / 10; }

json::value text_or_null(const std::optional<Error>& error) {
  return error ? json::value(valid_utf8(error->text())) : json::value(nullptr);
}

}  // namespace

double ProjectionReport::rate_of(const std::string& projection, std::int64_t position, lungo::Instant now) const {
  if (samples_.empty()) return 0;
  const Sample& first = samples_.front();
  const auto then = first.positions.find(projection);
  const double seconds = seconds_of(now - first.at);
  if (then == first.positions.end() || seconds < 0.1 || position < then->second) return 0;
  return static_cast<double>(position - then->second) / seconds;
}

json::object ProjectionReport::report(lungo::Instant now) {
  while (!samples_.empty() && now - samples_.front().at > kRateSpan) samples_.pop_front();
  json::array projections;
  Sample sample{now, {}};
  for (const lungo::ProjectionStatus& status : engine_.status()) {
    std::int64_t position = 0;
    std::int64_t end = 0;
    for (const lungo::Position& one : status.positions) position += one.offset.value();
    for (const lungo::Offset one : status.ends) end += one.value();
    projections.push_back(json::object{{"name", status.name},
                                       {"topic", status.topic},
                                       {"phase", lungo::to_string(status.phase)},
                                       {"note", valid_utf8(status.note)},
                                       {"lag", status.lag},
                                       {"position", position},
                                       {"end", end},
                                       {"parked", status.parked},
                                       {"generation", status.generation},
                                       {"origin", status.origin},
                                       {"events_per_second", rounded(rate_of(status.name, position, now))},
                                       {"error", text_or_null(status.error)}});
    sample.positions[status.name] = position;
  }
  if (samples_.empty() || now - samples_.back().at >= kSampleInterval) samples_.push_back(std::move(sample));
  return {{"projections", std::move(projections)}, {"rebuild", rebuild_json()}};
}

json::value ProjectionReport::rebuild_json() const {
  if (!rebuild_) return nullptr;
  const lungo::RebuildProgress progress = rebuild_->progress();
  const std::optional<Result<lungo::RebuildReport>> outcome = rebuild_->outcome();
  const bool failed = outcome && !*outcome;
  std::string_view state = "running";
  if (outcome) state = !failed ? "done" : outcome->error() == Errc::canceled ? "canceled" : "failed";
  json::array names;
  for (const std::string& name : rebuilt_) names.emplace_back(name);
  json::object object{{"state", state},
                      {"projections", std::move(names)},
                      {"events", progress.events},
                      {"total", progress.total},
                      {"events_per_second", rounded(progress.events_per_second)},
                      {"left_seconds", nullptr},
                      {"elapsed_seconds", rounded(seconds_of(progress.elapsed))},
                      {"error", failed ? text_or_null(outcome->error()) : json::value(nullptr)}};
  if (!outcome && progress.left) object["left_seconds"] = std::llround(std::ceil(seconds_of(*progress.left)));
  return object;
}

Result<void> ProjectionReport::begin_rebuild(const std::vector<std::string>& names) {
  lungo::RebuildOptions options;
  options.projections = names;
  Result<lungo::Rebuild> begun = engine_.begin_rebuild(options);
  if (!begun) return begun.error();
  rebuild_ = std::move(*begun);
  rebuilt_ = names.empty() ? engine_.names() : names;
  return {};
}

Result<void> ProjectionReport::cancel_rebuild() {
  if (!is_rebuilding()) return Error{Errc::not_found, "no rebuild runs"};
  rebuild_->cancel();
  return {};
}

}  // namespace tracker
