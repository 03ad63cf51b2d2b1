// The activity that compacts the partitions of topics with `compact`, one after another, in bounded steps.
//
// Apart from the housekeeper, as a round over one partition may take minutes. Threads: stop() from any; step() as an Activity.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "open_topics.hpp"

namespace lungo {

class Compactor : public Activity {
 public:
  /// What it asks its surroundings for.
  struct Hooks {
    /// Runs the job as the owner of the partition's log; fails when the partition takes no appends any more.
    std::function<Result<void>(const OpenPartition&, const std::function<Result<void>(PartitionLog&)>&)> as_owner;
    /// Makes its full segments durable, where nobody else does.
    std::function<Result<void>(const OpenPartition&)> sync_sealed;
    /// Where the partition's last round ended.
    std::function<Offset(const OpenPartition&)> cleaned_end;
    /// Notes where this one has.
    std::function<Result<void>(const OpenPartition&, Offset)> note_cleaned_end;
    /// Removes the files that are no part of it any more, soon.
    std::function<void(std::shared_ptr<OpenPartition>)> remove_files;
  };

  Compactor(Ports ports, const OpenTopics& topics, Duration interval, Hooks hooks);

  /// Begins to step: when its hooks may be called.
  void start() { running_ = ports_.executor.start(*this); }
  /// No step runs or begins after it returns. What is under way is given up.
  void stop() { running_.reset(); }

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-compactor"; }
  bool may_step_again() const override { return true; }
  bool gives_way() const override { return true; }

 private:
  bool find_work();
  [[nodiscard]] std::optional<CompactionRound> round_for(const TopicSpec& spec, const OpenPartition& partition);
  void go_on();
  void end();
  void note_failure(const Error& cause);

  const Ports ports_;
  const OpenTopics& topics_;
  const Duration interval_;
  const Hooks hooks_;

  // The activity's own.
  std::vector<std::shared_ptr<const OpenTopic>> topics_to_see_;  // of this round
  std::size_t next_partition_ = 0;                               // of the last of them
  Instant next_round_{};
  std::shared_ptr<OpenPartition> partition_;  // that is compacted; null: none
  std::shared_ptr<PartitionLog> log_;         // its log; nobody puts it to rest meanwhile
  CompactionRound round_;
  Instant begun_{};
  std::uint64_t bytes_before_ = 0;
  bool failure_logged_ = false;  // in this round

  std::unique_ptr<RunningActivity> running_;  // last
};

}  // namespace lungo
