#include "web/stats_load.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tracker {
namespace {

using lungo::Result;

/// Rows of [begin, end), whose keys begin with a day, hour or minute.
template <class P>
Result<void> load_range(lungo::Projection<P>& projection, const std::string& begin, const std::string& end, StatsView& view) {
  typename P::Key from{};
  typename P::Key to{};
  if constexpr (std::is_same_v<typename P::Key, std::string>) {
    from = begin;
    to = end;
  } else {
    from.day = begin;
    to.day = end;
  }
  if constexpr (std::is_same_v<P, Funnel>) from.funnel = to.funnel = funnel().name();
  return projection.for_each(from, to, [&view](const auto& key, const auto& state) { view.apply(stats_row<P>(key, state)); });
}

/// Rows of one page: a few per day.
template <class P>
Result<void> load_page(lungo::Projection<P>& projection, const std::string& page, const std::string& day, StatsView& view) {
  if constexpr (std::is_same_v<typename P::Key, DayPage>) {
    Result<std::optional<typename P::State>> row = projection.get({day, page});
    if (!row) return row.error();
    if (*row) view.apply(stats_row<P>({day, page}, **row));
    return {};
  } else {
    const std::string behind = page + '\0';  // no page lies between
    return projection.for_each({day, page, ""}, {day, behind, ""},
                               [&view](const auto& key, const auto& state) { view.apply(stats_row<P>(key, state)); });
  }
}

/// The days of [begin, end) that have rows.
template <class P>
Result<std::vector<std::string>> days_of(lungo::Projection<P>& projection, const std::string& begin, const std::string& end) {
  std::vector<std::string> days;
  for (std::string from = begin; from < end; from = day_after(days.back())) {
    const auto row = projection.scan({from, "", ""}, {end, "", ""}, {.descending = false, .limit = 1});
    if (!row) return row.error();
    if (row->empty()) break;
    days.push_back(row->front().key.day);
  }
  return days;
}

// By the days that there are: between two of an old log may lie years.
Result<void> load_days_of_page(AddedProjections& rows, const std::string& page, StatsView& view) {
  const StatsPeriod& period = view.period();
  std::string first = period.first_day;
  if (period.unit != SeriesUnit::minute && !period.before_begin.empty()) first = std::min(first, period.before_begin);
  // Every session begins with a hit; an event that a program sends may have a day for itself.
  const auto days = rows.hits_per_day.scan(first, period.end_day);
  if (!days) return days.error();
  for (const auto& [day, hits] : *days) {
    Result<void> read = load_page(rows.pages_per_day, page, day, view);
    if (read) read = load_page(rows.entry_pages, page, day, view);
    if (read && day >= period.first_day) read = load_page(rows.page_referrers, page, day, view);
    if (!read) return read;
  }
  const Result<std::vector<std::string>> event_days = days_of(rows.page_custom_events, period.first_day, period.end_day);
  if (!event_days) return event_days.error();
  for (const std::string& day : *event_days) {
    Result<void> read = load_page(rows.page_custom_events, page, day, view);
    if (!read) return read;
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> oldest_day(AddedProjections& rows) {
  Result<std::vector<lungo::Projection<HitsPerDay>::Row>> first = rows.hits_per_day.scan({.descending = false, .limit = 1});
  if (!first) return first.error();
  if (first->empty()) return std::optional<std::string>{};
  return std::optional{first->front().key};
}

Result<void> load_rows(AddedProjections& rows, StatsView& view) {
  if (view.filter().page) return load_days_of_page(rows, *view.filter().page, view);
  const StatsPeriod& period = view.period();
  const std::string& begin = period.before_begin.empty() ? period.begin : period.before_begin;
  Result<void> read;
  const auto load = [&](auto& projection, const std::string& from, const std::string& to) {
    if (read) read = load_range(projection, from, to, view);
  };
  if (period.unit == SeriesUnit::minute) {
    load(rows.hits_per_minute, begin, period.end);
  } else {
    load(rows.hits_per_day, begin, period.end);
    load(rows.visitors, begin, period.end);
    load(rows.sessions_per_day, begin, period.end);
  }
  if (period.unit == SeriesUnit::hour) load(rows.hits_per_hour, begin, period.end);
  const auto list = [&](auto& projection) { load(projection, period.first_day, period.end_day); };
  list(rows.pages_per_day);
  list(rows.referrers);
  list(rows.browsers);
  list(rows.systems);
  list(rows.devices);
  list(rows.entry_pages);
  list(rows.exit_pages);
  list(rows.status_codes);
  list(rows.custom_events);
  list(rows.funnel);
  return read;
}

Result<std::int64_t> live_visitors(AddedProjections& rows, std::chrono::sys_seconds now) {
  std::vector<std::uint64_t> ids;
  for (int back = 0; back < 5; ++back) {
    const TimeText minute{now - std::chrono::minutes{back}, TimeUnit::minute};
    Result<std::optional<ActiveVisitors::State>> row = rows.active_visitors.get(std::string{minute.view()});
    if (!row) return row.error();
    if (!*row) continue;
    for (std::size_t at = 0; at + kActiveIdBytes <= (*row)->ids.size(); at += kActiveIdBytes) {
      ids.emplace_back();
      std::memcpy(&ids.back(), (*row)->ids.data() + at, sizeof ids.back());
    }
  }
  std::sort(ids.begin(), ids.end());
  return std::unique(ids.begin(), ids.end()) - ids.begin();
}

}  // namespace tracker
