// The activity that reads everything again, slowly: rot is found while there is still a copy or a backup to mend it from.
//
// Partition after partition, what is there by then, with all checksums and the digests of sealed segments; at most so many
// bytes a second. What is damaged becomes a hole, as when a reader had met it, and is logged; a segment that its digest denies
// is an error in the log and a number in the counts, as nothing says which of its records it is about. Bytes that the system
// has in memory are not read from the disk for it. A partition at rest is opened for it, and put to rest again. Threads:
// counts() from any; step() as an Activity.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "open_topics.hpp"

namespace lungo {

class Scrubber : public Activity {
 public:
  /// What it has done since the opening.
  struct Counts {
    std::uint64_t bytes = 0;
    std::uint64_t rounds = 0;   // over all partitions
    std::uint64_t damaged = 0;  // places that nobody knew of
    std::uint64_t denied_digests = 0;
  };

  /// `bytes_per_second` is not 0.
  Scrubber(Ports ports, const OpenTopics& topics, std::uint64_t bytes_per_second);
  void start() { running_ = ports_.executor.start(*this); }
  /// No step runs or begins after it returns.
  void stop() { running_.reset(); }
  [[nodiscard]] Counts counts() const;

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-scrub"; }
  bool may_step_again() const override { return true; }
  bool gives_way() const override { return true; }

 private:
  std::shared_ptr<OpenPartition> next_partition();
  static Result<Scrubbed> scrub(OpenPartition& partition, std::uint64_t bytes);
  void leave(OpenPartition& partition);

  const Ports ports_;
  const OpenTopics& topics_;
  const std::uint64_t bytes_per_second_;

  // The activity's own.
  std::vector<std::shared_ptr<OpenPartition>> to_see_;   // in this round, the next one last
  bool is_ours_ = false;                                 // the next one was at rest, and was opened to be read
  std::vector<std::shared_ptr<OpenPartition>> to_rest_;  // that were opened to be read, and have been
  bool round_begun_ = false;

  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> rounds_{0};
  std::atomic<std::uint64_t> damaged_{0};
  std::atomic<std::uint64_t> denied_digests_{0};
  std::unique_ptr<RunningActivity> running_;  // last
};

}  // namespace lungo
