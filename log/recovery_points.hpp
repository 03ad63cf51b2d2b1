// The activity that notes every few seconds how far each partition is synced, so that opening after a crash walks seconds of
// data and not all of it.
//
// Threads: as an Activity; LogDir is shared with whoever holds `dir_mutex`.
#pragma once

#include <mutex>

#include "log_dir.hpp"
#include "open_topics.hpp"

namespace lungo {

/// Synced ends of all partitions.
OffsetsByPartition synced_ends(const OpenTopics& topics);

class RecoveryPoints : public Activity {
 public:
  RecoveryPoints(LogDir& dir, std::mutex& dir_mutex, const OpenTopics& topics)
      : dir_(dir), dir_mutex_(dir_mutex), topics_(topics), written_(synced_ends(topics)) {}

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-checkpts"; }

 private:
  LogDir& dir_;
  std::mutex& dir_mutex_;
  const OpenTopics& topics_;
  OffsetsByPartition written_;
};

}  // namespace lungo
