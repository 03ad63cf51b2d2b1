// What a dashboard asks for: a period and perhaps a page; and what that is in days, as of some moment.
//
// Days, hours and minutes are the texts by which the read models' rows are keyed, and ends are the first text that does not
// belong any more: "2026-11-25 13" lies in ["2026-11-25", "2026-11-26"). Threads: pure functions and values.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/result.hpp>

#include "model/time_text.hpp"

namespace tracker {

enum class SeriesUnit { minute, hour, day, month };
/// "minute", "hour", "day", "month".
std::string_view to_string(SeriesUnit unit);

/// A filter as of one moment.
struct StatsPeriod {
  SeriesUnit unit = SeriesUnit::day;
  std::string begin;         // of the series and of the totals
  std::string end;           // exclusive
  std::string before_begin;  // the period before ends where this one begins; empty: there is none
  // What is compared: what is over of this period, with as much of the period before. Of a period of which no day is over yet
  // those are hours; the last thirty minutes are compared by minutes.
  SeriesUnit compared = SeriesUnit::day;  // never month
  std::string compared_end;               // exclusive, from `begin`; not above it: nothing is over
  std::string before_end;                 // exclusive, from `before_begin`
  std::string first_day;                  // what lists are made of
  std::string end_day;                    // exclusive
  std::string last_day;                   // as it is shown
  friend bool operator==(const StatsPeriod&, const StatsPeriod&) = default;
};

struct StatsFilter {
  std::string period = "30d";       // "custom" with from and to
  std::string from;                 // inclusive, of "custom"
  std::string to;                   // inclusive
  std::optional<std::string> page;  // exactly
  friend bool operator==(const StatsFilter&, const StatsFilter&) = default;

  struct Words {
    std::optional<std::string_view> period, from, to, page;
  };
  /// Errors: invalid_argument, whose text begins with the word that is to blame.
  static lungo::Result<StatsFilter> parse(const Words& words);

  /// `oldest_day`: the first one that has rows, which `all` begins with.
  [[nodiscard]] StatsPeriod resolve(std::chrono::sys_seconds now, const std::optional<std::string>& oldest_day) const;
};

/// The day behind a day's text.
std::string day_after(const std::string& day);
/// Nothing unless it is YYYY-MM-DD and there is such a day.
std::optional<std::chrono::sys_days> parse_day(std::string_view text);

}  // namespace tracker
