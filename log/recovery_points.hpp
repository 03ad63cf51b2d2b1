// The activity that notes every few seconds how far each partition is synced, so that opening after a crash walks seconds of
// data and not all of it. Where nothing has moved it costs a look at each partition.
//
// Threads: as an Activity; LogDir is shared with whoever holds `dir_mutex`.
#pragma once

#include <mutex>

#include "log_dir.hpp"
#include "open_topics.hpp"

namespace lungo {

class RecoveryPoints : public Activity {
 public:
  RecoveryPoints(LogDir& dir, std::mutex& dir_mutex, const OpenTopics& topics)
      : dir_(dir), dir_mutex_(dir_mutex), topics_(topics), noted_(sum()) {}

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-checkpts"; }
  bool may_step_again() const override { return true; }

 private:
  /// Ends only move up, so that one that moves shows here. A topic that goes meanwhile can hide it until the next move, which
  /// makes no more than a slower opening of it.
  struct Sum {
    std::size_t partitions = 0;
    std::uint64_t ends = 0;
    friend bool operator==(const Sum&, const Sum&) = default;
  };
  [[nodiscard]] Sum sum() const;

  LogDir& dir_;
  std::mutex& dir_mutex_;
  const OpenTopics& topics_;
  Sum noted_;
};

}  // namespace lungo
