#include "web/stats_filter.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/text.hpp>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;
using std::chrono::days;
using std::chrono::sys_days;

constexpr std::array<std::string_view, 6> kPeriods{"30m", "today", "7d", "30d", "12mo", "all"};
constexpr std::int64_t kDaysMax = 3'660;
constexpr std::int64_t kDaysByHour = 2;
constexpr std::int64_t kDaysByDay = 90;
constexpr std::size_t kPageBytesMax = 8'192;  // no request line is longer

std::string text_of(sys_days day) { return std::string{day_text(day).view()}; }
std::string hour_text(std::chrono::sys_seconds time) { return std::string{TimeText{time, TimeUnit::hour}.view()}; }
std::string minute_text(std::chrono::sys_seconds time) { return std::string{TimeText{time, TimeUnit::minute}.view()}; }

SeriesUnit unit_for(std::int64_t day_count, bool by_hour) {
  if (by_hour && day_count <= kDaysByHour) return SeriesUnit::hour;
  return day_count <= kDaysByDay ? SeriesUnit::day : SeriesUnit::month;
}

/// Days up to the one that goes on: `today` may lie anywhere.
void compare_days(StatsPeriod& period, sys_days first, sys_days last, sys_days before, sys_days today) {
  const sys_days end = std::clamp(today, first, last + days{1});
  period.compared = SeriesUnit::day;
  period.compared_end = text_of(end);
  period.before_end = text_of(before + (end - first));
}

/// Hours up to the one that goes on, of a period that begins today.
void compare_hours(StatsPeriod& period, sys_days before, std::chrono::sys_seconds now) {
  const sys_days today = std::chrono::floor<days>(now);
  const auto over = std::chrono::floor<std::chrono::hours>(now - today);
  period.compared = SeriesUnit::hour;
  period.compared_end = over.count() == 0 ? period.begin : hour_text(today + over);
  period.before_end = over.count() == 0 ? period.before_begin : hour_text(before + over);
}

// first <= last.
StatsPeriod period_of(sys_days first, sys_days last, SeriesUnit unit, sys_days before) {
  StatsPeriod period;
  period.unit = unit;
  period.begin = period.first_day = text_of(first);
  period.end = period.end_day = text_of(last + days{1});
  period.before_begin = text_of(before);
  period.last_day = text_of(last);
  return period;
}

}  // namespace

std::string_view to_string(SeriesUnit unit) {
  constexpr std::array<std::string_view, 4> kNames{"minute", "hour", "day", "month"};
  return kNames[static_cast<std::size_t>(unit)];
}

std::optional<sys_days> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) -> int {
    int value = 0;
    for (const char c : text.substr(at, size)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 1 || month < 1 || day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  return sys_days{date};
}

std::string day_after(const std::string& day) {
  const std::optional<sys_days> parsed = parse_day(day);
  return parsed ? text_of(*parsed + days{1}) : day + '\x7f';
}

Result<StatsFilter> StatsFilter::parse(const Words& words) {
  StatsFilter filter;
  if (words.from || words.to) {
    if (words.period && *words.period != "custom")
      return Error{Errc::invalid_argument, "period: there is either a period, or from and to"};
    const std::optional<sys_days> from = words.from ? parse_day(*words.from) : std::nullopt;
    const std::optional<sys_days> to = words.to ? parse_day(*words.to) : std::nullopt;
    if (!from) return Error{Errc::invalid_argument, "from: should be a day like 2026-11-25"};
    if (!to) return Error{Errc::invalid_argument, "to: should be a day like 2026-11-25"};
    if (*to < *from) return Error{Errc::invalid_argument, "to: lies before from"};
    if ((*to - *from).count() >= kDaysMax) return Error{Errc::invalid_argument, "to: more than ten years behind from"};
    filter.period = "custom";
    filter.from = *words.from;
    filter.to = *words.to;
  } else if (words.period) {
    if (std::find(kPeriods.begin(), kPeriods.end(), *words.period) == kPeriods.end())
      return Error{Errc::invalid_argument, "period: should be 30m, today, 7d, 30d, 12mo or all, or give from and to"};
    filter.period = *words.period;
  }
  if (words.page && words.page->size() > kPageBytesMax) return Error{Errc::invalid_argument, "page: is too long"};
  if (words.page && !words.page->empty()) filter.page = *words.page;
  if (filter.page && filter.period == "30m")
    return Error{Errc::invalid_argument, "page: minutes are not counted page by page; choose another period, such as today"};
  return filter;
}

StatsPeriod StatsFilter::resolve(std::chrono::sys_seconds now, const std::optional<std::string>& oldest_day) const {
  const sys_days today = std::chrono::floor<days>(now);
  if (period == "custom") {
    const sys_days first = parse_day(from).value_or(today);
    const sys_days last = std::max(first, parse_day(to).value_or(today));
    const days length = last - first + days{1};
    StatsPeriod result = period_of(first, last, unit_for(length.count(), true), first - length);
    if (first == today && result.unit == SeriesUnit::hour) {
      compare_hours(result, first - length, now);
    } else {
      compare_days(result, first, last, first - length, today);
    }
    return result;
  }
  if (period == "30m") {
    constexpr std::chrono::minutes kLength{30};
    const auto minute = std::chrono::floor<std::chrono::minutes>(now);
    const auto end = minute + std::chrono::minutes{1};
    StatsPeriod result = period_of(today, today, SeriesUnit::minute, today);
    result.begin = minute_text(end - kLength);
    result.end = minute_text(end);
    result.before_begin = minute_text(end - 2 * kLength);
    result.compared = SeriesUnit::minute;
    result.compared_end = minute_text(minute);
    result.before_end = minute_text(minute - kLength);
    return result;
  }
  if (period == "today") {
    StatsPeriod result = period_of(today, today, SeriesUnit::hour, today - days{1});
    compare_hours(result, today - days{1}, now);
    return result;
  }
  if (period == "12mo") {
    const std::chrono::year_month_day date{today};
    const auto month = std::chrono::year_month{date.year(), date.month()};
    StatsPeriod result = period_of(sys_days{(month - std::chrono::months{11}) / 1}, today, SeriesUnit::month,
                                   sys_days{(month - std::chrono::months{23}) / 1});
    result.compared_end = text_of(today);
    result.before_end = text_of(sys_days{date - std::chrono::years{1}});  // that of 29 February is 1 March
    return result;
  }
  if (period == "all") {
    const sys_days first = std::min(today, oldest_day ? parse_day(*oldest_day).value_or(today) : today);
    StatsPeriod result = period_of(first, today, unit_for((today - first).count() + 1, false), first);
    result.before_begin.clear();
    return result;
  }
  const days length{period == "7d" ? 7 : 30};
  const sys_days first = today - length + days{1};
  StatsPeriod result = period_of(first, today, SeriesUnit::day, first - length);
  compare_days(result, first, today, first - length, today);
  return result;
}

}  // namespace tracker
