#include "catch_up.hpp"

#include <algorithm>

#include <lungo/log/deadline.hpp>

namespace lungo {

Result<CatchUp> CatchUp::of(EventLog& log, const OwnedPartitions& owned, std::vector<OwnedPartitions::Unit> units) {
  CatchUp made{log.ports(), owned};
  for (OwnedPartitions::Unit& unit : units) {
    const Result<Ends> ends = log.ends(unit.front());
    if (!ends) return ends.error();
    made.goals_.push_back({std::move(unit), ends->committed});
  }
  return made;
}

bool CatchUp::wait(const Look& look, Duration timeout) {
  constexpr std::chrono::milliseconds kAskAgain{200};
  const Instant deadline = deadline_after(ports_.clock.monotonic(), timeout);
  const auto is_over = [&] {
    const std::optional<std::vector<PartitionLag>> lags = look();
    if (lags) compare(*lags);
    return !lags || lagging_.empty();
  };
  while (!is_over()) {
    const Instant now = ports_.clock.monotonic();
    if (now >= deadline) return false;
    ask_for_owners();
    if (ports_.executor.wait_until(is_over, std::min(deadline, now + kAskAgain))) return true;
  }
  return true;
}

void CatchUp::compare(const std::vector<PartitionLag>& lags) {
  lagging_.clear();
  for (const Goal& goal : goals_) {
    const TopicPartition& partition = goal.unit.front();
    const auto run = std::ranges::find(lags, partition, &PartitionLag::partition);
    if (run == lags.end() && !goal.is_anothers) lagging_.push_back({partition, std::nullopt, goal.end});
    if (run != lags.end() && run->next < goal.end) lagging_.push_back({partition, run->next, goal.end});
  }
}

/// Of what lags, as nobody runs it here.
void CatchUp::ask_for_owners() {
  for (Goal& goal : goals_) {
    const auto lags = std::ranges::find(lagging_, goal.unit.front(), &Lagging::partition);
    if (lags != lagging_.end() && !lags->next) goal.is_anothers = owned_->is_anothers(goal.unit);
  }
}

}  // namespace lungo
