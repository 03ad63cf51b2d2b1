#include "web/append_lanes.hpp"

#include <utility>

#include "model/events.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

/// Appends on their way at the same time. More would make each smaller, and a sync costs as much for one event as for fifty.
constexpr std::size_t kBusyLanesMax = 2;
/// Encoded, beyond which the next append of a partition takes no more: far enough from what one append may have (in the
/// embedded log lungo::kRecordBytesMax, on Kafka 8 MiB and 16,384 records) that the events of one request always fit, as a
/// batch that is half full of them can't give them back.
constexpr std::size_t kLaneBytesMax = 6u << 20;
constexpr std::size_t kLaneEventsMax = 8'000;
/// The same where another tracker may have to take the append (lungo::kForwardedBytesMax).
constexpr std::size_t kForwardedLaneBytesMax = 512u << 10;
/// How long an error counts that may pass by itself: without new events nobody would notice that it has.
constexpr lungo::Duration kTroubleLasts = std::chrono::seconds{10};

}  // namespace

AppendLanes::AppendLanes(EventAppends& appends, std::int32_t partitions, Post post, Completed completed)
    : store_(appends.store()),
      appends_(appends),
      post_(std::move(post)),
      completed_(std::move(completed)),
      lanes_(static_cast<std::size_t>(partitions)) {}

lungo::PartitionId AppendLanes::lane_of(std::string_view stream) const {
  return lungo::partition_of_key(stream, static_cast<std::int32_t>(lanes_.size()));
}

Result<lungo::EventBatch*> AppendLanes::batch_of(lungo::PartitionId number) {
  Lane& lane = at(number);
  if (!lane.batch) {
    Result<lungo::EventBatch> empty = store_.batch(kEventsTopic);
    if (!empty) return empty.error();
    lane.batch = std::move(*empty);
  }
  const std::size_t bytes_max = appends_.forwards() ? kForwardedLaneBytesMax : kLaneBytesMax;
  if (lane.batch->size_bytes() > bytes_max || lane.batch->count() > kLaneEventsMax)
    return Error{Errc::busy, "too many events wait for the disk"};
  return &*lane.batch;
}

void AppendLanes::join(lungo::PartitionId number, const std::shared_ptr<PostedRequest>& request) {
  Lane& lane = at(number);
  ++request->appends;
  lane.waiting.push_back(request);
  if (!lane.is_busy && busy_lanes_ < kBusyLanesMax && !std::exchange(flush_is_due_, true))
    post_([self = shared_from_this()] { self->flush(); });
}

void AppendLanes::append_alone(lungo::PartitionId lane, lungo::EventBatch batch,
                               const std::shared_ptr<PostedRequest>& request) {
  ++request->appends;
  submit(std::move(batch), {request}, at(lane), false);
}

/// Behind all requests that were ready when the first of them was taken.
void AppendLanes::flush() {
  flush_is_due_ = false;
  for (std::size_t looked_at = 0; looked_at < lanes_.size() && busy_lanes_ < kBusyLanesMax; ++looked_at) {
    Lane& lane = lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % lanes_.size();
    if (!lane.is_busy) flush(lane);
  }
}

void AppendLanes::flush(Lane& lane) {
  if (lane.waiting.empty()) return;
  lungo::EventBatch batch = std::move(*lane.batch);
  lane.batch.reset();
  lane.is_busy = true;
  ++busy_lanes_;
  submit(std::move(batch), std::exchange(lane.waiting, {}), lane, true);
}

void AppendLanes::submit(lungo::EventBatch batch, Requests requests, Lane& lane, bool is_turn) {
  ++counts_.appends;
  appends_.append(std::move(batch),
                  [self = shared_from_this(), requests = std::move(requests), &lane, is_turn](const Commits& commits) {
                    self->post_([self, requests, &lane, is_turn, commits] {
                      if (is_turn) {
                        lane.is_busy = false;
                        --self->busy_lanes_;
                        self->flush();  // before the answers: the disk need not wait for them
                      }
                      self->completed(commits, requests, lane);
                    });
                  });
}

void AppendLanes::completed(const Commits& commits, const Requests& requests, Lane& lane) {
  note_outcome(commits, lane);
  if (commits)
    for (const lungo::Commit& commit : *commits) counts_.repeated += commit.repeated ? 1 : 0;
  for (const std::shared_ptr<PostedRequest>& one : requests) {
    if (!commits && !one->error) one->error = commits.error();
    if (--one->appends == 0) completed_(*one);
  }
}

/// A sync that failed is for good: the partition takes nothing until the log is opened anew.
void AppendLanes::note_outcome(const Commits& commits, Lane& lane) {
  if (lane.trouble && *lane.trouble == Errc::partition_failed) return;
  if (commits) return lane.trouble.reset();
  const Error& error = commits.error();
  if (!lungo::is_retriable(error.code()) && error != Errc::partition_failed) return;
  lane.trouble = error;
  lane.trouble_at = store_.log().ports().clock.monotonic();
}

/// What stays comes first.
std::optional<Error> AppendLanes::trouble() const {
  const lungo::Instant now = store_.log().ports().clock.monotonic();
  std::optional<Error> passing;
  for (const Lane& lane : lanes_) {
    if (!lane.trouble) continue;
    if (*lane.trouble == Errc::partition_failed) return lane.trouble;
    if (now - lane.trouble_at < kTroubleLasts) passing = lane.trouble;
  }
  return passing;
}

}  // namespace tracker
