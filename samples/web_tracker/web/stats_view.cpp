#include "web/stats_view.hpp"

#include <xxhash.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <utility>

#include "valid_utf8.hpp"

namespace tracker {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 9> kListNames{"pages",       "referrers",  "browsers",     "systems", "devices",
                                                     "entry_pages", "exit_pages", "status_codes", "events"};

std::uint64_t key_hash(const StatsRow& row) {
  std::uint64_t hash = static_cast<std::uint64_t>(row.table);
  for (const std::string* text : {&row.day, &row.page, &row.value})
    hash = XXH3_64bits_withSeed(text->data(), text->size(), hash);
  return hash;
}

json::object list_of(const std::vector<StatsList::Entry>& entries, std::size_t names) {
  json::array rows;
  for (const auto& [name, count] : entries) rows.push_back(json::object{{"name", valid_utf8(name)}, {"count", count}});
  return {{"rows", std::move(rows)}, {"names", names}};
}

}  // namespace

StatsView::StatsView(StatsFilter filter, StatsPeriod period) : filter_(std::move(filter)), period_(std::move(period)) {}

bool StatsView::is_counted(const StatsRow& row) const {
  const std::string& begin = period_.before_begin.empty() ? period_.begin : period_.before_begin;
  return row.day >= begin && row.day < period_.end;
}

std::size_t StatsView::bytes() const {
  std::size_t bytes = sizeof *this + visitors_.bucket_count() * 2 * sizeof(std::uint64_t);
  for (const StatsList& list : lists_) bytes += list.bytes();
  return bytes;
}

void StatsView::apply(const StatsRow& row) {
  switch (row.table) {
    case StatsTable::minutes:
    case StatsTable::hours: {
      const SeriesUnit unit = row.table == StatsTable::minutes ? SeriesUnit::minute : SeriesUnit::hour;
      if (unit == period_.unit && !filter_.page && is_counted(row)) times_[row.day] = {row.numbers[0], row.numbers[1]};
      return;
    }
    case StatsTable::days:
    case StatsTable::visitors:
    case StatsTable::sessions:
      if (!filter_.page && period_.unit != SeriesUnit::minute && is_counted(row)) apply_day(row);
      return;
    case StatsTable::pages:
    case StatsTable::entry_pages:
      if (filter_.page) return apply_page_day(row);
      if (is_listed(row)) apply_list(row);
      return;
    case StatsTable::page_referrers:
    case StatsTable::page_events:
      if (filter_.page && is_of_page(row) && is_listed(row)) apply_list(row);
      return;
    case StatsTable::funnel:
      if (!filter_.page && is_listed(row) && row.page == funnel().name()) funnel_[{row.day, row.value}] = row.numbers[0];
      return;
    default:
      if (!filter_.page && is_listed(row)) apply_list(row);
  }
}

void StatsView::apply_day(const StatsRow& row) {
  Day& day = days_[row.day];
  if (row.table == StatsTable::days) {
    day.hits = row.numbers[0];
    day.views = row.numbers[1];
  } else if (row.table == StatsTable::sessions) {
    day.sessions = row.numbers;
  } else {
    std::int64_t& last = visitors_[key_hash(row)];
    day.visitors += row.numbers[0] - std::exchange(last, row.numbers[0]);
  }
}

void StatsView::apply_list(const StatsRow& row) {
  const std::uint64_t key = key_hash(row);
  switch (row.table) {
    case StatsTable::pages:
      return lists_[kPages].set(key, row.page, row.numbers[1]);
    case StatsTable::entry_pages:
      return lists_[kEntryPages].set(key, row.page, row.numbers[0]);
    case StatsTable::exit_pages:
      return lists_[kExitPages].set(key, row.page, row.numbers[0]);
    case StatsTable::referrers:
    case StatsTable::page_referrers:
      return lists_[kReferrers].set(key, row.value, row.numbers[0]);
    case StatsTable::browsers:
      return lists_[kBrowsers].set(key, row.value, row.numbers[0]);
    case StatsTable::systems:
      return lists_[kSystems].set(key, row.value, row.numbers[0]);
    case StatsTable::devices:
      return lists_[kDevices].set(key, row.value, row.numbers[0]);
    case StatsTable::status_codes:
      return lists_[kStatusCodes].set(key, row.value, row.numbers[0]);
    case StatsTable::events:
    case StatsTable::page_events:
      return lists_[kEvents].set(key, row.value, row.numbers[0]);
    default:
      return;
  }
}

// A page's day replaces what it was: its counts come out of the lists and its new ones go in, each as a row of its own.
void StatsView::apply_page_day(const StatsRow& row) {
  if (!is_of_page(row)) return;
  if (row.table == StatsTable::entry_pages) {
    if (is_listed(row)) lists_[kEntryPages].set(key_hash(row), row.page, row.numbers[0]);
    if (period_.unit != SeriesUnit::minute && is_counted(row)) days_[row.day].sessions = row.numbers;
    return;
  }
  if (period_.unit != SeriesUnit::minute && is_counted(row)) {
    days_[row.day].hits = row.numbers[0];
    days_[row.day].views = row.numbers[1];
  }
  const PageDay page{row.numbers[0], row.numbers[1], row.counts};
  PageDayVisitor visitor;
  if (period_.unit == SeriesUnit::hour && is_counted(row)) {
    visitor.hour = [&](unsigned hour, std::uint32_t hits, std::uint32_t views) {
      times_[row.day + " " + std::to_string(100 + hour).substr(1)] = {hits, views};
    };
  }
  if (is_listed(row)) {
    lists_[kPages].set(key_hash(row), row.page, row.numbers[1]);
    // Of one browser there may be several agents: they are summed before they count.
    std::map<std::string, std::int64_t> browsers;
    std::map<std::string, std::int64_t> systems;
    std::map<std::string, std::int64_t> devices;
    std::map<std::string, std::int64_t> statuses;
    visitor.agent = [&](std::string_view browser, std::string_view system, Device device, std::uint32_t views) {
      browsers[std::string{browser}] += views;
      systems[std::string{system}] += views;
      devices[std::string{to_string(device)}] += views;
    };
    visitor.status = [&](std::uint16_t status, std::uint32_t requests) {
      statuses[std::to_string(1000 + status).substr(1)] += requests;
    };
    visit_counts(page, visitor);
    const auto set = [&](List list, StatsTable table, const std::map<std::string, std::int64_t>& counts) {
      StatsRow one{.table = table, .day = row.day, .page = row.page, .value = {}, .numbers = {}, .counts = {}};
      for (const auto& [name, count] : counts) {
        one.value = name;
        lists_[list].set(key_hash(one), name, count);
      }
    };
    set(kBrowsers, StatsTable::browsers, browsers);
    set(kSystems, StatsTable::systems, systems);
    set(kDevices, StatsTable::devices, devices);
    set(kStatusCodes, StatsTable::status_codes, statuses);
  } else {
    visit_counts(page, visitor);
  }
}

StatsView::Points StatsView::points() const {
  Points points;
  if (period_.unit == SeriesUnit::minute || period_.unit == SeriesUnit::hour) {
    points.insert(times_.lower_bound(period_.begin), times_.lower_bound(period_.end));
    return points;
  }
  const std::size_t size = period_.unit == SeriesUnit::day ? 10 : 7;
  const auto end = days_.lower_bound(period_.end);
  for (auto day = days_.lower_bound(period_.begin); day != end; ++day) {
    if (day->second.hits == 0) continue;  // a day of which only the sessions are known yet
    Point& point = points[day->first.substr(0, size)];
    point.hits += day->second.hits;
    point.views += day->second.views;
  }
  return points;
}

json::object StatsView::totals(const std::string& begin, const std::string& end, SeriesUnit rows) const {
  if (rows == SeriesUnit::minute || rows == SeriesUnit::hour) {
    Point sum;
    for (auto time = times_.lower_bound(begin); time != times_.lower_bound(end); ++time) {
      sum.hits += time->second.hits;
      sum.views += time->second.views;
    }
    return {{"visitors", nullptr}, {"hits", sum.hits}, {"views", sum.views},          {"sessions", nullptr},
            {"bounces", nullptr},  {"ended", nullptr}, {"duration_seconds", nullptr}, {"pages", nullptr}};
  }
  Day sum;
  for (auto day = days_.lower_bound(begin); day != days_.lower_bound(end); ++day) {
    sum.hits += day->second.hits;
    sum.views += day->second.views;
    sum.visitors += day->second.visitors;
    for (std::size_t i = 0; i < sum.sessions.size(); ++i) sum.sessions[i] += day->second.sessions[i];
  }
  const auto& [started, ended, bounces, pages, duration] = sum.sessions;
  return {{"visitors", filter_.page ? json::value(nullptr) : json::value(sum.visitors)},
          {"hits", sum.hits},
          {"views", sum.views},
          {"sessions", started},
          {"bounces", bounces},
          {"ended", ended},
          {"duration_seconds", duration},
          {"pages", pages}};
}

// What goes on would lose against what is over, whatever it is: only what is over is compared.
json::value StatsView::comparison() const {
  if (period_.before_begin.empty() || period_.compared_end <= period_.begin) return nullptr;
  return json::object{{"unit", to_string(period_.compared)},
                      {"from", period_.begin},
                      {"until", period_.compared_end},
                      {"before_from", period_.before_begin},
                      {"before_until", period_.before_end},
                      {"now", totals(period_.begin, period_.compared_end, period_.compared)},
                      {"before", totals(period_.before_begin, period_.before_end, period_.compared)}};
}

json::object StatsView::list(std::size_t which) {
  StatsList& list = lists_[which];
  if (which != kReferrers || !filter_.page) return list_of(list.top(), list.names());
  // Those who came to the page directly have no row: they are its other views.
  std::int64_t direct = 0;
  for (const auto& [name, views] : lists_[kPages].top()) direct += views;
  direct -= list.sum();
  std::vector<StatsList::Entry> entries = list.top();
  if (direct <= 0) return list_of(entries, list.names());
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.second <= direct; });
  entries.insert(at, {"", direct});
  if (entries.size() > StatsList::kShown) entries.pop_back();
  return list_of(entries, list.names() + 1);
}

// Rows say how many sessions stopped at a step; whoever stopped later passed it too.
json::object StatsView::funnel_steps() const {
  if (filter_.page) return {{"name", ""}, {"steps", json::array{}}};
  const std::vector<std::string>& steps = funnel().steps();
  std::vector<std::int64_t> stopped_at(steps.size() + 1);
  for (const auto& [key, sessions] : funnel_) {
    const std::size_t step = std::strtoul(key.second.c_str(), nullptr, 10);
    if (step < stopped_at.size()) stopped_at[step] += sessions;
  }
  json::array array;
  for (std::size_t step = 1; step < stopped_at.size(); ++step) {
    std::int64_t passed = 0;
    for (std::size_t later = step; later < stopped_at.size(); ++later) passed += stopped_at[later];
    array.push_back(json::object{{"page", valid_utf8(steps[step - 1])}, {"sessions", passed}});
  }
  return {{"name", valid_utf8(funnel().name())}, {"steps", std::move(array)}};
}

json::object StatsView::whole() {
  told_.clear();
  told_points_.clear();
  json::object parts = changes();
  json::object filter{{"period", filter_.period},
                      {"from", period_.first_day},
                      {"to", period_.last_day},
                      {"page", filter_.page ? json::value(valid_utf8(*filter_.page)) : json::value(nullptr)}};
  json::value points = parts.contains("points") ? std::move(parts["points"]) : json::value(json::array{});
  return {{"filter", std::move(filter)},
          {"totals", std::move(parts["totals"])},
          {"comparison", std::move(parts["comparison"])},
          {"series", json::object{{"unit", to_string(period_.unit)}, {"points", std::move(points)}}},
          {"lists", std::move(parts["lists"])},
          {"funnel", std::move(parts["funnel"])},
          {"live", live_}};
}

json::object StatsView::peek() {
  auto told = told_;
  Points told_points = told_points_;
  json::object all = whole();
  told_ = std::move(told);
  told_points_ = std::move(told_points);
  return all;
}

json::object StatsView::changes() {
  json::object changed;
  const auto put = [this](json::object& into, std::string_view name, json::value value) {
    std::string text = json::serialize(value);
    std::string& told = told_[std::string{name}];
    if (told == text) return;
    told = std::move(text);
    into[name] = std::move(value);
  };
  const SeriesUnit rows = period_.unit == SeriesUnit::minute ? SeriesUnit::minute : SeriesUnit::day;
  put(changed, "totals", totals(period_.begin, period_.end, rows));
  put(changed, "comparison", comparison());
  json::array new_points;
  Points now = points();
  for (const auto& [at, point] : now) {
    const auto told = told_points_.find(at);
    if (told != told_points_.end() && told->second == point) continue;
    new_points.push_back(json::object{{"at", at}, {"hits", point.hits}, {"views", point.views}});
  }
  told_points_ = std::move(now);
  if (!new_points.empty()) changed["points"] = std::move(new_points);
  json::object lists;
  for (std::size_t which = 0; which < kLists; ++which) put(lists, kListNames[which], list(which));
  if (!lists.empty()) changed["lists"] = std::move(lists);
  put(changed, "funnel", funnel_steps());
  put(changed, "live", live_);
  return changed;
}

}  // namespace tracker
