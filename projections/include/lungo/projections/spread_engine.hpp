// The engine of spread projections: it keeps the rows of the partitions that this process owns, in a store for each, and reads
// those of the others from their owners.
//
//   lungo::SpreadEngine engine{store, lungo::sqlite_by_partition("views.db")};     // views.events-0.db, views.events-1.db, ...
//   auto& top = engine.add<TopPages>();                                           // spread_projection.hpp has what it must say
//   engine.answer_in(server);                                                     // a ForwardServer: other processes' reads
//   engine.start().value();
//   auto row = top.get("/espresso").value();                                      // here and at all owners, merged
//
// An Engine keeps all rows in each process; this one is for rows that are too many, or too costly to make, for that. On a home
// that nobody shares all partitions are this process's own, and nothing is asked of others.
//
// A partition that becomes this process's is taken over from its store of an earlier time, if that is there and the log still
// has the history of its rows, and from what the log has behind it; otherwise from the log's beginning. One that goes is left
// as it is, for its return. Changed rows and the partition's position are committed in one transaction. A process which has
// lost a partition, and does not know yet, can spoil nothing: it shows rows of the past, and to whoever asks for a commit, no
// row before it has it.
//
// With SpreadOptions::snapshot_every an owner writes its rows to the log from time to time. Who takes a partition over and has
// no rows of it, or much older ones, begins with the newest of these snapshots: it folds only what is behind it, and has whole
// rows where the topic has trimmed their history. They go into `__lungo_snapshots`, which each process keeps, hence off by
// default.
//
// Threads: add(), answer_in() and start() belong to one thread; everything else may be called from any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/framework/forward_server.hpp>
#include <lungo/projections/engine.hpp>
#include <lungo/projections/spread_projection.hpp>
#include <lungo/projections/state_store.hpp>

namespace lungo {

/// Makes the store of a partition, each time that it is opened.
using SpreadStores = std::function<std::unique_ptr<StateStore>(const TopicPartition&)>;

/// Files beside each other: "views.db" becomes "views.events-3.db".
SpreadStores sqlite_by_partition(std::string path,
                                 SqliteOptions options = {.vfs = {}, .cache_bytes = 2u << 20, .wal_bytes = 4u << 20});
/// In memory, made anew whenever a partition comes.
SpreadStores memory_by_partition();

struct SpreadOptions {
  EngineOptions engine;       // of its cache_bytes each partition has its share
  std::string name = "rows";  // by which processes ask each other; the same in all of them, of each engine its own
  // Of a partition's rows a snapshot is written to the log when so many offsets were passed since the newest one; 0: none is
  // written, or looked for. The same in all processes.
  std::int64_t snapshot_every = 0;
  Duration snapshot_interval = std::chrono::minutes{1};  // at least, from one of a projection and partition to the next
  std::size_t snapshot_bytes_max = 64u << 20;            // of rows that take more none is written, which is logged once
};

/// Of a partition that is this process's.
struct SpreadStatus {
  TopicPartition partition;
  bool is_open = false;                       // its store is
  std::optional<Error> error;                 // why its store can't be opened; that is tried again
  std::vector<ProjectionStatus> projections;  // of this partition alone
};

class SpreadEngine {
 public:
  /// `store` is copied, with its Forwarder. Opens nothing yet.
  SpreadEngine(EventStore& store, SpreadStores stores, SpreadOptions options = {});
  /// Stops in bounded time.
  ~SpreadEngine();
  SpreadEngine(const SpreadEngine&) = delete;
  SpreadEngine& operator=(const SpreadEngine&) = delete;

  /// Adds a projection; before start(). The reference holds as long as the engine. One that is added later answers `closed`.
  template <class P>
  SpreadProjection<P>& add() {
    static_assert(check_fold<P>());
    auto projection = std::make_unique<SpreadProjection<P>>();
    SpreadProjection<P>& added = *projection;
    add_projection(std::move(projection));
    return added;
  }

  /// Answers what the engines of other processes ask, by this server. The engine outlives the server.
  void answer_in(ForwardServer& server);

  /// Takes part in sharing the projections' topics, and begins to apply. A missing topic is made on a writable log.
  /// Errors: already_exists for two projections of one name; as EventStore::stream_topic() and Membership::join(); io when the
  /// system has no thread left; invalid_argument when it was started before. A store that can't be opened is in status().
  Result<void> start();
  /// Lets go of the partitions, commits what was applied and stops. Errors: no_space, io: the last rows will be made again.
  Result<void> stop();

  /// Waits until the projections that have not failed hold all that is committed now in the partitions that are mine now.
  /// Errors: timed_out, naming who lags.
  Result<void> catch_up(Duration timeout);

  /// Of the partitions that are this process's own.
  [[nodiscard]] std::vector<SpreadStatus> status() const;

 private:
  void add_projection(std::unique_ptr<SpreadProjectionBase> projection);

  std::unique_ptr<class SpreadCore> core_;
};

}  // namespace lungo
