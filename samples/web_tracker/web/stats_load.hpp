// Reads the rows that a view's filter needs.
//
// Threads: any, one view at a time; waits for the disk.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "tracker.hpp"
#include "web/stats_view.hpp"

namespace tracker {

/// Calls `visit` for each projection of which stats_row() makes rows.
template <class Visit>
void for_each_stats_projection(AddedProjections& rows, Visit&& visit) {
  visit(rows.hits_per_minute);
  visit(rows.hits_per_hour);
  visit(rows.hits_per_day);
  visit(rows.visitors);
  visit(rows.sessions_per_day);
  visit(rows.pages_per_day);
  visit(rows.referrers);
  visit(rows.browsers);
  visit(rows.systems);
  visit(rows.devices);
  visit(rows.entry_pages);
  visit(rows.exit_pages);
  visit(rows.status_codes);
  visit(rows.custom_events);
  visit(rows.funnel);
  visit(rows.page_referrers);
  visit(rows.page_custom_events);
}

/// The first day that has hits. Errors: as Projection::scan().
lungo::Result<std::optional<std::string>> oldest_day(AddedProjections& rows);
/// All rows of the filter, into a view that has none. Errors: as Projection::scan().
lungo::Result<void> load_rows(AddedProjections& rows, StatsView& view);
/// Distinct visitors of this minute and the four before it. Errors: as Projection::get().
lungo::Result<std::int64_t> live_visitors(AddedProjections& rows, std::chrono::sys_seconds now);

}  // namespace tracker
