#include "scrubber.hpp"

#include <algorithm>
#include <utility>

#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::uint64_t kBytesPerStepMax = 256u << 10;
constexpr std::uint64_t kStepsPerSecond = 10;
constexpr Duration kPauseOfRounds = std::chrono::seconds{10};  // at least, or a small log would be read all the time

}  // namespace

Scrubber::Scrubber(Ports ports, const OpenTopics& topics, std::uint64_t bytes_per_second)
    : ports_(ports), topics_(topics), bytes_per_second_(bytes_per_second) {}

Scrubber::Counts Scrubber::counts() const { return {bytes_, rounds_, damaged_, denied_digests_}; }

Instant Scrubber::step(Instant now) {
  std::erase_if(to_rest_, [](const std::shared_ptr<OpenPartition>& opened) { return opened->put_to_rest(); });
  const std::shared_ptr<OpenPartition> partition = next_partition();
  if (partition == nullptr) return now + kPauseOfRounds;
  if (partition->log() == nullptr) is_ours_ = true;
  const std::uint64_t wanted = std::clamp<std::uint64_t>(bytes_per_second_ / kStepsPerSecond, 1, kBytesPerStepMax);
  const Result<Scrubbed> scrubbed = scrub(*partition, wanted);
  if (!scrubbed) {
    logger()->warn("{}; the scrub goes on behind it", scrubbed.error().text());
    leave(*partition);
    return now + std::chrono::seconds{1};
  }
  bytes_ += scrubbed->bytes;
  damaged_ += scrubbed->found_damage ? 1 : 0;
  denied_digests_ += scrubbed->digest_differs ? 1 : 0;
  if (scrubbed->is_done) leave(*partition);
  return now + std::chrono::microseconds{scrubbed->bytes * 1'000'000 / bytes_per_second_};
}

/// It reads all, also what nobody else has used.
Result<Scrubbed> Scrubber::scrub(OpenPartition& partition, std::uint64_t bytes) {
  const Result<std::shared_ptr<PartitionLog>> log = partition.touch_for_upkeep();
  return log ? (*log)->scrub(bytes) : log.error();
}

void Scrubber::leave(OpenPartition& partition) {
  to_see_.pop_back();
  if (std::exchange(is_ours_, false)) to_rest_.push_back(partition.shared_from_this());
}

/// Null: a round is over.
std::shared_ptr<OpenPartition> Scrubber::next_partition() {
  if (!to_see_.empty()) return to_see_.back();
  if (round_begun_) {
    round_begun_ = false;
    ++rounds_;
    return nullptr;
  }
  for (const std::shared_ptr<const OpenTopic>& topic : topics_.all()) {
    to_see_.insert(to_see_.end(), topic->partitions.begin(), topic->partitions.end());
  }
  round_begun_ = !to_see_.empty();
  return to_see_.empty() ? nullptr : to_see_.back();
}

}  // namespace lungo
