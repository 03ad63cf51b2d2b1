// One run of the program over its inputs: imports, follows, sums up; outlives what can be outlived, and tells on stderr.
//
// Threads: the main thread, which signals reach.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "import/follow.hpp"
#include "summary.hpp"
#include "tracker.hpp"
#include "web/site.hpp"

namespace tracker {

struct Arguments {
  std::vector<std::string> imports;
  std::vector<std::string> follows;
  std::string data = "data";
  std::string funnel;
  std::optional<SiteOptions> site;  // nothing: no web service
  bool exit = false;
  bool json = false;
  bool verbose = false;
};

inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitDiskFull = 75;  // EX_TEMPFAIL of sysexits.h: try again later

/// Tells what went wrong, and what to do where that helps. The exit status for it.
int complain(const lungo::Error& error);

class Run {
 public:
  /// Both must outlive it.
  Run(Tracker& tracker, const Arguments& arguments);
  /// The exit status; everything that was taken is committed and marked, if that is possible.
  int run();

 private:
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] lungo::Instant now() const { return tracker_.ports().clock.monotonic(); }
  void wait(lungo::Duration pause) const;

  bool open_site();
  void import(const std::string& path);
  std::optional<lungo::Error> import_once(const std::string& path);
  void take_what_is_there();
  void follow_until_stopped();
  void let_live_time_go_on();
  void tell_news_of(LogFollower& follower);
  void finish_followers();
  bool catch_up();
  void print_summary();

  std::optional<lungo::Error> tracker_trouble();
  void report_trouble(const std::optional<lungo::Error>& trouble);
  void fail(const lungo::Error& error);

  Tracker& tracker_;
  const Arguments& arguments_;
  std::unique_ptr<Site> site_;
  std::vector<LogFollower> followers_;
  std::vector<FileReport> files_;
  std::optional<lungo::Error> last_trouble_;     // told, and not over yet
  std::optional<lungo::Error> checked_trouble_;  // of sessions and projections, as of the last check
  lungo::Instant next_check_{};
  int status_ = 0;
};

}  // namespace tracker
