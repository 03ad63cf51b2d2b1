#include "topic_deletion.hpp"

#include <algorithm>
#include <utility>

namespace lungo {

TopicDeletion::TopicDeletion(TopicInfo topic, std::vector<std::shared_ptr<OpenPartition>> partitions,
                             std::vector<PartitionQueue> queues, Error cause)
    : topic_(std::move(topic)), cause_(std::move(cause)) {
  queues.resize(partitions.size());
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    // First of all, so that one that hangs lets those behind it end.
    if (queues[i].flusher != nullptr) queues[i].flusher->forget(*queues[i].slot);
    parts_.push_back({.partition = std::move(partitions[i]), .queue = std::move(queues[i])});
  }
}

bool TopicDeletion::let_go() {
  const std::lock_guard lock(mutex_);
  for (Part& part : parts_) part.let_go = part.let_go || lets_go(part);
  return std::ranges::all_of(parts_, &Part::let_go);
}

bool TopicDeletion::lets_go(const Part& part) const {
  // Who is opening it finds no place for the queue, as the topic's are here.
  if (part.queue.appends == nullptr) return part.partition->keep_at_rest(cause_);
  part.queue.appends->refuse(cause_);
  return !part.queue.flusher->is_flushing(*part.queue.slot) && part.queue.appends->abandon(cause_);
}

std::optional<TopicPartition> TopicDeletion::laggard() const {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(parts_, false, &Part::let_go);
  return found == parts_.end() ? std::nullopt : std::optional{found->partition->name()};
}

void TopicDeletion::tell() {
  std::vector<Part> now;
  {
    const std::lock_guard lock(mutex_);
    for (Part& part : parts_) {
      if (!part.let_go || std::exchange(part.told, true)) continue;
      now.push_back(part);
    }
  }
  for (const Part& part : now) {
    if (part.queue.appends) part.queue.appends->tell_abandoned(cause_);
  }
  for (const Part& part : now) part.partition->close();
}

}  // namespace lungo
