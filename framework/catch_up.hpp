// Waiting until a reader has handled what is committed: what catch_up() of processes and subscriptions does.
//
// A partition that another process has is not waited for. One that nobody has is: it may become this process's.
// Threads: one at a time.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <lungo/framework/subscription.hpp>

#include "owned_partitions.hpp"

namespace lungo {

class CatchUp {
 public:
  /// How far the reader is in one unit, where that is not far enough.
  struct Lagging {
    TopicPartition partition;    // the unit's first
    std::optional<Offset> next;  // nothing: it does not run the unit
    Offset goal;
  };
  /// What the reader says of the partitions that it runs; nothing when it has stopped.
  using Look = std::function<std::optional<std::vector<PartitionLag>>()>;

  /// What the units' first partitions have committed now is to be handled. `owned` outlives it. Errors: as EventLog::ends().
  static Result<CatchUp> of(EventLog& log, const OwnedPartitions& owned, std::vector<OwnedPartitions::Unit> units);

  /// Waits until it is, or the reader has stopped. False when the time is over.
  bool wait(const Look& look, Duration timeout);
  /// At the last look.
  [[nodiscard]] const std::vector<Lagging>& lagging() const { return lagging_; }

 private:
  struct Goal {
    OwnedPartitions::Unit unit;
    Offset end;
    bool is_anothers = false;  // the last time that it was asked
  };

  CatchUp(Ports ports, const OwnedPartitions& owned) : ports_(ports), owned_(&owned) {}
  void compare(const std::vector<PartitionLag>& lags);
  void ask_for_owners();

  Ports ports_;
  const OwnedPartitions* owned_;
  std::vector<Goal> goals_;
  std::vector<Lagging> lagging_;
};

}  // namespace lungo
