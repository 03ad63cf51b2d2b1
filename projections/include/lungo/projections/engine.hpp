// The engine: one read and one decode per event feed all projections of a store.
//
//   lungo::Engine engine{store, lungo::sqlite("views.db")};
//   auto& top = engine.add<TopPages>();
//   engine.start().value();
//   auto row = top.get("/espresso", lungo::at_least(commit, 5s)).value();
//
// Promise: changed rows and the positions of all partitions are committed in one transaction, so after any crash the rows are
// exactly the events below their positions. A position that the log no longer holds leads to a rebuild, never to ghosts.
// Threads: add() and start() belong to one thread; everything else may be called from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/projections/projection.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

struct EngineOptions {
  std::size_t cache_bytes = 64u << 20;                      // rows held decoded, all projections together
  Duration commit_interval{std::chrono::milliseconds{50}};  // when live; at once for what somebody waits for
  Duration catch_up_interval{std::chrono::seconds{2}};  // while there is more to read: a longer one writes hot rows less often
  Duration retry_interval{std::chrono::seconds{1}};     // after the store or the log refused
};

/// Where a replay begins.
class ReplayFrom {
 public:
  static ReplayFrom beginning() { return ReplayFrom{}; }
  /// Of every partition; one below a partition's start is its start.
  static ReplayFrom offset(Offset offset) { return ReplayFrom{offset, std::nullopt}; }
  /// The first event of each partition whose time is not before it.
  static ReplayFrom time(Timestamp time) { return ReplayFrom{std::nullopt, time}; }

  [[nodiscard]] const std::optional<Offset>& from_offset() const { return offset_; }
  [[nodiscard]] const std::optional<Timestamp>& from_time() const { return time_; }
  /// "beginning", "offset 17", "time 2024-05-01T00:00:00.000Z"
  [[nodiscard]] std::string text() const;

 private:
  ReplayFrom() = default;
  ReplayFrom(std::optional<Offset> offset, std::optional<Timestamp> time) : offset_(offset), time_(time) {}
  std::optional<Offset> offset_;
  std::optional<Timestamp> time_;
};

/// Each topic counts once, however many projections read it. Neither number falls while the rebuild goes on.
struct RebuildProgress {
  std::uint64_t events = 0;  // read so far, those of a rebuild that is resumed not counted
  std::uint64_t total = 0;   // to be read, as of now
  Duration elapsed{};
  double events_per_second = 0;
  std::optional<Duration> left;  // unknown at the beginning
};

struct RebuildOptions {
  std::vector<std::string> projections;  // empty: all
  ReplayFrom from = ReplayFrom::beginning();
  /// For Engine::rebuild(): called about five times a second on the calling thread; false stops the rebuild, which the next one
  /// resumes.
  std::function<bool(const RebuildProgress&)> progress;
  Duration timeout{std::chrono::hours{24}};  // for Engine::rebuild()
  /// Go on with a rebuild that was cut off, if it began at the same place. False begins anew: for whoever has changed `key` or
  /// `evolve` since and not the projection's version, which would tell.
  bool resume = true;
};

struct RebuildReport {
  std::vector<std::string> projections;
  std::uint64_t events = 0;
  Duration elapsed{};
  bool resumed = false;  // went on where an earlier one stopped
};

/// A rebuild that goes on by itself. To destroy the handle does not cancel it; the handle may outlive the engine.
/// Threads: any. One that was moved from can only be assigned to and destroyed.
class Rebuild {
 public:
  Rebuild(Rebuild&&) noexcept = default;
  Rebuild& operator=(Rebuild&&) noexcept = default;
  ~Rebuild() = default;

  /// As of now; how it was in the end when that has come.
  [[nodiscard]] RebuildProgress progress() const;
  /// Stops it soon, unless it ends by itself before: outcome() tells. The next rebuild resumes it.
  void cancel();
  /// How it ended; nothing while it goes on. A wait for it: `executor.wait_until` of the log's ports.
  /// Errors: as Engine::rebuild(), timed_out apart.
  [[nodiscard]] std::optional<Result<RebuildReport>> outcome() const;

 private:
  friend class Engine;
  explicit Rebuild(std::shared_ptr<class RebuildRun> run) : run_(std::move(run)) {}

  std::shared_ptr<class RebuildRun> run_;
};

class Engine {
 public:
  /// `store` is copied. Opens nothing yet.
  Engine(EventStore& store, std::unique_ptr<StateStore> rows, EngineOptions options = {});
  /// Stops in bounded time.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Adds a projection; before start(). The reference holds as long as the engine. One that is added later gets no events: its
  /// reads and waits answer invalid_argument, its status says so, and an error is logged.
  template <class P>
  Projection<P>& add();

  /// Opens the store and begins to apply. On a writable log a missing topic is made.
  /// Errors: locked (names the other engine); newer_format, corrupt; already_exists for two projections of one name;
  /// not_found (topic, on a log opened read-only); no_space, io; invalid_argument when it was started before.
  Result<void> start();
  /// Commits what was applied and stops. Rows can still be read. Errors: no_space, io: the last rows will be made again.
  Result<void> stop();

  /// Waits until every projection that has not failed holds all that is committed in the log now.
  /// Errors: timed_out, naming who lags; the error of a stalled projection; closed.
  Result<void> catch_up(Duration timeout);

  /// Makes rows anew beside the live ones, then swaps them in within one transaction; the live ones go on meanwhile. A rebuild
  /// that was stopped or killed is resumed when it began at the same place.
  /// Errors: not_found (projection); handler_failed, undecodable (offset, type, shape and count; live rows stay as they are);
  /// canceled; timed_out; busy when another rebuild runs; history_trimmed; no_space, io; closed.
  Result<RebuildReport> rebuild(const RebuildOptions& options = {});
  /// The same without waiting for it; of the options `progress` and `timeout` do not matter. One that was canceled is busy
  /// until its outcome is there. Errors: not_found (projection); busy when another rebuild runs; closed. All others are the
  /// handle's outcome().
  Result<Rebuild> begin_rebuild(const RebuildOptions& options = {});

  /// Counts the commits that changed rows of a watched projection, from 0 for each Engine. Reads that begin afterwards see all
  /// commits up to the returned one; see Projection::watch().
  [[nodiscard]] std::uint64_t change_sequence() const;

  [[nodiscard]] std::vector<ProjectionStatus> status() const;
  /// Of the projections, in the order of add().
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  void add_projection(std::unique_ptr<ProjectionBase> projection);

  std::unique_ptr<class EngineCore> core_;
};

template <class P>
Projection<P>& Engine::add() {
  static_assert(check_fold<P>());
  auto projection = std::make_unique<Projection<P>>();
  Projection<P>& added = *projection;
  add_projection(std::move(projection));
  return added;
}

}  // namespace lungo
