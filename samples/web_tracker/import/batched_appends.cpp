#include "import/batched_appends.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::EventBatch;
using lungo::EventStore;
using lungo::PartitionId;
using lungo::Result;
using lungo::TopicInfo;
using lungo::TopicPartition;

constexpr std::size_t kSubmitBytes = 256u << 10;  // an idle lane is submitted from this size on
constexpr std::size_t kBatchBytesMax = 1u << 20;  // a busy one fills up to this, then add() waits
/// The same where another tracker may have to take the batch: with the largest event, half a megabyte of a line that is none.
constexpr std::size_t kForwardedBatchBytesMax = kSubmitBytes;
constexpr lungo::Duration kPatience = std::chrono::seconds{120};

struct Lane {
  Lane(TopicPartition of, EventBatch first) : partition(std::move(of)), batch(std::move(first)) {}

  TopicPartition partition;
  EventBatch batch;
  std::atomic<bool> in_flight = false;
};

}  // namespace

struct BatchedAppends::Parts {
  explicit Parts(EventAppends& given)
      : store(given.store()), appends(given), bytes_max(given.forwards() ? kForwardedBatchBytesMax : kBatchBytesMax) {}

  [[nodiscard]] lungo::Executor& executor() const { return store.log().ports().executor; }
  [[nodiscard]] lungo::Instant deadline() const { return store.log().ports().clock.monotonic() + kPatience; }

  void fail(const Error& error) {
    const std::lock_guard lock{mutex};
    if (!first_error) first_error = error;
    failed = true;
  }
  [[nodiscard]] Error error() {
    const std::lock_guard lock{mutex};
    return *first_error;
  }

  Result<void> submit(Lane& lane) {
    Result<EventBatch> next = store.batch(lane.partition.topic);
    if (!next) return next.error();  // the full one is kept: the next call tries again
    EventBatch full = std::exchange(lane.batch, std::move(*next));
    lane.in_flight = true;
    appends.append(std::move(full), [this, &lane, &executor = executor()](const EventAppends::Commits& commits) {
      if (!commits) fail(commits.error().with_context("append to " + to_string(lane.partition)));
      lane.in_flight = false;  // from here on lane and parts may be gone
      executor.notify();
    });
    return {};
  }

  Result<void> wait_for(Lane& lane) {
    if (!executor().wait_until([&lane] { return !lane.in_flight; }, deadline())) {
      return Error{Errc::timed_out, "an append to " + to_string(lane.partition) + " takes more than two minutes"};
    }
    if (failed) return error();
    return {};
  }

  EventStore store;
  EventAppends& appends;
  const std::size_t bytes_max;
  std::vector<TopicInfo> topics;
  std::vector<std::size_t> first_lane;  // per topic
  std::vector<std::unique_ptr<Lane>> lanes;
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::optional<Error> first_error;  // guarded by mutex
};

BatchedAppends::BatchedAppends(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

BatchedAppends::~BatchedAppends() {
  // The completions hold references into this object, and each of them comes: an append always ends.
  for (const auto& lane : parts_->lanes) {
    while (lane->in_flight) parts_->executor().wait_until([&lane] { return !lane->in_flight; }, parts_->deadline());
  }
}

Result<std::unique_ptr<BatchedAppends>> BatchedAppends::open(EventAppends& appends, const std::vector<std::string>& topics) {
  auto parts = std::make_unique<Parts>(appends);
  for (const std::string& name : topics) {
    Result<TopicInfo> info = parts->store.topic(name);
    if (!info) return info.error();
    parts->first_lane.push_back(parts->lanes.size());
    for (std::int32_t partition = 0; partition < info->spec.partitions; ++partition) {
      Result<EventBatch> batch = parts->store.batch(name);
      if (!batch) return batch.error();
      parts->lanes.push_back(std::make_unique<Lane>(TopicPartition{name, PartitionId{partition}}, std::move(*batch)));
    }
    parts->topics.push_back(std::move(*info));
  }
  return std::unique_ptr<BatchedAppends>{new BatchedAppends{std::move(parts)}};
}

std::size_t BatchedAppends::lane_of(std::size_t topic, std::string_view stream) const {
  const PartitionId partition = lungo::partition_of_stream(stream, parts_->topics[topic].spec.partitions);
  return parts_->first_lane[topic] + static_cast<std::size_t>(partition.value());
}

std::size_t BatchedAppends::lanes() const { return parts_->lanes.size(); }
const TopicPartition& BatchedAppends::partition(std::size_t lane) const { return parts_->lanes[lane]->partition; }

Result<EventBatch*> BatchedAppends::batch_for_one_more(std::size_t index) {
  Lane& lane = *parts_->lanes[index];
  if (parts_->failed) return parts_->error();
  const std::size_t size = lane.batch.size_bytes();
  if (size >= kSubmitBytes) {
    if (size >= parts_->bytes_max && lane.in_flight) {
      Result<void> waited = parts_->wait_for(lane);
      if (!waited) return waited.error();
    }
    if (!lane.in_flight) {
      Result<void> submitted = parts_->submit(lane);
      if (!submitted) return submitted.error();
    }
  }
  return &lane.batch;
}

Result<void> BatchedAppends::flush() {
  // Twice round, so that all lanes sync at the same time: first what is in flight ends and the rest is submitted.
  for (const auto& lane : parts_->lanes) {
    if (lane->batch.count() == 0) continue;
    Result<void> waited = parts_->wait_for(*lane);
    if (!waited) return waited.error();
    Result<void> submitted = parts_->submit(*lane);
    if (!submitted) return submitted.error();
  }
  for (const auto& lane : parts_->lanes) {
    Result<void> waited = parts_->wait_for(*lane);
    if (!waited) return waited.error();
  }
  return {};
}

}  // namespace tracker
