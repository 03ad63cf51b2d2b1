#include "recovery_points.hpp"

#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr Duration kPeriod = std::chrono::seconds{10};

template <class Take>
void for_each_partition(const OpenTopics& topics, Take take) {
  for (const std::shared_ptr<const OpenTopic>& topic : topics.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) take(*partition);
  }
}

}  // namespace

RecoveryPoints::Sum RecoveryPoints::sum() const {
  Sum sum;
  for_each_partition(topics_, [&](const OpenPartition& partition) {
    sum.partitions += 1;
    sum.ends += static_cast<std::uint64_t>(partition.synced_end().value_or(Offset{0}).value());
  });
  return sum;
}

Instant RecoveryPoints::step(Instant now) {
  const std::lock_guard lock(dir_mutex_);  // no topic goes, and no other takes its name, before these are written
  const Sum before = sum();
  if (before == noted_) return now + kPeriod;
  OffsetsByPartition ends;
  for_each_partition(topics_, [&](const OpenPartition& partition) {
    const TopicPartition& name = partition.name();
    ends.emplace(name, partition.synced_end().value_or(dir_.marks().recovery_point(name)));  // being opened: as it was
  });
  if (const Result<void> noted = dir_.marks().write_recovery_points(ends)) {
    noted_ = before;
  } else {
    logger()->warn("{}; a crash now would make the next start slower", noted.error().text());
  }
  return now + kPeriod;
}

}  // namespace lungo
