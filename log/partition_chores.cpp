// PartitionLog: what an append leaves to be done by somebody who does not wait.

#include "partition_parts.hpp"

namespace lungo {

void PartitionLog::when_chores_are_due(std::function<void()> wake) {
  if (parts_->options.read_only) return;
  parts_->chores_due = wake;
  if (parts_->streams) parts_->streams->when_due(std::move(wake));
}

Result<bool> PartitionLog::do_chores() {
  Parts& parts = *parts_;
  {
    const std::lock_guard lock(parts.removing);
    if (!parts.failure.get()) parts.next_segment.make();
    parts.give_back_room();
  }
  return parts.streams ? parts.streams->step() : Result<bool>{false};
}

/// With `removing`, under which a segment can't become the last one again. Of a partition that has failed nothing is touched.
void PartitionLog::Parts::give_back_room() {
  std::vector<std::shared_ptr<Segment>> list;
  {
    const std::lock_guard lock(full_mutex);
    list.swap(full);
  }
  if (failure.get()) return;
  for (const std::shared_ptr<Segment>& segment : list) segment->give_back_room();
}

}  // namespace lungo
