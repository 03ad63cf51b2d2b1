// The desk: reads rows for the pages off the web thread, and keeps the statistics that dashboards watch up to date.
//
// Whoever wants something submits a job, which runs on the desk's thread and may call the members marked so. Equal filters
// share a view; what changed of it is told to the sink as one encoded message, at most once per update interval. A view that
// nobody watches any more, or that was only asked for, is kept for a while: a page asks first and watches then. Promise: a
// view's messages come in the order in which they are to be applied, and watch()'s text is a whole view to which all later ones
// apply. Nothing is queued without end: jobs are refused, and too many changes end in reading the view anew. Threads: as each
// member says.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <lungo/log/executor.hpp>
#include <lungo/projections/engine.hpp>

#include "tracker.hpp"
#include "web/change_mailbox.hpp"
#include "web/projection_report.hpp"
#include "web/stats_view.hpp"

namespace tracker {

class StatsDesk final : public lungo::Activity {
 public:
  static constexpr std::size_t kViewsMax = 32;
  static constexpr std::size_t kViewBytesMax = 128u
                                               << 20;  // of all views together: a year of many pages takes tens of megabytes
  static constexpr lungo::Duration kKept = std::chrono::seconds{15};  // a view that nobody watches
  static constexpr std::size_t kJobsMax = 256;
  static constexpr std::uint64_t kProjections = 0;  // the view that watch_projections() watches

  /// `message` is the text of a whole WebSocket message. Called on the desk's thread; must not block.
  using Sink = std::function<void(std::uint64_t view, std::shared_ptr<const std::string> message)>;

  /// All must outlive it.
  StatsDesk(lungo::Engine& engine, AddedProjections& rows, lungo::Ports ports,
            lungo::Duration update_interval = std::chrono::milliseconds{100}, std::size_t view_bytes_max = kViewBytesMax);
  StatsDesk(Tracker& tracker, lungo::Duration update_interval)
      : StatsDesk(tracker.engine(), tracker.rows(), tracker.ports(), update_interval) {}
  ~StatsDesk() override;

  /// Who wakes it from now on; null before its handle goes. Any thread.
  void set_running(lungo::RunningActivity* running);
  /// Any thread; null: nobody listens.
  void set_sink(Sink sink);
  enum class Load {
    light,  // asks for little: before those that scan rows
    heavy,
  };
  /// Any thread. False: too many of its kind wait already.
  bool submit(std::function<void()> job, Load load = Load::heavy);
  /// Ends one watch() of the view. Any thread, at once or at the next step.
  void unwatch(std::uint64_t view);

  // On the desk's thread, inside of a job:

  struct Watched {
    std::uint64_t view = 0;
    std::string text;  // the message that shows all of it
  };
  /// Errors: busy when too many different filters are watched, or they take too much memory; as Projection::scan().
  lungo::Result<Watched> watch(const StatsFilter& filter);
  /// View kProjections: its messages come when something changed, twice a second at most.
  lungo::Result<Watched> watch_projections();
  /// The view of a filter, once. Errors: as Projection::scan().
  lungo::Result<std::string> stats(const StatsFilter& filter);
  lungo::Result<std::string> projections();
  /// Empty: all. Errors: not_found, naming it; busy when one runs; closed.
  lungo::Result<void> begin_rebuild(const std::vector<std::string>& names);
  /// Errors: not_found when none runs.
  lungo::Result<void> cancel_rebuild();

  lungo::Instant step(lungo::Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "desk"; }

 private:
  struct View {
    std::uint64_t id = 0;
    std::size_t watchers = 0;
    lungo::Instant kept_until{};  // once there are none
    std::uint64_t sequence = 0;   // rows up to this commit are in it
    std::unique_ptr<StatsView> stats;
    bool is_fresh = false;  // was loaded anew: all of it is to be told
    bool is_dirty = false;
  };

  void wake();
  [[nodiscard]] std::chrono::sys_seconds wall_time() const;
  lungo::Result<std::unique_ptr<StatsView>> load(const StatsFilter& filter);
  lungo::Result<void> load_into(View& view);
  [[nodiscard]] View* find(const StatsFilter& filter);
  /// A view that is not kept yet. Errors: as Projection::scan().
  lungo::Result<std::unique_ptr<View>> make(const StatsFilter& filter);
  /// Drops views that nobody watches as far as it must. False: there is no room all the same.
  bool make_room(std::size_t bytes);
  void drop_unwatched(lungo::Instant now);
  bool run_jobs();
  void end_watches(lungo::Instant now);
  void take_changes();
  void look_at_clock(lungo::Instant now);
  void reload_all(lungo::Instant now);
  void tell(View& view);
  void tell_all(lungo::Instant now);
  void tell_projections(lungo::Instant now);
  void send(std::uint64_t view, std::string text);
  [[nodiscard]] lungo::Instant next_step(lungo::Instant now) const;

  lungo::Engine& engine_;
  AddedProjections& rows_;
  const lungo::Ports ports_;
  const lungo::Duration update_interval_;
  const std::size_t view_bytes_max_;

  std::mutex mutex_;  // guards the five below
  lungo::RunningActivity* running_ = nullptr;
  Sink sink_;
  std::deque<std::function<void()>> light_jobs_;
  std::deque<std::function<void()>> heavy_jobs_;
  std::vector<std::uint64_t> unwatched_;

  // The desk's own.
  std::vector<std::unique_ptr<View>> views_;
  std::uint64_t last_id_ = kProjections;
  bool must_reload_ = false;
  lungo::Instant next_reload_{};
  lungo::Instant next_tick_{};
  lungo::Instant next_update_{};
  ProjectionReport report_;
  std::size_t projection_watchers_ = 0;
  lungo::Instant next_report_{};
  std::string told_report_;
  ChangeMailbox mailbox_;  // last: its callbacks end before anything else goes
};

}  // namespace tracker
