// One filter's statistics, kept up to date by rows: the whole as JSON, and after changes the parts that changed.
//
// Rows come with absolute values, in any order, any of them again; which rows a filter needs is said by stats_load.hpp. What
// JSON there is is described in docs/decisions/0004; all text in it is valid UTF-8.
// Threads: one at a time.
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "web/stats_filter.hpp"
#include "web/stats_list.hpp"
#include "web/stats_row.hpp"

namespace tracker {

class StatsView {
 public:
  StatsView(StatsFilter filter, StatsPeriod period);

  /// Rows that the filter leaves out change nothing.
  void apply(const StatsRow& row);
  void set_live(std::int64_t visitors) { live_ = visitors; }

  /// All of it, as an object. changes() goes on from here.
  boost::json::object whole();
  /// The same, and nothing counts as told.
  boost::json::object peek();
  /// The parts that are other than they were last told, under their names in a message; empty when there are none.
  boost::json::object changes();

  /// Memory that it takes, about.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] const StatsFilter& filter() const { return filter_; }
  [[nodiscard]] const StatsPeriod& period() const { return period_; }

 private:
  struct Day {
    std::int64_t hits = 0;
    std::int64_t views = 0;
    std::int64_t visitors = 0;
    std::array<std::int64_t, 5> sessions{};
  };
  struct Point {
    std::int64_t hits = 0;
    std::int64_t views = 0;
    friend bool operator==(const Point&, const Point&) = default;
  };
  enum List : std::size_t {
    kPages,
    kReferrers,
    kBrowsers,
    kSystems,
    kDevices,
    kEntryPages,
    kExitPages,
    kStatusCodes,
    kEvents,
    kLists
  };
  using Points = std::map<std::string, Point, std::less<>>;

  [[nodiscard]] bool is_of_page(const StatsRow& row) const { return !filter_.page || row.page == *filter_.page; }
  [[nodiscard]] bool is_listed(const StatsRow& row) const { return row.day >= period_.first_day && row.day < period_.end_day; }
  [[nodiscard]] bool is_counted(const StatsRow& row) const;
  void apply_day(const StatsRow& row);
  void apply_list(const StatsRow& row);
  void apply_page_day(const StatsRow& row);

  [[nodiscard]] Points points() const;
  /// By minutes or hours only hits and views are known; the others are null.
  [[nodiscard]] boost::json::object totals(const std::string& begin, const std::string& end, SeriesUnit rows) const;
  [[nodiscard]] boost::json::object list(std::size_t which);
  [[nodiscard]] boost::json::object funnel_steps() const;
  [[nodiscard]] boost::json::value comparison() const;

  const StatsFilter filter_;
  const StatsPeriod period_;
  std::map<std::string, Day, std::less<>> days_;  // of the period and the one before
  Points times_;                                  // of both too: hours or minutes, where the series has those
  boost::unordered_flat_map<std::uint64_t, std::int64_t> visitors_;
  std::array<StatsList, kLists> lists_;
  std::map<std::pair<std::string, std::string>, std::int64_t> funnel_;  // (day, step) -> sessions that stopped there
  std::int64_t live_ = 0;

  // What was told last.
  std::map<std::string, std::string, std::less<>> told_;
  Points told_points_;
};

}  // namespace tracker
