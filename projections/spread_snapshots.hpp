// Snapshots of spread rows in the log (topic `__lungo_snapshots`): written by the owner of a partition, and taken by who owns
// it next and has no rows, or older ones.
//
//   key   := spread/ENGINE/PROJECTION/TOPIC/PARTITION             ENGINE: SpreadOptions::name
//   shape := a hash over PROJECTION, its State, Key and version; others find none
//   state := rows_snapshot.hpp; the position is that of the rows
//
//   take-over   newest snapshot -> is it sound, of this shape, in the log's history? -> far enough ahead of the store's rows?
//               -> rows into the store, a page a step -> the engine's loop opens the store, and goes on from there
//   serving     enough records applied, and long enough ago? -> rows out of the store, a page a step -> Snapshots::save()
//
// Invariants:
//   S1  one of an engine's snapshots is collected or written at a time, and one installed: so few are in memory, however many
//       partitions come or become due at once. A turn ends with its holder, and that wakes the others
//   S2  while rows are collected the partition's loop makes no step, so they are of one commit (R1); others go on
//   S3  what is read and found wanting is said and left; the partition is replayed as if it were not there
//   S4  the log takes a snapshot from the partition's owner alone, so a process that has lost it unawares replaces nothing
// What a step does is bounded by a page of rows, but for two copies of what is in memory: getting a snapshot's chunks out of
// the log, and handing one over to it, are one step each. By snapshot_bytes_max: memory, and how long a partition's loop stands
// still (64 MiB of 1.5 million rows in SQLite: 0.6 s; put into a store they take 2.2 s, before which that partition is not
// read).
//
// Threads: the engine's activity; turns and what is known of a save end on any.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <lungo/framework/snapshots.hpp>
#include <lungo/projections/spread_engine.hpp>

#include "engine_waker.hpp"
#include "rows_snapshot.hpp"

namespace lungo {

/// What one at a time may have.
class Turn {
 public:
  explicit Turn(std::shared_ptr<EngineWaker> waker) : waker_(std::move(waker)) {}
  /// Held until it is destroyed, on any thread, which wakes the engine's activity. Null while another is held.
  std::shared_ptr<void> take();

 private:
  const std::shared_ptr<EngineWaker> waker_;
  std::weak_ptr<void> taken_;
};

/// What an engine's partitions share.
class SpreadSnapshots {
 public:
  SpreadSnapshots(EventStore store, const SpreadOptions& options) : store_(std::move(store)), options_(options), log_(store_) {}

  [[nodiscard]] bool is_on() const { return options_.snapshot_every > 0; }
  /// Before the first is written. Errors: as Snapshots::prepare().
  Result<void> prepare();
  /// Whose activity turns wake; null before it is destroyed.
  void set_running(RunningActivity* running) { waker_->set(running); }

 private:
  friend class UnitSnapshots;

  EventStore store_;
  const SpreadOptions options_;
  Snapshots log_;
  const std::shared_ptr<EngineWaker> waker_ = std::make_shared<EngineWaker>();
  Turn installing_{waker_};
  Turn writing_{waker_};
  Instant rests_until_ = Instant::min();  // none is written before, so that all together write no more than the disk likes
};

/// Of one partition.
class UnitSnapshots {
 public:
  /// `shared` outlives it.
  UnitSnapshots(SpreadSnapshots& shared, TopicPartition partition) : shared_(shared), partition_(std::move(partition)) {}

  /// Before the first step; `projection` outlives it.
  void add(const ProjectionBase& projection, const std::string& meaning);

  enum class Installed { all, more, waits };  // waits: for others, and is woken
  /// Puts into the opened store what the log has and it lacks, a page of it. Errors: as StateStore and EventLog::read(), where
  /// another try may do.
  Result<Installed> install(StateStore& rows);

  /// Rows are being read from the store, which must stay as it is.
  [[nodiscard]] bool is_collecting() const { return collecting_ != nullptr; }
  /// Collects a page, or sees whether there is something to do; returns when it wants to be called again.
  Instant write(Instant now, StateStore& rows);

  /// The store is closed: what was begun is left.
  void close();

 private:
  struct Member {
    const ProjectionBase* projection;
    std::string key;
    ShapeHash shape;
    Offset saved{0};  // the position of the newest snapshot that is known
    Instant pauses_until = Instant::min();
    bool is_too_large = false;
    std::string left_because = {};  // why the newest was not used
  };
  struct Collecting {
    Member& member;
    std::shared_ptr<void> turn;
    Position position;
    std::vector<ParkedRow> parked;
    RowsCollector rows;
  };
  /// Belongs to the completion, too.
  struct Saving {
    enum class Outcome { none, saved, failed };
    std::atomic<Outcome> outcome{Outcome::none};
    std::shared_ptr<void> turn;  // the completion's alone
  };

  Result<bool> begin_installing(Member& member, StateStore& rows);
  Result<std::optional<Position>> usable(Member& member);
  static void leave(Member& member, const std::string& why);
  Result<bool> is_worth_it(const Member& member, const Position& position, StateStore& rows) const;
  [[nodiscard]] ProjectionEntry entry_at(const Member& member, const Position& position) const;
  Result<bool> install_page();

  void note_saved(Instant now);
  void pause(Member& member, Instant now) const;
  [[nodiscard]] bool is_due(const Member& member) const;
  Result<void> begin(Member& member, std::shared_ptr<void> turn, StateStore& rows);
  Instant collect(Instant now);
  void save(Instant now);

  SpreadSnapshots& shared_;
  const TopicPartition partition_;
  std::vector<Member> members_;

  std::size_t looked_at_ = 0;  // so many members' snapshots, since the store was opened
  std::shared_ptr<void> installing_turn_;
  std::unique_ptr<RowsInstaller> installing_;

  std::unique_ptr<Collecting> collecting_;
  std::shared_ptr<Saving> saving_;
  Member* saving_of_ = nullptr;
  Offset saving_at_{0};
};

}  // namespace lungo
