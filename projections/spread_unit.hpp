// The rows of one partition of a topic, in a store of their own: an EngineLoop that reads this partition alone.
//
//        give()              step(): its store is opened             take()               step(): committed and closed
//   away ------> entering -------------------------> serving ------> away, store open ---------------------------> away
//                  ^ not opened: tried again, once a second
//
// Between the opening of the store and that of the loop over it lies what the log has as a snapshot, where there is one that is
// worth it (spread_snapshots.hpp); it takes a step for each page.
//
// Invariants:
//   U1  pages are given while it serves, and only of rows that hold what was committed when it began to serve: an owner before
//       this one has shown no more. One that was taken and given meanwhile enters again, so that it looks again.
//   U2  the store is open while the loop is there, and closed before it is opened again
//   U3  the loop makes no step while rows are collected for a snapshot
// Threads: step() and stop() belong to the engine's activity; the rest to any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/spread_engine.hpp>

#include "engine_loop.hpp"
#include "spread_query.hpp"
#include "spread_snapshots.hpp"

namespace lungo {

/// What both sides of a read know of a projection's rows.
struct SpreadTable {
  std::string meaning;  // text that changes with State, Key and version
  std::size_t key_columns = 0;
};

class SpreadUnit {
 public:
  /// `stores` and `snapshots` outlive it.
  SpreadUnit(EventStore store, TopicPartition partition, const SpreadStores& stores, SpreadSnapshots& snapshots,
             EngineOptions options)
      : store_(std::move(store)),
        partition_(std::move(partition)),
        stores_(stores),
        options_(options),
        snapshots_(snapshots, partition_) {}
  ~SpreadUnit();

  static SpreadTable table_of(const ProjectionBase& projection);

  /// Before the first step.
  void add(std::unique_ptr<ProjectionBase> projection);

  /// The partition has become this process's, or is not any more.
  void give();
  void take();

  /// `running` is what news of the log wakes.
  Instant step(Instant now, RunningActivity& running);
  /// Commits and closes; of no use behind it. Errors: those of the last commit.
  Result<void> stop(Instant now);

  /// Errors: not_owner; not_found, unsupported, invalid_argument for what it can't be asked; busy while the rows do not hold
  /// enough yet, or the store can't be opened for now; the store's and the projection's own.
  Result<SpreadPage> page(const SpreadQuery& query);
  /// Nothing while it is not this process's.
  [[nodiscard]] std::optional<SpreadStatus> status() const;
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }

 private:
  enum class State { away, entering, serving };
  struct Member {
    std::unique_ptr<ProjectionBase> projection;
    SpreadTable table;
  };

  Result<bool> enter(RunningActivity& running);
  Result<bool> open(RunningActivity& running);
  Result<void> open_store();
  Result<void> open_loop(RunningActivity& running);
  Result<void> close(Instant now);
  [[nodiscard]] State state() const;
  [[nodiscard]] std::optional<Error> why_not(const Member& member, const SpreadQuery& query) const;
  Result<SpreadPage> read(const Member& member, const SpreadQuery& query);

  EventStore store_;
  const TopicPartition partition_;
  const SpreadStores& stores_;
  const EngineOptions options_;
  std::vector<Member> members_;

  // The activity's own.
  std::unique_ptr<StateStore> rows_;
  std::unique_ptr<EngineLoop> loop_;
  UnitSnapshots snapshots_;
  bool waits_for_turn_ = false;  // of installing a snapshot, which wakes
  Instant retry_at_ = Instant::min();

  mutable std::mutex mutex_;  // guards what follows; held while a page is read, so that the store is not closed under it
  State state_ = State::away;
  std::uint64_t tenure_ = 0;  // counts give()
  Offset serves_from_{0};     // what the rows have to hold in this tenure
  std::unique_ptr<RowReader> reader_;
  std::optional<Error> error_;  // why it can't be entered
};

}  // namespace lungo
