#include "recovery_points.hpp"

#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr Duration kPeriod = std::chrono::seconds{10};

}  // namespace

OffsetsByPartition synced_ends(const OpenTopics& topics) {
  OffsetsByPartition ends;
  for (const std::shared_ptr<const OpenTopic>& topic : topics.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      ends.emplace(partition->name(), partition->log()->synced_end());
    }
  }
  return ends;
}

Instant RecoveryPoints::step(Instant now) {
  const std::lock_guard lock(dir_mutex_);  // no topic goes, and no other takes its name, before these are written
  OffsetsByPartition ends = synced_ends(topics_);
  if (ends != written_) {
    const Result<void> noted = dir_.write_recovery_points(ends);
    if (noted) {
      written_ = std::move(ends);
    } else {
      logger()->warn("{}; a crash now would make the next start slower", noted.error().text());
    }
  }
  return now + kPeriod;
}

}  // namespace lungo
