// The tracker's parts: the log, the session process, the engine with all projections.
//
// Threads: one at a time, apart from the reads of the projections.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/process.hpp>
#include <lungo/projections/engine.hpp>

#include "event_appends.hpp"
#include "forward/forward_site.hpp"
#include "import/import_progress.hpp"
#include "import/log_import.hpp"
#include "ingest/visitor_ids.hpp"
#include "model/projections.hpp"
#include "model/sessions.hpp"
#include "shared_partitions.hpp"

namespace tracker {

/// Every projection, added to an engine.
struct AddedProjections {
  explicit AddedProjections(lungo::Engine& engine);
  lungo::Projection<HitsPerMinute>& hits_per_minute;
  lungo::Projection<HitsPerHour>& hits_per_hour;
  lungo::Projection<HitsPerDay>& hits_per_day;
  lungo::Projection<StatusCodes>& status_codes;
  lungo::Projection<TopTargets>& top_targets;
  lungo::Projection<PagesPerDay>& pages_per_day;
  lungo::Projection<PageReferrers>& page_referrers;
  lungo::Projection<Referrers>& referrers;
  lungo::Projection<Browsers>& browsers;
  lungo::Projection<Systems>& systems;
  lungo::Projection<Devices>& devices;
  lungo::Projection<CustomEvents>& custom_events;
  lungo::Projection<PageCustomEvents>& page_custom_events;
  lungo::Projection<Visitors>& visitors;
  lungo::Projection<VisitorSketch>& visitor_sketch;
  lungo::Projection<ActiveVisitors>& active_visitors;
  lungo::Projection<SessionsPerDay>& sessions_per_day;
  lungo::Projection<EntryPages>& entry_pages;
  lungo::Projection<ExitPages>& exit_pages;
  lungo::Projection<Funnel>& funnel;
};

enum class Purpose {
  import,
  look,  // import_site() must not be called; needs no secret
};

/// Of rows held decoded, all projections together: most are of a day that is over, and not needed again.
inline constexpr std::size_t kCacheBytes = 32u << 20;

struct TrackerOptions {
  Purpose purpose = Purpose::import;
  std::chrono::milliseconds lateness{60'000};                       // how late an event may come and still join its session
  lungo::Duration commit_interval = std::chrono::milliseconds{50};  // of rows, when live
  std::shared_ptr<ForwardSite> forward;                             // where others share the log; not started yet
};

class Tracker {
 public:
  /// Makes the log's topics and starts everything. The secret and the read models lie in the log's directory, wherever its
  /// records are. Errors: not_found: the log was used and the secret, without which nothing can be imported, is gone; corrupt:
  /// it is another one; timed_out when nobody gets the partitions; no_space, io; as EventLog::create_topic() and append().
  static lungo::Result<std::unique_ptr<Tracker>> open(std::shared_ptr<lungo::EventLog> log, const TrackerOptions& options = {});
  ~Tracker();
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  /// Waits until sessions and all projections hold everything that is in the log. Errors: timed_out, naming what lags; why a
  /// part of it has stopped.
  lungo::Result<void> catch_up(lungo::Duration timeout);
  /// Commits and stops everything. Errors: what could not be written; it will be made again from the log.
  lungo::Result<void> stop();
  /// Why the process or a projection can't go on, or waits for the disk; nothing while all is well.
  [[nodiscard]] std::optional<lungo::Error> trouble() const;
  /// Events that came to the sessions late, since it was opened.
  [[nodiscard]] std::int64_t late() const { return sessions_.status().counts.late; }
  /// Events that sessions and projections have not seen yet.
  [[nodiscard]] std::int64_t lag() const;

  /// All that happened before `time` in what is followed is committed: the live lane's clock may go on up to there. Until it
  /// is called the clock stands still. Any thread.
  void live_until(lungo::Timestamp time) { live_until_ = time; }

  [[nodiscard]] ImportSite import_site();
  [[nodiscard]] ProgressBook& book() { return *book_; }
  [[nodiscard]] lungo::Ports ports() { return store_.log().ports(); }
  [[nodiscard]] const lungo::EventStore& store() const { return store_; }
  [[nodiscard]] EventAppends& appends() { return appends_; }
  /// Of a tracker that was not opened to look.
  [[nodiscard]] const Secret& secret() const;
  [[nodiscard]] lungo::Engine& engine() { return engine_; }
  [[nodiscard]] std::vector<lungo::ProjectionStatus> projections() const { return engine_.status(); }
  [[nodiscard]] lungo::ProcessStatus sessions() const { return sessions_.status(); }

  [[nodiscard]] AddedProjections& rows() { return rows_; }

 private:
  Tracker(lungo::EventStore store, const std::optional<Secret>& secret, const TrackerOptions& options);
  [[nodiscard]] lungo::ProcessOptions session_options(const TrackerOptions& options) const;

  lungo::EventStore store_;
  std::shared_ptr<ForwardSite> forward_;
  std::unique_ptr<SharedPartitions> shared_;
  std::optional<Secret> secret_;
  std::unique_ptr<ProgressBook> book_;
  OpenFiles open_files_;
  EventAppends appends_;
  lungo::Engine engine_;
  AddedProjections rows_;
  std::atomic<lungo::Timestamp> live_until_{lungo::Timestamp::min()};  // min: the clock stands still
  lungo::Process<Sessions> sessions_;
  bool running_ = false;
};

}  // namespace tracker
