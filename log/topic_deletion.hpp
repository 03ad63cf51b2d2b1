// A topic that has gone from `lungo.topics`, until nobody writes in its directories any more.
//
// Before that they must keep their names, and no other topic may have its name. A partition lets go when nobody is opening it,
// no flusher is at it and nobody syncs it with its queue's lead. What hangs there, as a disk may, holds up this topic alone:
// nothing here waits.
//
// Threads: any; tell() not from a completion, and without the locks that completions may want.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "append_queue.hpp"
#include "flusher.hpp"
#include "open_topics.hpp"

namespace lungo {

/// What writes to a partition.
struct PartitionQueue {
  std::shared_ptr<AppendQueue> appends;  // null: the partition is at rest
  Flusher* flusher = nullptr;
  Flusher::Slot* slot = nullptr;
};

class TopicDeletion {
 public:
  /// `partitions` and `queues` are those that were open, by number; none of a topic that was made and not opened. What is under
  /// way in them ends with `cause`.
  TopicDeletion(TopicInfo topic, std::vector<std::shared_ptr<OpenPartition>> partitions, std::vector<PartitionQueue> queues,
                Error cause);

  [[nodiscard]] const TopicInfo& topic() const { return topic_; }
  /// Looks after those partitions that have not let go yet. True when all have, for good.
  bool let_go();
  /// The first partition that had not at the last look.
  [[nodiscard]] std::optional<TopicPartition> laggard() const;
  /// Completes what was under way in partitions that have let go, and calls who waits for their records. Of those that let go
  /// later, the next call does.
  void tell();

 private:
  struct Part {
    std::shared_ptr<OpenPartition> partition;
    PartitionQueue queue;
    bool let_go = false;
    bool told = false;
  };
  bool lets_go(const Part& part) const;

  const TopicInfo topic_;
  const Error cause_;
  mutable std::mutex mutex_;
  std::vector<Part> parts_;  // under mutex_
};

}  // namespace lungo
