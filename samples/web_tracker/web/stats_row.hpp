// The rows that statistics are made of, in one form for all read models: what a view loads, and what the change feed tells it.
//
// Only the columns that a view needs: a visitor's id, or a sketch, is never copied. Threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "model/projections.hpp"

namespace tracker {

enum class StatsTable : std::uint8_t {
  minutes,
  hours,
  days,
  visitors,
  sessions,
  pages,
  referrers,
  browsers,
  systems,
  devices,
  entry_pages,
  exit_pages,
  status_codes,
  events,
  funnel,
  page_referrers,
  page_events,
};

struct StatsRow {
  StatsTable table{};
  std::string day;    // or hour, or minute
  std::string page;   // where rows belong to one
  std::string value;  // what else is in the key
  /// {hits, views}, {started, ended, bounces, pages, duration_seconds}, or one count.
  std::array<std::int64_t, 5> numbers{};
  std::vector<std::byte> counts;  // of PagesPerDay
  [[nodiscard]] std::size_t bytes() const { return sizeof *this + day.size() + page.size() + value.size() + counts.size(); }
};

namespace detail {

template <class T>
StatsRow day_value_row(StatsTable table, const DayValue& key, const T& count) {
  return {.table = table, .day = key.day, .page = {}, .value = key.value, .numbers = {count}, .counts = {}};
}
inline StatsRow time_row(StatsTable table, const std::string& key, const Hits& hits) {
  return {.table = table, .day = key, .page = {}, .value = {}, .numbers = {hits.hits, hits.views}, .counts = {}};
}
inline std::array<std::int64_t, 5> numbers_of(const SessionTotals& s) {
  return {s.started, s.ended, s.bounces, s.pages, s.duration_seconds};
}

}  // namespace detail

template <class P>
StatsRow stats_row(const typename P::Key& key, const typename P::State& state) {
  using T = StatsTable;
  StatsRow row;
  if constexpr (std::is_same_v<P, HitsPerMinute>) {
    row = detail::time_row(T::minutes, key, state);
  } else if constexpr (std::is_same_v<P, HitsPerHour>) {
    row = detail::time_row(T::hours, key, state);
  } else if constexpr (std::is_same_v<P, HitsPerDay>) {
    row = detail::time_row(T::days, key, state);
  } else if constexpr (std::is_same_v<P, Visitors>) {
    row.table = T::visitors;
    row.day = key.day;
    row.value = std::to_string(key.bucket);
    row.numbers = {state.visitors};
  } else if constexpr (std::is_same_v<P, SessionsPerDay>) {
    row.table = T::sessions;
    row.day = key;
    row.numbers = detail::numbers_of(state);
  } else if constexpr (std::is_same_v<P, PagesPerDay>) {
    row.table = T::pages;
    row.day = key.day;
    row.page = key.page;
    row.numbers = {state.hits, state.views};
    row.counts = state.counts;
  } else if constexpr (std::is_same_v<P, Referrers>) {
    row = detail::day_value_row(T::referrers, key, state.views);
  } else if constexpr (std::is_same_v<P, Browsers>) {
    row = detail::day_value_row(T::browsers, key, state.views);
  } else if constexpr (std::is_same_v<P, Systems>) {
    row = detail::day_value_row(T::systems, key, state.views);
  } else if constexpr (std::is_same_v<P, Devices>) {
    row = detail::day_value_row(T::devices, key, state.views);
  } else if constexpr (std::is_same_v<P, CustomEvents>) {
    row = detail::day_value_row(T::events, key, state.count);
  } else if constexpr (std::is_same_v<P, EntryPages>) {
    row.table = T::entry_pages;
    row.day = key.day;
    row.page = key.page;
    row.numbers = detail::numbers_of(state);
  } else if constexpr (std::is_same_v<P, ExitPages>) {
    row.table = T::exit_pages;
    row.day = key.day;
    row.page = key.page;
    row.numbers = {state.sessions};
  } else if constexpr (std::is_same_v<P, StatusCodes>) {
    row.table = T::status_codes;
    row.day = key.day;
    row.value = std::to_string(1000 + key.status).substr(1);  // "000" is one that stands in logs
    row.numbers = {state.hits};
  } else if constexpr (std::is_same_v<P, Funnel>) {
    row.table = T::funnel;
    row.day = key.day;
    row.page = key.funnel;
    row.value = std::to_string(key.step);
    row.numbers = {state.sessions};
  } else if constexpr (std::is_same_v<P, PageReferrers>) {
    row.table = T::page_referrers;
    row.day = key.day;
    row.page = key.page;
    row.value = key.value;
    row.numbers = {state.views};
  } else {
    static_assert(std::is_same_v<P, PageCustomEvents>);
    row.table = T::page_events;
    row.day = key.day;
    row.page = key.page;
    row.value = key.value;
    row.numbers = {state.count};
  }
  return row;
}

}  // namespace tracker
