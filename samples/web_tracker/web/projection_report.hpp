// What /replay shows: the projections with their rates, and the rebuild that runs or was the last.
//
// Threads: one at a time.
#pragma once

#include <boost/json/object.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/engine.hpp>

namespace tracker {

class ProjectionReport {
 public:
  explicit ProjectionReport(lungo::Engine& engine) : engine_(engine) {}

  /// {"projections": [...], "rebuild": ...} as of now; each call is also a measurement for the rates.
  boost::json::object report(lungo::Instant now);

  /// Errors: not_found (projection), busy when one runs, closed.
  lungo::Result<void> begin_rebuild(const std::vector<std::string>& names);
  /// Errors: not_found when none runs.
  lungo::Result<void> cancel_rebuild();
  [[nodiscard]] bool is_rebuilding() const { return rebuild_ && !rebuild_->outcome(); }

 private:
  struct Sample {
    lungo::Instant at;
    std::map<std::string, std::int64_t> positions;
  };

  [[nodiscard]] boost::json::value rebuild_json() const;
  /// Events per second between the oldest sample and now.
  [[nodiscard]] double rate_of(const std::string& projection, std::int64_t position, lungo::Instant now) const;

  lungo::Engine& engine_;
  std::deque<Sample> samples_;
  std::optional<lungo::Rebuild> rebuild_;
  std::vector<std::string> rebuilt_;
};

}  // namespace tracker
