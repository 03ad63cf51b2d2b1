#include "export_hours.hpp"

#include <date/tz.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include <lungo/log/check.hpp>
#include <lungo/log/text.hpp>

namespace lungo::exporting {

namespace {

using std::chrono::floor;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Days = date::days;

constexpr int kYearMin = 1;
constexpr int kYearMax = 9999;

/// "+HH:MM", at most 18 hours as ISO 8601 has it nowhere larger.
std::optional<seconds> fixed_offset(std::string_view zone) {
  if (zone == "UTC" || zone == "Z") return seconds{0};
  const bool has_form = zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':';
  if (!has_form) return std::nullopt;
  const std::optional<unsigned> hour = parse_number<unsigned>(zone.substr(1, 2));
  const std::optional<unsigned> minute = parse_number<unsigned>(zone.substr(4, 2));
  if (!hour || !minute || *hour > 18 || *minute > 59) return std::nullopt;
  const seconds offset = hours{*hour} + minutes{*minute};
  return zone[0] == '-' ? -offset : offset;
}

void add(std::string& out, int number, std::size_t width) {
  const std::string digits = std::to_string(number);
  out += '/';
  out.append(width - std::min(width, digits.size()), '0');
  out += digits;
}

constexpr std::array kForms{std::pair{Grain::hourly, std::string_view{"hourly/####/##/##/##"}},
                            std::pair{Grain::daily, std::string_view{"daily/####/##/##"}}};

/// The beginning of a form, with a digit for each '#'.
bool fits(std::string_view folder, std::string_view form) {
  return std::ranges::equal(folder, form.substr(0, folder.size()),
                            [](char c, char of_form) { return of_form == '#' ? c >= '0' && c <= '9' : c == of_form; });
}

constexpr date::sys_days kFirst{date::year{kYearMin} / 1 / 1};
constexpr date::sys_days kEnd{date::year{kYearMax + 1} / 1 / 1};

}  // namespace

struct HourFolders::Zone {
  const date::time_zone* zone = nullptr;  // null: the offset is fixed
  seconds offset{};
  std::chrono::sys_seconds begin{};  // of the times for which `offset` is right
  std::chrono::sys_seconds end{};
};

HourFolders::HourFolders(std::unique_ptr<Zone> zone, Grain grain) : zone_(std::move(zone)), grain_(grain) {}
HourFolders::HourFolders(HourFolders&&) noexcept = default;
HourFolders& HourFolders::operator=(HourFolders&&) noexcept = default;
HourFolders::~HourFolders() = default;

Result<HourFolders> HourFolders::of(std::string_view zone, Grain grain) {
  auto made = std::make_unique<Zone>();
  if (const std::optional<seconds> fixed = fixed_offset(zone)) {
    made->offset = *fixed;
    return HourFolders{std::move(made), grain};
  }
  try {
    made->zone = date::locate_zone(zone);
  } catch (const std::exception&) {
    return Error{Errc::invalid_argument, "no time zone is called '" + std::string(zone) +
                                             "': UTC, +02:00, or a name of the system's database such as Europe/Berlin"};
  }
  return HourFolders{std::move(made), grain};
}

std::optional<std::int64_t> HourFolders::number_of(Timestamp time) {
  const std::chrono::sys_seconds second = floor<seconds>(time);
  if (second < kFirst + Days{1} || second >= kEnd - Days{1}) return std::nullopt;  // whatever the offset
  if (zone_->zone != nullptr && (second < zone_->begin || second >= zone_->end)) {
    const date::sys_info info = zone_->zone->get_info(second);
    zone_->offset = info.offset;
    zone_->begin = info.begin;
    zone_->end = info.end;
  }
  const std::chrono::sys_seconds local = second + zone_->offset;
  if (grain_ == Grain::daily) return floor<Days>(local).time_since_epoch().count();
  return floor<hours>(local).time_since_epoch().count();
}

std::string HourFolders::folder_of(std::int64_t number) const {
  const bool is_daily = grain_ == Grain::daily;
  const date::sys_days day{is_daily ? Days{number} : floor<Days>(hours{number})};
  const date::year_month_day date{day};
  std::string folder = is_daily ? "daily" : "hourly";
  add(folder, static_cast<int>(date.year()), 4);
  add(folder, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  add(folder, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  if (!is_daily) add(folder, static_cast<int>((hours{number} - day.time_since_epoch()).count()), 2);
  return folder;
}

std::optional<Grain> HourFolders::grain_of(std::string_view folder) {
  for (const auto& [grain, form] : kForms) {
    if (folder.size() == form.size() && fits(folder, form)) return grain;
  }
  return std::nullopt;
}

bool HourFolders::is_on_the_way(std::string_view folder) {
  return std::ranges::any_of(kForms, [folder](const auto& one) {
    const std::string_view form = one.second;
    const bool is_whole = folder.size() == form.size() || (folder.size() < form.size() && form[folder.size()] == '/');
    return is_whole && fits(folder, form);
  });
}

}  // namespace lungo::exporting
