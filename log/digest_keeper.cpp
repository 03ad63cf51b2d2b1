#include "digest_keeper.hpp"

namespace lungo {

namespace {

constexpr Duration kRound = std::chrono::seconds{10};
constexpr std::uint64_t kBytesPerSecond = 8u << 20;

Duration time_for(std::uint64_t bytes) { return std::chrono::microseconds{bytes * 1'000'000 / kBytesPerSecond}; }

}  // namespace

Instant DigestKeeper::step(Instant now, std::optional<Error>& error) {
  if (due_.empty() && now >= next_round_) {
    look();
    next_round_ = now + kRound;
  }
  if (due_.empty()) return next_round_;
  if (now < next_step_) return next_step_;
  const std::shared_ptr<PartitionLog> log = due_.front()->log();  // null: put to rest meanwhile, and looked at when it is open
  const Result<std::optional<std::uint64_t>> read = log ? log->keep_digests() : std::optional<std::uint64_t>{};
  if (!read) error = read.error();
  if (!read || !*read) due_.pop_front();
  if (read && *read) next_step_ = now + time_for(**read);
  return due_.empty() ? next_round_ : next_step_;
}

void DigestKeeper::look() {
  for (const std::shared_ptr<const OpenTopic>& topic : topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      const std::shared_ptr<PartitionLog> log = partition->log();  // null: at rest, and as it was left
      if (log != nullptr && log->digests_due()) due_.push_back(partition);
    }
  }
}

}  // namespace lungo
