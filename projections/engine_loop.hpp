// What the engine does in the background: read, apply, commit, join feeds, and rebuild into shadows.
//
//   start --> one feed per group of projections with equal positions
//   step  --> each feed applies a bounded number of events; commits when it is due; feeds that meet are joined
//   rebuild --> shadow tables in a feed of their own; joined with the live rows' feed once they meet, then swapped in
//
// Threads: open() and close() are called while no step runs; step() by the executor; request(), await() and stop() by any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <lungo/projections/engine.hpp>

#include "catalogue.hpp"
#include "engine_waker.hpp"
#include "feed.hpp"
#include "rebuild_run.hpp"
#include "transaction.hpp"

namespace lungo {

class EngineLoop final : public Activity {
 public:
  /// Of each topic it reads all partitions, or this one.
  EngineLoop(EventStore store, StateStore& rows, EngineOptions options, std::optional<PartitionId> only = {});
  /// A rebuild that still goes on ends here: nobody would do it any more.
  ~EngineLoop() override;

  void add(ProjectionBase& projection) { slots_.emplace_back().projection = &projection; }

  /// Reads the catalogue, drops rows that no longer fit (another State or Key, history that the log does not have), and groups
  /// the projections into feeds. Errors: see Engine::start().
  Result<void> open();
  /// Why the engine makes the rows of `entry` anew, or nothing. `partitions`: those that it reads. Errors: history_trimmed, as
  /// EventLog::validate().
  static Result<std::optional<std::string>> reason_to_rebuild(EventLog& log, const ProjectionBase& projection,
                                                              const ProjectionEntry& entry,
                                                              const std::vector<PartitionId>& partitions);
  /// The handle of this activity, which others wake; null before it is destroyed.
  void set_running(RunningActivity* running) { waker_->set(running); }

  // Activity.
  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "projections"; }

  /// Somebody waits for rows up to `end` until the token is gone: they are committed as soon as they are applied.
  std::shared_ptr<void> await(const TopicPartition& partition, Offset end);
  /// Asks for a rebuild. Errors: busy when one is running; closed before open() and after stop().
  Result<std::shared_ptr<RebuildRun>> request(std::vector<std::string> projections, const RebuildOptions& options);
  /// Asks for the last commit; stopped() answers when it was made or has failed.
  void stop();
  [[nodiscard]] std::optional<Result<void>> stopped() const;
  /// See Engine::change_sequence().
  [[nodiscard]] std::uint64_t change_sequence() const { return change_sequence_.load(); }

 private:
  /// What readers wait for. Tokens may outlive the loop.
  struct Awaited {
    std::mutex mutex;
    std::vector<std::pair<const void*, std::pair<TopicPartition, Offset>>> all;
  };

  struct Slot {
    ProjectionBase* projection = nullptr;
    ProjectionEntry live;                   // as committed
    std::optional<ProjectionEntry> shadow;  // of a rebuild in progress
    std::optional<Error> failure;
    std::int64_t parked = 0;
    bool interrupted = false;           // a row could not be read since the last commit
    bool rebuilt_beside = false;        // as the status says
    bool replaced = false;              // all live rows were, and watchers are not told yet
    std::vector<Position> shadow_from;  // where this run of the rebuild began; empty: it is not of the run, or has failed
    std::vector<Position> shadow_at;    // how far it is, or was when it was swapped in
    std::vector<Offset> rebuild_until;  // rows that were dropped at the start are complete from here on
  };

  /// What one commit changed, and those who were watching when it was made.
  struct Changes {
    struct Told {
      std::vector<std::shared_ptr<detail::Watcher>> watchers;
      std::shared_ptr<const void> rows;  // null: replaced
    };
    std::uint64_t sequence = 0;
    std::vector<Told> told;
  };

  // engine_open.cpp
  Result<TopicInfo> topic_of(const Slot& slot);
  [[nodiscard]] std::vector<PartitionId> partitions_of(const TopicInfo& topic) const;
  Result<std::vector<Position>> starts_of(const TopicInfo& topic, const ReplayFrom& from);
  Result<void> open_slot(Slot& slot, const std::vector<ProjectionEntry>& entries);
  Result<void> start_over(Slot& slot, const TopicInfo& topic, std::int64_t generation, std::string reason);
  Result<std::vector<ParkedRow>> parked_of(const std::string& projection);
  Result<void> add_member(Slot& slot, Role role, const ProjectionEntry& entry, const TopicInfo& topic, bool empty);

  // engine_loop.cpp
  Instant step_feeds(Instant now);
  Instant step_feed(Feed& feed, Instant now);
  [[nodiscard]] Instant commit_due(const Feed& feed) const;
  void commit(Feed& feed, Instant now);
  Result<void> write(Feed& feed);
  Result<void> write_finished_rebuilds(Feed& feed);
  void after_commit(Feed& feed);
  void stall(Feed& feed, Error error, Instant now);
  void note_failures(Feed& feed);
  void take_up_interrupted(Instant now);
  [[nodiscard]] bool is_awaited(const Feed& feed) const;
  [[nodiscard]] std::size_t cached_bytes() const;
  void evict();
  void join_feeds(Instant now);
  void publish(Feed& feed);
  void publish(Slot& slot, const Feed* feed);
  void arm(Feed& feed);
  void finish_stop(Instant now);
  void set_stopped(Result<void> outcome);
  void give_up(const std::string& said);
  [[nodiscard]] Slot* slot_of(const std::string& projection);

  // engine_changes.cpp
  [[nodiscard]] Changes take_changes(const Feed& feed);
  void tell_dropped();
  void number(Changes& changes);
  static void tell(const Changes& changes);

  // engine_rebuild.cpp
  void serve_rebuild();
  bool take_request();
  void end_rebuilds(const Error& why);
  void begin_rebuild();
  void detach_shadows();
  Result<void> begin_shadow(Slot& slot, const ReplayFrom& from);
  Result<void> make_shadow(Slot& slot, const TopicInfo& topic, const ReplayFrom& from);
  Result<bool> can_resume(const Slot& slot, const ProjectionEntry& shadow, const ReplayFrom& from);
  void swap_shadows(Instant now);
  void swap(Feed& feed, const std::vector<Slot*>& ready, Instant now);
  Result<void> write_swap(const ProjectionEntry& shadow, const ProjectionEntry& entry, const std::vector<ParkedRow>& parked);
  void fail_shadow(Slot& slot, const Error& error);
  static void show_rebuild(Slot& slot, bool goes_on);
  void count_rebuild();
  void note_shadow_positions();
  void finish_rebuild();
  void end_rebuild(Result<void> outcome);

  EventStore store_;
  StateStore& rows_;
  const EngineOptions options_;
  const std::optional<PartitionId> only_;
  EventLog& log_;
  std::unique_ptr<RowReader> reader_;
  std::optional<Catalogue> catalogue_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Feed>> feeds_;
  struct Interrupted {
    std::unique_ptr<Member> member;
    TopicInfo topic;
  };
  std::vector<Interrupted> interrupted_;       // in this step
  std::vector<EventLog::NotifyToken> tokens_;  // armed while all feeds are at their ends
  const std::shared_ptr<EngineWaker> waker_ = std::make_shared<EngineWaker>();
  const std::shared_ptr<Awaited> awaited_ = std::make_shared<Awaited>();

  std::atomic<std::uint64_t> change_sequence_{0};

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<RebuildRun> requested_;
  bool open_ = false;
  bool stopping_ = false;
  std::optional<Result<void>> stopped_;

  // The loop's own: the rebuild in progress.
  std::shared_ptr<RebuildRun> run_;
  bool run_begun_ = false;
  std::optional<Error> run_error_;
};

}  // namespace lungo
