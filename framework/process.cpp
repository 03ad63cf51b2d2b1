#include <lungo/framework/process.hpp>

#include <algorithm>
#include <mutex>
#include <set>

#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "broken_invariant.hpp"
#include "catch_up.hpp"
#include "process_partition.hpp"

namespace lungo {

std::int64_t ProcessStatus::lag() const {
  std::int64_t records = 0;
  for (const PartitionLag& partition : partitions)
    records += std::max<std::int64_t>(0, partition.committed_end - partition.next);
  return records;
}

// Stopped -> start() -> running -> stop(): drains, then stopped; or an error -> stopped. While it runs, only step() touches the
// partitions. Those that are not this process's are there, too, and away.
class ProcessRunner::Loop final : public Activity {
 public:
  Loop(EventStore store, Setup setup, ProcessOptions options)
      : context_{store,
                 std::move(setup),
                 std::move(options),
                 Snapshots{store},
                 {},
                 {},
                 std::make_shared<ProcessMailbox>(),
                 OwnedPartitions{store.log().ports()},
                 {},
                 false} {}

  Result<void> start();
  Result<void> stop(Duration timeout);
  Result<void> catch_up(Duration timeout);
  ProcessStatus status();

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-process"; }

 private:
  Result<void> prepare();
  Result<void> take_partitions();
  void leave_partitions();
  Result<Instant> guarded_step(Instant now);
  Result<Instant> step_partitions(Instant now);
  void publish(bool running, std::optional<Error> error);
  [[nodiscard]] Error lagging(const ProcessStatus& seen, const CatchUp& goals) const;

  ProcessContext context_;
  std::vector<ProcessPartition> partitions_;
  std::set<PartitionId> unanswered_;  // whose append the last run left in flight
  std::unique_ptr<RunningActivity> running_;
  bool over_ = false;  // stopped by itself, or drained
  std::mutex mutex_;
  // Under mutex_:
  ProcessStatus status_;
  bool stop_asked_ = false;
  std::vector<OwnedPartitions::Unit> units_;  // of all partitions
};

Result<void> ProcessRunner::Loop::prepare() {
  EventStore& store = context_.store;
  Result<TopicInfo> input = store.topic(context_.setup.topic);
  if (!input) return input.error();
  Result<TopicInfo> output = store.stream_topic(context_.setup.output_topic, input->spec.partitions);
  if (!output) return output.error();
  if (output->spec.partitions != input->spec.partitions) {
    return Error{Errc::invalid_argument, "process " + context_.setup.name + ": topics " + input->spec.name + " and " +
                                             output->spec.name + " have different numbers of partitions"};
  }
  context_.input = std::move(*input);
  context_.output = std::move(*output);
  const Shape* const state_shape = &context_.setup.fold->state_shape();
  Result<void> ready = context_.snapshots.prepare();
  if (ready) ready = prepare_parking(store);
  if (ready) ready = store.declare(events<ClockAdvanced>{});
  if (ready) ready = store.declare_types(context_.setup.declared);
  if (ready) ready = store.shapes().publish({&state_shape, 1});
  return ready;
}

Result<void> ProcessRunner::Loop::start() {
  if (running_) return Error{Errc::invalid_argument, "process " + context_.setup.name + " runs already"};
  Result<void> ready = prepare();
  if (!ready) return ready.error().with_context("process " + context_.setup.name);
  over_ = false;
  context_.stopping = false;
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = false;
  }
  Result<void> taken = take_partitions();
  if (!taken) {
    leave_partitions();
    return taken.error().with_context("process " + context_.setup.name);
  }
  publish(true, std::nullopt);
  Result<std::unique_ptr<RunningActivity>> started = start_activity(context_.store.log().ports().executor, *this);
  if (!started) {
    leave_partitions();
    publish(false, started.error());
    return started.error();
  }
  running_ = std::move(*started);
  context_.mailbox->waker.arm(*running_);
  return {};
}

/// Begins with those that are this process's. Others come when they are opened.
Result<void> ProcessRunner::Loop::take_partitions() {
  std::vector<OwnedPartitions::Unit> units;
  for (std::int32_t id = 0; id < context_.input.spec.partitions; ++id) {
    units.push_back(ProcessPartition::unit_of(context_, PartitionId{id}));
  }
  Result<void> joined = context_.owned.join(context_.store.log(), {context_.setup.topic, context_.setup.output_topic},
                                            [mailbox = context_.mailbox] { mailbox->waker.wake(); });
  if (!joined) return joined;
  {
    const std::lock_guard lock(mutex_);
    units_ = std::move(units);
  }
  for (std::int32_t id = 0; id < context_.input.spec.partitions; ++id) {
    ProcessPartition& partition = partitions_.emplace_back(context_, PartitionId{id}, unanswered_.contains(PartitionId{id}));
    Result<void> started = partition.start();
    if (!started) return started;
  }
  return {};
}

void ProcessRunner::Loop::leave_partitions() {
  for (ProcessPartition& partition : partitions_) partition.let_go();  // first: leaving waits for who waits for them
  context_.owned.leave();
  partitions_.clear();
}

Result<void> ProcessRunner::Loop::stop(Duration timeout) {
  if (!running_) return {};
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
  }
  running_->wake();
  const Ports ports = context_.store.log().ports();
  const bool drained =
      ports.executor.wait_until([this] { return !status().running; }, deadline_after(ports.clock.monotonic(), timeout));
  context_.mailbox->waker.disarm();
  running_.reset();
  context_.aggregates.clear();  // commands in flight end as canceled
  unanswered_.clear();
  for (std::size_t id = 0; id < partitions_.size(); ++id) {
    if (partitions_[id].has_append_in_flight()) unanswered_.insert(PartitionId{static_cast<std::int32_t>(id)});
  }
  leave_partitions();
  {
    const std::lock_guard lock(mutex_);
    status_.running = false;
  }
  if (drained) return {};
  return Error{Errc::timed_out, "process " + context_.setup.name + " had outputs in flight; its next start recognises them"};
}

Result<void> ProcessRunner::Loop::catch_up(Duration timeout) {
  std::vector<OwnedPartitions::Unit> units;
  {
    const std::lock_guard lock(mutex_);
    units = units_;
  }
  Result<CatchUp> goals = CatchUp::of(context_.store.log(), context_.owned, std::move(units));
  if (!goals) return goals.error();
  ProcessStatus seen;
  const auto look = [&] {
    seen = status();
    return seen.running ? std::optional{seen.partitions} : std::nullopt;
  };
  const bool in_time = goals->wait(look, timeout);
  if (!seen.running) return seen.error.value_or(Error{Errc::closed, "process " + context_.setup.name + " does not run"});
  if (in_time) return {};
  return lagging(seen, *goals);
}

Error ProcessRunner::Loop::lagging(const ProcessStatus& seen, const CatchUp& goals) const {
  std::string text = "process " + context_.setup.name;
  for (const CatchUp::Lagging& lag : goals.lagging()) {
    const std::string end = std::to_string(lag.goal.value());
    text += "; " + to_string(lag.partition);
    text += lag.next ? " is at offset " + std::to_string(lag.next->value()) + " of " + end
                     : ", whose end is " + end + ", is nobody's";
  }
  if (seen.error) text += "; last error: " + to_string(*seen.error);
  return {Errc::timed_out, text};
}

Instant ProcessRunner::Loop::step(Instant now) {
  if (over_) return Instant::max();
  {
    const std::lock_guard lock(mutex_);
    context_.stopping = stop_asked_;
  }
  Result<Instant> next = guarded_step(now);
  const bool drained = std::ranges::all_of(partitions_, &ProcessPartition::is_stopped);
  over_ = !next || drained;
  publish(!over_, next ? std::nullopt : std::optional{next.error()});
  if (over_) std::ranges::for_each(partitions_, &ProcessPartition::let_go);
  context_.store.log().ports().executor.notify();
  return over_ ? Instant::max() : *next;
}

Result<Instant> ProcessRunner::Loop::guarded_step(Instant now) {
  try {
    return step_partitions(now);
  } catch (...) {  // our bug, or no memory: this process stops and says so, the host goes on
    return stopped_on_broken_invariant("process " + context_.setup.name);
  }
}

Result<Instant> ProcessRunner::Loop::step_partitions(Instant now) {
  for (const ProcessOutcome& outcome : context_.mailbox->take()) {
    Result<void> taken = partitions_[static_cast<std::size_t>(outcome.partition)].take(outcome, now);
    if (!taken) return taken.error();
  }
  Instant next = Instant::max();
  for (ProcessPartition& partition : partitions_) {
    if (partition.is_stopped()) continue;
    Result<Instant> wants = partition.step(now);
    if (!wants) return wants;
    next = std::min(next, *wants);
  }
  return next;
}

void ProcessRunner::Loop::publish(bool running, std::optional<Error> error) {
  ProcessStatus now;
  now.running = running;
  for (const ProcessPartition& partition : partitions_) partition.add_to(now);
  if (error) now.error = std::move(error);
  const std::lock_guard lock(mutex_);
  status_ = std::move(now);
}

ProcessStatus ProcessRunner::Loop::status() {
  const std::lock_guard lock(mutex_);
  return status_;
}

ProcessRunner::ProcessRunner(EventStore store, Setup setup, ProcessOptions options)
    : loop_(std::make_unique<Loop>(std::move(store), std::move(setup), std::move(options))) {}
ProcessRunner::~ProcessRunner() { static_cast<void>(loop_->stop(std::chrono::seconds{10})); }
Result<void> ProcessRunner::start() { return loop_->start(); }
Result<void> ProcessRunner::stop(Duration timeout) { return loop_->stop(timeout); }
Result<void> ProcessRunner::catch_up(Duration timeout) { return loop_->catch_up(timeout); }
ProcessStatus ProcessRunner::status() const { return loop_->status(); }

}  // namespace lungo
