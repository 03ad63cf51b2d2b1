// Filters of the dashboard: what is refused, and which days a period is.
#include <gtest/gtest.h>

#include "web/stats_filter.hpp"

namespace tracker {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::sys_seconds kNow = std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + 13h + 59s;

StatsPeriod period(std::string_view name, std::chrono::sys_seconds now = kNow, std::optional<std::string> oldest = {}) {
  return StatsFilter::parse({name, {}, {}, {}}).value().resolve(now, oldest);
}
StatsPeriod between(std::string_view from, std::string_view to) {
  return StatsFilter::parse({{}, from, to, {}}).value().resolve(kNow, {});
}
std::string refusal(const StatsFilter::Words& words) {
  const lungo::Result<StatsFilter> filter = StatsFilter::parse(words);
  return filter ? "" : std::string{filter.error().text()};
}

TEST(StatsFilter, PeriodsAreDaysOfUtc) {
  const StatsPeriod today = period("today");
  EXPECT_EQ(today.unit, SeriesUnit::hour);
  EXPECT_EQ(today.begin, "2026-03-01");
  EXPECT_EQ(today.end, "2026-03-02");
  EXPECT_EQ(today.before_begin, "2026-02-28");
  EXPECT_EQ(today.last_day, "2026-03-01");
  EXPECT_EQ(period("7d").begin, "2026-02-23");
  EXPECT_EQ(period("7d").before_begin, "2026-02-16");
  EXPECT_EQ(StatsFilter::parse({}).value().resolve(kNow, {}), period("30d"));
  EXPECT_EQ(period("30d").begin, "2026-01-31");
  EXPECT_EQ(period("12mo").begin, "2025-04-01");
  EXPECT_EQ(period("12mo").before_begin, "2024-04-01");
  EXPECT_EQ(period("12mo").unit, SeriesUnit::month);
}

TEST(StatsFilter, DayEndsAtMidnight) {
  const std::chrono::sys_seconds midnight = std::chrono::sys_days{std::chrono::year{2028} / 2 / 29} + 0s;
  EXPECT_EQ(period("today", midnight - 1s).begin, "2028-02-28");
  EXPECT_EQ(period("today", midnight).begin, "2028-02-29");
  EXPECT_EQ(period("today", midnight).end, "2028-03-01");
}

TEST(StatsFilter, HalfAnHourIsThirtyMinutesUpToThisOne) {
  const StatsPeriod half = period("30m", std::chrono::sys_days{std::chrono::year{2026} / 3 / 1} + 10min + 1s);
  EXPECT_EQ(half.begin, "2026-02-28 23:41");
  EXPECT_EQ(half.end, "2026-03-01 00:11");
  EXPECT_EQ(half.before_begin, "2026-02-28 23:11");
  EXPECT_EQ(half.first_day, "2026-03-01") << "its lists are today's";
}

TEST(StatsFilter, AllBeginsWithTheOldestDayAndHasNothingBefore) {
  EXPECT_EQ(period("all", kNow, "2015-05-17").begin, "2015-05-17");
  EXPECT_EQ(period("all", kNow, "2015-05-17").unit, SeriesUnit::month);
  EXPECT_EQ(period("all", kNow, "2026-02-28").unit, SeriesUnit::day);
  EXPECT_EQ(period("all", kNow, "2026-02-28").before_begin, "");
  EXPECT_EQ(period("all").begin, "2026-03-01");
  EXPECT_EQ(period("all", kNow, "9999-01-01").begin, "2026-03-01") << "a line from the future moves nothing";
}

TEST(StatsFilter, UnitOfDatesGoesByTheirNumber) {
  EXPECT_EQ(between("2026-02-01", "2026-02-02").unit, SeriesUnit::hour);
  EXPECT_EQ(between("2026-02-01", "2026-02-03").unit, SeriesUnit::day);
  EXPECT_EQ(between("2026-01-01", "2026-03-31").unit, SeriesUnit::day);
  EXPECT_EQ(between("2026-01-01", "2026-04-01").unit, SeriesUnit::month);
  EXPECT_EQ(between("2026-02-27", "2026-03-02").before_begin, "2026-02-23");
  EXPECT_EQ(between("2026-02-27", "2026-03-02").end, "2026-03-03");
}

/// "until / before_from .. before_until"
std::string compared(const StatsPeriod& period) {
  if (period.before_begin.empty() || period.compared_end <= period.begin) return "nothing";
  return period.compared_end + " / " + period.before_begin + " .. " + period.before_end;
}

TEST(StatsFilter, WhatIsOverIsComparedWithAsMuchOfThePeriodBefore) {
  EXPECT_EQ(compared(period("30m")), "2026-03-01 13:00 / 2026-03-01 12:01 .. 2026-03-01 12:30");
  EXPECT_EQ(compared(period("today")), "2026-03-01 13 / 2026-02-28 .. 2026-02-28 13");
  EXPECT_EQ(compared(period("today", kNow - 13h)), "nothing") << "no hour is over";
  EXPECT_EQ(compared(period("7d")), "2026-03-01 / 2026-02-16 .. 2026-02-22");
  EXPECT_EQ(compared(period("30d")), "2026-03-01 / 2026-01-01 .. 2026-01-30");
  EXPECT_EQ(compared(period("12mo")), "2026-03-01 / 2024-04-01 .. 2025-03-01");
  EXPECT_EQ(compared(period("12mo", std::chrono::sys_days{std::chrono::year{2028} / 2 / 29} + 1h)),
            "2028-02-29 / 2026-03-01 .. 2027-03-01");
  EXPECT_EQ(compared(period("all", kNow, "2015-05-17")), "nothing");
  EXPECT_EQ(compared(between("2026-02-01", "2026-02-10")), "2026-02-11 / 2026-01-22 .. 2026-02-01") << "all of it is over";
  EXPECT_EQ(compared(between("2026-02-27", "2026-03-02")), "2026-03-01 / 2026-02-23 .. 2026-02-25");
  EXPECT_EQ(compared(between("2026-02-28", "2026-03-01")), "2026-03-01 / 2026-02-26 .. 2026-02-27");
  EXPECT_EQ(compared(between("2026-03-01", "2026-03-01")), compared(period("today")));
  EXPECT_EQ(compared(between("2026-03-01", "2026-03-31")), "nothing") << "no day is over, and its rows are days";
  EXPECT_EQ(compared(between("2026-03-02", "2026-03-03")), "nothing");
}

TEST(StatsFilter, MinutesAreNotCountedPageByPage) {
  const lungo::Result<StatsFilter> both = StatsFilter::parse({"30m", {}, {}, "/menu"});
  ASSERT_FALSE(both);
  EXPECT_TRUE(both.error().text().starts_with("page: ")) << both.error().text();
  EXPECT_TRUE(StatsFilter::parse({"30m", {}, {}, ""}));
}

TEST(StatsFilter, RefusalsNameTheWord) {
  EXPECT_TRUE(refusal({"8d", {}, {}, {}}).starts_with("period:"));
  EXPECT_TRUE(refusal({"7d", "2026-01-01", "2026-01-01", {}}).starts_with("period:"));
  EXPECT_TRUE(refusal({{}, "2026-02-30", "2026-03-01", {}}).starts_with("from:"));
  EXPECT_TRUE(refusal({{}, "2026-02-01", {}, {}}).starts_with("to:"));
  EXPECT_TRUE(refusal({{}, "2026-02-02", "2026-02-01", {}}).starts_with("to:"));
  EXPECT_TRUE(refusal({{}, "0001-01-01", "9999-12-31", {}}).starts_with("to:"));
  EXPECT_TRUE(refusal({{}, "2026-1-01", "2026-02-01", {}}).starts_with("from:"));
  const std::string page(10'000, 'x');
  EXPECT_TRUE(refusal({"7d", {}, {}, page}).starts_with("page:"));
}

}  // namespace
}  // namespace tracker
