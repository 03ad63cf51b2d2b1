// The lanes on which posted events go to the log, one for each partition: what comes while a partition's append is on its way
// shares the next one. And what is known of a partition that refuses, such as of a full disk.
//
// Threads: the web thread. Completions come from the log's threads, keep the lanes alive and only post.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "event_appends.hpp"
#include "http/exchange.hpp"

namespace tracker {

/// A request whose events are being appended, in one append or several.
struct PostedRequest {
  http::Responder respond;
  std::uint64_t number;  // in the order of arrival
  lungo::Instant arrived;
  std::size_t bytes;
  std::size_t events;
  std::size_t appends = 0;  // not completed yet
  std::optional<lungo::Error> error;
};

class AppendLanes : public std::enable_shared_from_this<AppendLanes> {
 public:
  using Post = std::function<void(std::function<void()>)>;
  /// Told of a request whose last append is completed.
  using Completed = std::function<void(PostedRequest& request)>;
  struct Counts {
    std::uint64_t appends = 0;
    std::uint64_t repeated = 0;  // events, known by their id
  };

  /// `appends` outlives the last completion.
  AppendLanes(EventAppends& appends, std::int32_t partitions, Post post, Completed completed);

  [[nodiscard]] lungo::PartitionId lane_of(std::string_view stream) const;
  /// Whose events the lane's next append takes; who has added to it joins. Errors: busy: it is full; as EventStore::batch().
  lungo::Result<lungo::EventBatch*> batch_of(lungo::PartitionId lane);
  void join(lungo::PartitionId lane, const std::shared_ptr<PostedRequest>& request);
  /// At once, and shared with nobody.
  void append_alone(lungo::PartitionId lane, lungo::EventBatch batch, const std::shared_ptr<PostedRequest>& request);

  /// Why a partition takes nothing: for good when a sync of it failed; otherwise until it takes something again, and for 10 s
  /// at most.
  [[nodiscard]] std::optional<lungo::Error> trouble() const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Requests = std::vector<std::shared_ptr<PostedRequest>>;
  using Commits = EventAppends::Commits;
  struct Lane {
    std::optional<lungo::EventBatch> batch;
    Requests waiting;
    bool is_busy = false;                 // an append is on its way
    std::optional<lungo::Error> trouble;  // the partition's last append's, if it is the log that refuses
    lungo::Instant trouble_at{};
  };

  [[nodiscard]] Lane& at(lungo::PartitionId lane) { return lanes_[static_cast<std::size_t>(lane.value())]; }
  void flush();
  void flush(Lane& lane);
  /// `is_turn`: the lane is busy until it completes; not with what is appended alone.
  void submit(lungo::EventBatch batch, Requests requests, Lane& lane, bool is_turn);
  void completed(const Commits& commits, const Requests& requests, Lane& lane);
  void note_outcome(const Commits& commits, Lane& lane);

  lungo::EventStore store_;
  EventAppends& appends_;
  const Post post_;
  const Completed completed_;
  std::vector<Lane> lanes_;
  Counts counts_;
  bool flush_is_due_ = false;
  std::size_t busy_lanes_ = 0;
  std::size_t next_lane_ = 0;  // whose turn it is
};

}  // namespace tracker
