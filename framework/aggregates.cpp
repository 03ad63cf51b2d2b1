#include <lungo/framework/aggregates.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <set>

#include <lungo/framework/errors.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "broken_invariant.hpp"

namespace lungo::detail {

namespace {

/// True for an append that lost against another one and may win after a new load.
bool is_lost_race(const Result<Commit>& outcome) {
  return !outcome && outcome.error() == Errc::conflict && outcome.error().offset().has_value();
}

Result<void> wait_until_committed(EventLog& log, const TopicPartition& partition, Offset offset, Instant deadline) {
  const Ports ports = log.ports();
  const auto reached = std::make_shared<std::atomic<bool>>(false);
  const EventLog::NotifyToken token = log.notify_above(partition, offset, [reached, &executor = ports.executor] {
    reached->store(true, std::memory_order_release);
    executor.notify();
  });
  if (ports.executor.wait_until([&] { return reached->load(std::memory_order_acquire); }, deadline)) return {};
  return Error{Errc::timed_out, to_string(partition) + " has not committed offset " + std::to_string(offset.value()), offset};
}

Result<Commit> single(Result<std::vector<Commit>> commits) {
  if (!commits) return commits.error();
  return std::move(commits->front());
}

/// Decides. The answer where there is nothing to append: the command was executed before, is refused, or changes nothing.
std::optional<Result<Commit>> answer_without_append(StreamDraft& draft, const DecideFunction& decide) {
  const Result<void> decided = draft.repeated ? Result<void>{} : decide(draft);
  if (decided && draft.batch.count() > 0) {
    draft.batch.expect_unchanged(draft.stream, draft.as_of);
    return std::nullopt;
  }
  draft.keep();
  if (!decided) return decided.error();
  return Commit{draft.partition, draft.repeated.value_or(draft.as_of), draft.as_of, draft.repeated.has_value()};
}

/// What lies below `as_of` was searched for the command's id, what has come since was not, and may be in a snapshot by now.
void look_again_from(CommandTask& task, Offset as_of) {
  if (!task.id.empty()) task.since = as_of;
}

}  // namespace

Result<Commit> run_attempts(EventStore& store, StreamLoads& loads, CommandTask task, int attempts, Duration timeout) {
  const Ports ports = store.log().ports();
  const Instant deadline = deadline_after(ports.clock.monotonic(), timeout);
  while (true) {
    Result<StreamDraft> draft = loads.draft(task.stream, task.id, task.since);
    if (!draft) return draft.error();
    if (std::optional<Result<Commit>> answer = answer_without_append(*draft, task.decide)) return *std::move(answer);
    Result<Commit> outcome = single(store.append_wait(std::move(draft->batch), deadline - ports.clock.monotonic()));
    if (outcome) draft->keep_written(*outcome);
    if (!is_lost_race(outcome) || --attempts <= 0) return outcome;
    look_again_from(task, draft->as_of);
    Result<void> visible = wait_until_committed(store.log(), draft->partition, *outcome.error().offset(), deadline);
    if (!visible) return visible.error();
  }
}

Result<std::optional<Snapshot>> usable_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key,
                                                std::string_view topic, const ShapeHash& shape) {
  Result<std::optional<Snapshot>> snapshot = snapshots.load(key);
  if (!snapshot && (snapshot.error() == Errc::corrupt || is_about_event(snapshot.error()))) return std::optional<Snapshot>{};
  if (!snapshot || !*snapshot) return snapshot;
  // Without an epoch nothing tells whether the log still has what is in it.
  if ((*snapshot)->shape != shape || (*snapshot)->position.epoch == kNoEpoch) return std::optional<Snapshot>{};
  Result<void> valid = store.log().validate(topic, (*snapshot)->position);
  if (valid) return snapshot;
  if (valid.error() == Errc::position_diverged) return std::optional<Snapshot>{};
  return valid.error().with_context("snapshot " + std::string(key));
}

void save_snapshot(EventStore& store, Snapshots& snapshots, std::string_view key, const TopicPartition& partition, Offset as_of,
                   Snapshot snapshot) {
  // The epoch of the last record below `as_of`, which says later whether the log was cut there.
  const Result<Fetched> last = store.log().read(partition, as_of.plus(-1), 1);
  if (!last) return;
  snapshot.position = {last->next().topic, partition.partition, as_of, last->next().epoch};
  snapshots.save(key, partition, snapshot, [](const Result<void>&) {});
}

// A command is either due (in `due`: the next step loads, decides and submits it), in flight (its append's completion holds it)
// or waiting (in `waiting`: until the record that it lost against is committed, or its deadline).
class CommandLoop final : public Activity {
 public:
  CommandLoop(EventStore store, StreamLoads& loads)
      : store_(std::move(store)), loads_(&loads), shared_(std::make_shared<Shared>()) {}
  /// Once, before the first command. Errors: io, when the system has no thread left.
  Result<void> start() {
    Result<std::unique_ptr<RunningActivity>> started = start_activity(store_.log().ports().executor, *this);
    if (!started) return started.error();
    running_ = std::move(*started);
    const std::lock_guard lock(shared_->mutex);
    shared_->running = running_.get();
    return {};
  }
  ~CommandLoop() override {
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->running = nullptr;
      shared_->closed = true;
    }
    running_.reset();
    std::deque<CommandPtr> left;
    {
      const std::lock_guard lock(shared_->mutex);
      left.swap(shared_->due);
      left.insert(left.end(), shared_->waiting.begin(), shared_->waiting.end());
      shared_->waiting.clear();
    }
    for (const CommandPtr& command : left) command->done(canceled());
  }

  void submit(CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done) {
    const Instant deadline = deadline_after(store_.log().ports().clock.monotonic(), timeout);
    const auto command = std::make_shared<Command>(Command{std::move(task), attempts, deadline, std::move(done), {}});
    const std::lock_guard lock(shared_->mutex);
    shared_->due.push_back(command);
    if (shared_->running != nullptr) shared_->running->wake();
  }

  Instant step(Instant now) override {
    constexpr int kCommandsPerStep = 64;
    for (int count = 0; count < kCommandsPerStep; ++count) {
      const CommandPtr command = pop();
      if (!command) return expire(now);
      run(command);
    }
    return now;
  }
  [[nodiscard]] std::string_view name() const override { return "lungo-commands"; }

 private:
  struct Command {
    CommandTask task;
    int attempts_left;
    Instant deadline;
    std::function<void(Result<Commit>)> done;
    EventLog::NotifyToken token;  // under the mutex; for the record that was in the way
  };
  using CommandPtr = std::shared_ptr<Command>;
  /// Outlives the loop as long as an append is in flight.
  struct Shared {
    std::mutex mutex;
    std::deque<CommandPtr> due;
    std::set<CommandPtr> waiting;
    RunningActivity* running = nullptr;
    bool closed = false;
  };

  static Error canceled() { return {Errc::canceled, "stopped before the command was executed"}; }

  CommandPtr pop() {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->due.empty()) return nullptr;
    CommandPtr command = std::move(shared_->due.front());
    shared_->due.pop_front();
    return command;
  }

  /// Answers the waiting commands whose time is over; returns when the next one's is.
  Instant expire(Instant now) {
    std::vector<CommandPtr> expired;
    Instant next = Instant::max();
    {
      const std::lock_guard lock(shared_->mutex);
      for (const CommandPtr& command : shared_->waiting) {
        if (command->deadline <= now) {
          expired.push_back(command);
        } else {
          next = std::min(next, command->deadline);
        }
      }
      for (const CommandPtr& command : expired) shared_->waiting.erase(command);
    }
    for (const CommandPtr& command : expired) command->done(Error{Errc::timed_out, "the command met only conflicts"});
    return next;
  }

  /// The answer, or what is to be appended in `draft`.
  std::optional<Result<Commit>> decide(const CommandTask& task, std::shared_ptr<StreamDraft>& draft) {
    try {
      Result<StreamDraft> loaded = loads_->draft(task.stream, task.id, task.since);
      if (!loaded) return loaded.error();
      draft = std::make_shared<StreamDraft>(std::move(*loaded));
      return answer_without_append(*draft, task.decide);
    } catch (...) {  // our bug, or no memory: this command ends, the others go on
      return stopped_on_broken_invariant("a command");
    }
  }

  void run(const CommandPtr& command) {
    std::shared_ptr<StreamDraft> draft;
    if (std::optional<Result<Commit>> answer = decide(command->task, draft)) {
      command->done(*std::move(answer));
      return;
    }
    // The log is alive while it runs a completion; owning it here could end it on its own thread.
    EventBatch batch = std::move(draft->batch);
    store_.append(std::move(batch),
                  [shared = shared_, command, draft, log = &store_.log()](Result<std::vector<Commit>> commits) {
                    Result<Commit> outcome = single(std::move(commits));
                    if (outcome) draft->keep_written(*outcome);
                    if (is_lost_race(outcome) && --command->attempts_left > 0) {
                      look_again_from(command->task, draft->as_of);
                      wait(shared, command, *log, draft->partition, *outcome.error().offset());
                    } else {
                      command->done(std::move(outcome));
                    }
                  });
  }

  static void wait(const std::shared_ptr<Shared>& shared, const CommandPtr& command, EventLog& log,
                   const TopicPartition& partition, Offset in_the_way) {
    bool closed = false;
    {
      const std::lock_guard lock(shared->mutex);
      closed = shared->closed;
      if (!closed) {
        shared->waiting.insert(command);
        if (shared->running != nullptr) shared->running->wake();  // its deadline counts from now on
      }
    }
    if (closed) {
      command->done(canceled());
      return;
    }
    EventLog::NotifyToken token = log.notify_above(partition, in_the_way, [shared, weak = std::weak_ptr<Command>(command)] {
      if (const CommandPtr waited = weak.lock()) resume(*shared, waited);
    });
    const std::lock_guard lock(shared->mutex);
    command->token.swap(token);
  }

  static void resume(Shared& shared, const CommandPtr& command) {
    const std::lock_guard lock(shared.mutex);
    if (shared.waiting.erase(command) == 0) return;  // expired or canceled
    shared.due.push_back(command);
    if (shared.running != nullptr) shared.running->wake();
  }

  EventStore store_;
  StreamLoads* const loads_;
  const std::shared_ptr<Shared> shared_;
  std::unique_ptr<RunningActivity> running_;
};

void CommandLoopDeleter::operator()(CommandLoop* loop) const { delete loop; }

Result<CommandLoopPtr> start_command_loop(EventStore store, StreamLoads& loads) {
  CommandLoopPtr loop{new CommandLoop(std::move(store), loads)};
  if (Result<void> started = loop->start(); !started) return started.error();
  return loop;
}

void submit(CommandLoop& loop, CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done) {
  loop.submit(std::move(task), attempts, timeout, std::move(done));
}

OwnedMeta::OwnedMeta(const EventMeta& meta)
    : time_(meta.time), id_(meta.id), correlation_(meta.correlation), causation_(meta.causation), lane_(meta.lane) {
  for (const HeaderView& header : meta.headers) {
    headers_.emplace_back(std::string(header.name), Bytes(header.value.begin(), header.value.end()));
  }
  for (std::size_t index = 0; index < headers_.size(); ++index) {
    header_views_.push_back({headers_[index].first, headers_[index].second, meta.headers[index].has_value});
  }
}

EventMeta OwnedMeta::view() const { return {time_, id_, correlation_, causation_, lane_, header_views_}; }

}  // namespace lungo::detail
