#include "export_hours.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lungo::exporting {
namespace {

using namespace std::chrono;

Timestamp at(int year, unsigned month, unsigned day, int hour, int minute = 0, int second = 0, int ms = 0) {
  const sys_days date = std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day);
  return Timestamp{date} + hours{hour} + minutes{minute} + seconds{second} + milliseconds{ms};
}

std::string folder(std::string_view zone, Timestamp time, Grain grain = Grain::hourly) {
  HourFolders folders = HourFolders::of(zone, grain).value();
  const std::optional<std::int64_t> number = folders.number_of(time);
  return number ? folders.folder_of(*number) : "none";
}

TEST(ExportHours, AreOfTheEventsTime) {
  EXPECT_EQ(folder("UTC", at(2026, 11, 28, 14, 59, 59, 999)), "hourly/2026/11/28/14");
  EXPECT_EQ(folder("UTC", at(2026, 11, 28, 15)), "hourly/2026/11/28/15");
  EXPECT_EQ(folder("UTC", at(2026, 1, 2, 3), Grain::daily), "daily/2026/01/02");
  EXPECT_EQ(folder("UTC", at(1969, 12, 31, 23, 59, 59, 999)), "hourly/1969/12/31/23") << "before the epoch";
  EXPECT_EQ(folder("UTC", at(33, 4, 3, 15)), "hourly/0033/04/03/15");
}

TEST(ExportHours, AreOfTheZone) {
  EXPECT_EQ(folder("+05:30", at(2026, 11, 28, 20, 45)), "hourly/2026/11/29/02");
  EXPECT_EQ(folder("-08:00", at(2026, 11, 28, 3), Grain::daily), "daily/2026/11/27");
  EXPECT_EQ(folder("Europe/Berlin", at(2026, 7, 1, 12)), "hourly/2026/07/01/14");
  EXPECT_EQ(folder("Europe/Berlin", at(2026, 12, 1, 12)), "hourly/2026/12/01/13");
}

// On 2026-10-25 at 01:00 UTC clocks in Berlin go from 03:00 back to 02:00; on 2026-03-29 at 01:00 UTC from 02:00 to 03:00.
TEST(ExportHours, AChangeOfClocksRepeatsAnHourAndSkipsOne) {
  HourFolders berlin = HourFolders::of("Europe/Berlin", Grain::hourly).value();
  EXPECT_EQ(berlin.number_of(at(2026, 10, 25, 0, 30)), berlin.number_of(at(2026, 10, 25, 1, 30)));
  EXPECT_EQ(*berlin.number_of(at(2026, 10, 25, 2, 30)), *berlin.number_of(at(2026, 10, 25, 1, 30)) + 1);
  EXPECT_EQ(*berlin.number_of(at(2026, 3, 29, 1)), *berlin.number_of(at(2026, 3, 29, 0, 59)) + 2);
  EXPECT_EQ(folder("Europe/Berlin", at(2026, 10, 25, 1, 30)), "hourly/2026/10/25/02");
  EXPECT_EQ(berlin.number_of(at(2026, 7, 1, 12)), berlin.number_of(at(2026, 7, 1, 12, 30))) << "back over the change";
}

TEST(ExportHours, TimesOutsideTheCalendarHaveNone) {
  EXPECT_EQ(folder("UTC", Timestamp::max()), "none");
  EXPECT_EQ(folder("UTC", Timestamp::min()), "none");
  EXPECT_EQ(folder("UTC", at(9999, 12, 30, 23)), "hourly/9999/12/30/23");
}

TEST(ExportHours, NamesOfNoZoneAreRefused) {
  for (const std::string_view zone : {"", "Mars/Olympus", "+2:00", "+19:00", "+02:60", "02:00", "../etc/passwd"}) {
    const Result<HourFolders> made = HourFolders::of(zone, Grain::hourly);
    ASSERT_FALSE(made) << zone;
    EXPECT_EQ(made.error(), Errc::invalid_argument) << zone;
  }
}

TEST(ExportHours, FoldersAreKnownByTheirForm) {
  EXPECT_EQ(HourFolders::grain_of("hourly/2026/11/28/14"), Grain::hourly);
  EXPECT_EQ(HourFolders::grain_of("daily/2026/11/28"), Grain::daily);
  for (const std::string_view other : {"", "hourly", "hourly/2026/11/28", "hourly/2026/11/28/1", "daily/2026/11/28/14",
                                       "_failed", "hourly/2o26/11/28/14", "Daily/2026/11/28"}) {
    EXPECT_EQ(HourFolders::grain_of(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace lungo::exporting
