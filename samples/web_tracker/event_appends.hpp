// How events that the tracker takes in get to the log: here, or at the tracker that owns their partition.
//
// Threads: append() any. An append's completion runs on the log's threads or on one of this object's own, and must not block.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <lungo/framework/event_store.hpp>
#include <lungo/framework/forwarded_appends.hpp>

namespace tracker {

class EventAppends {
 public:
  using Commits = lungo::Result<std::vector<lungo::Commit>>;

  /// Behind EventStore::forward_with(), where that is used.
  explicit EventAppends(lungo::EventStore store);

  [[nodiscard]] const lungo::EventStore& store() const { return store_; }
  /// Others may own partitions, and take no batch that is larger than lungo::kForwardedBytesMax.
  [[nodiscard]] bool forwards() const { return forwarded_.has_value(); }
  /// The batch has events of one partition. Errors: as EventStore::append() and ForwardedAppends::append().
  void append(lungo::EventBatch batch, std::function<void(const Commits&)> done);

 private:
  lungo::EventStore store_;
  std::optional<lungo::ForwardedAppends> forwarded_;
};

}  // namespace tracker
