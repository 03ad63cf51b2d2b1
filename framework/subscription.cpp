#include <lungo/framework/subscription.hpp>

#include <algorithm>

#include <lungo/log/check.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "catch_up.hpp"
#include "subscription_loop.hpp"

namespace lungo {

std::int64_t SubscriptionStatus::lag() const {
  std::int64_t records = 0;
  for (const PartitionLag& partition : partitions)
    records += std::max<std::int64_t>(0, partition.committed_end - partition.next);
  return records;
}

Result<void> Subscription::Loop::start() {
  if (running_) return Error{Errc::invalid_argument, "subscription " + reader_ + " runs already"};
  if (handlers.empty()) return Error{Errc::invalid_argument, "subscription " + reader_ + " has no handler"};
  Result<void> ready = prepare_positions(store_);
  if (ready) ready = prepare_parking(store_);
  if (!ready) return ready;

  mine_ = {};
  stored_.clear();
  Result<void> taken = take_partitions();
  if (!taken) {
    leave_partitions();
    return taken;
  }
  next_store_ = {};  // a new reader's positions are written with its first step: a start at the end is then for good
  mine_.running = true;
  publish();
  Result<std::unique_ptr<RunningActivity>> started = start_activity(store_.log().ports().executor, *this);
  if (!started) {
    leave_partitions();
    mine_.running = false;
    publish();
    return started.error();
  }
  running_ = std::move(*started);
  waker_->arm(*running_);
  return {};
}

/// Begins with those that are this process's. Others come when they are opened.
Result<void> Subscription::Loop::take_partitions() {
  sources_.clear();
  std::vector<OwnedPartitions::Unit> units;
  for (const std::string& name : options_.topics) {
    Result<TopicInfo> topic = store_.topic(name);
    if (!topic) return topic.error();
    for (std::int32_t id = 0; id < topic->spec.partitions; ++id) {
      Source& source = sources_.emplace_back();
      source.unit = {{name, PartitionId{id}}};
      source.topic = *topic;
      units.push_back(source.unit);
    }
  }
  Result<void> joined = owned_.join(store_.log(), options_.topics, [waker = waker_] { waker->wake(); });
  if (!joined) return joined;
  {
    const std::lock_guard lock(mutex_);
    units_ = std::move(units);
  }
  seen_changes_ = owned_.changes();
  next_open_ = {};
  open_failures_ = 0;
  open_error_.reset();
  enter_and_leave();
  Result<void> opened = open_entered();
  return opened || opened.error() != Errc::not_owner ? opened : Result<void>{};  // it has gone again: the step finds that
}

void Subscription::Loop::leave_partitions() {
  for (Source& source : sources_) leave(source);  // first: leaving waits for who waits for them
  owned_.leave();
}

// ---- stop, status ----

Result<void> Subscription::Loop::stop(Duration timeout) {
  if (!running_) return {};
  waker_->disarm();
  running_.reset();  // waits for the handler in progress
  for (Source& source : sources_) source.token.reset();
  mine_.running = false;
  publish();
  store_.log().ports().executor.notify();
  Result<void> stored = store_last_positions(timeout);
  leave_partitions();
  return stored;
}

Result<void> Subscription::Loop::store_last_positions(Duration timeout) {
  enter_and_leave();
  const PositionMap now = positions();
  // A write in flight may still be refused, by a log that closes; the one here comes behind it.
  if (now.empty() || (now == stored_ && storing() == Storing::done)) return {};
  Result<AppendRequest> request = positions_append(store_, reader_, now);
  if (!request) return request.error();
  Result<Appended> appended = append_wait(store_.log(), std::move(*request), timeout);
  if (!appended) return appended.error().with_context("positions of subscription " + reader_);
  stored_ = now;
  return {};
}

Result<void> Subscription::Loop::catch_up(Duration timeout) {
  std::vector<OwnedPartitions::Unit> units;
  {
    const std::lock_guard lock(mutex_);
    units = units_;
  }
  Result<CatchUp> goals = CatchUp::of(store_.log(), owned_, std::move(units));
  if (!goals) return goals.error();
  SubscriptionStatus seen;
  const auto look = [&] {
    seen = status();
    return seen.running ? std::optional{seen.partitions} : std::nullopt;
  };
  const bool in_time = goals->wait(look, timeout);
  if (!seen.running) return seen.error.value_or(Error{Errc::closed, "subscription " + reader_ + " does not run"});
  if (in_time) return {};
  const CatchUp::Lagging& lag = goals->lagging().front();
  const std::string at = lag.next ? " is at offset " + std::to_string(lag.next->value()) + " of " : " waits for who has ";
  return Error{Errc::timed_out,
               "subscription " + reader_ + at + to_string(lag.partition) + ", wanted " + std::to_string(lag.goal.value())};
}

SubscriptionStatus Subscription::Loop::status() {
  SubscriptionStatus copy;
  {
    const std::lock_guard lock(mutex_);
    copy = status_;
  }
  for (PartitionLag& lag : copy.partitions) {
    if (const Result<Ends> ends = store_.log().ends(lag.partition)) lag.committed_end = ends->committed;
  }
  return copy;
}

void Subscription::Loop::publish() {
  mine_.partitions.clear();
  for (const Source& source : sources_) {
    if (!source.is_open()) continue;
    mine_.partitions.push_back({source.name(), source.done.offset, source.reader->committed_end()});
  }
  const std::lock_guard lock(mutex_);
  status_ = mine_;
  if (!mine_.running) return;
  for (const Source& source : sources_) {
    if (source.error) status_.error = source.error;
  }
  if (open_error_) status_.error = open_error_;
  if (positions_error_) status_.error = positions_error_;
}

Subscription::Subscription(EventStore store, std::string name, SubscriptionOptions options)
    : loop_(std::make_unique<Loop>(std::move(store), std::move(name), std::move(options))) {}

Subscription::~Subscription() { static_cast<void>(loop_->stop(std::chrono::seconds{1})); }

Result<void> Subscription::start() { return loop_->start(); }
Result<void> Subscription::stop(Duration timeout) { return loop_->stop(timeout); }
Result<void> Subscription::catch_up(Duration timeout) { return loop_->catch_up(timeout); }
SubscriptionStatus Subscription::status() const { return loop_->status(); }
EventDecoder& Subscription::decoder() { return loop_->decoder; }

void Subscription::set_handler(int type, Handler handler) {
  const auto index = static_cast<std::size_t>(type);
  check(index <= loop_->handlers.size(), "types are numbered as they are added");
  if (index == loop_->handlers.size()) loop_->handlers.emplace_back();
  loop_->handlers[index] = std::move(handler);
}

}  // namespace lungo
