// Runs the commands of one Aggregates beside the application. A stream's commands queue in their order:
//
//              submit()          step(): decided             written, or failed
//   no stream ----------> ready ------------------> under way ----------------> ready; no stream, when no command is left
//                           ^                           | lost a race: its commands are in front again
//                           |                           v
//                           +---------------------- waiting, until the record in the way is committed
//
// One group of a stream is under way at a time, what comes meanwhile is the next one: commands of a stream take effect in the
// order in which they were submitted. A deadline ends the wait for what is under way, or in the way; not what is under way
// itself.
// Threads: submit() any; step() the loop's; completions and notifications the log's. The mutex is not held while a command is
// decided or answered, nor while the log is called.
#include <algorithm>
#include <deque>
#include <iterator>
#include <unordered_map>

#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "broken_invariant.hpp"
#include "command_group.hpp"

namespace lungo::detail {

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
    Streams left;
    {
      const std::lock_guard lock(shared_->mutex);
      left.swap(shared_->streams);
      shared_->ready.clear();
    }
    for (const auto& [text, stream] : left) cancel(stream->commands);
  }

  void submit(CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done) {
    const Instant deadline = deadline_after(store_.log().ports().clock.monotonic(), timeout);
    auto command = std::make_unique<Command>(Command{std::move(task), attempts, deadline, std::move(done)});
    const std::lock_guard lock(shared_->mutex);
    const std::string& text = command->task.stream.text();
    auto place = shared_->streams.find(text);
    const bool is_new = place == shared_->streams.end();
    if (is_new) {
      place = shared_->streams.emplace(text, std::make_shared<Stream>(command->task.stream)).first;
      shared_->ready.push_back(place->second);
    }
    const bool is_first_deadline = place->second->at != At::ready && deadline < shared_->next_deadline;
    if (is_first_deadline) shared_->next_deadline = deadline;
    place->second->commands.push_back(std::move(command));
    if (is_new || is_first_deadline) shared_->wake();
  }

  Instant step(Instant now) override {
    constexpr int kStreamsPerStep = 64;
    expire(now);
    for (int count = 0; count < kStreamsPerStep; ++count) {
      const StreamPtr stream = pop();
      if (!stream) break;
      run(stream);
    }
    const std::lock_guard lock(shared_->mutex);
    return shared_->ready.empty() ? shared_->next_deadline : now;
  }
  [[nodiscard]] std::string_view name() const override { return "lungo-commands"; }

 private:
  enum class At { ready, under_way, waiting };
  struct Stream {
    explicit Stream(StreamId its_id) : id(std::move(its_id)) {}
    const StreamId id;
    // Under the mutex:
    At at = At::ready;
    std::deque<CommandPtr> commands;  // without those under way
    EventLog::NotifyToken token;      // for the record that was in the way
  };
  using StreamPtr = std::shared_ptr<Stream>;
  using Streams = std::unordered_map<std::string, StreamPtr>;
  /// Outlives the loop as long as an append is in flight.
  struct Shared {
    void wake() const {
      if (running != nullptr) running->wake();
    }
    /// `stream` is no more under way or waiting.
    void release(const StreamPtr& stream) {
      if (stream->commands.empty()) {
        streams.erase(stream->id.text());
        return;
      }
      stream->at = At::ready;
      ready.push_back(stream);
      wake();
    }
    /// `stream` is not ready, and has these commands in front.
    template <class Commands>
    void put_in_front(Stream& stream, Commands& commands) {
      stream.commands.insert(stream.commands.begin(), std::move_iterator(commands.begin()), std::move_iterator(commands.end()));
      for (const CommandPtr& command : stream.commands) next_deadline = std::min(next_deadline, command->deadline);
    }

    std::mutex mutex;
    // Under the mutex:
    Streams streams;
    std::deque<StreamPtr> ready;
    Instant next_deadline = Instant::max();  // at or before that of every command whose stream is not ready
    RunningActivity* running = nullptr;
    bool closed = false;
  };

  template <class Commands>
  static void cancel(const Commands& commands) {
    for (const CommandPtr& command : commands) command->done(Error{Errc::canceled, "stopped before the command was executed"});
  }

  /// The next stream that is ready, which is under way from here on.
  StreamPtr pop() {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->ready.empty()) return nullptr;
    StreamPtr stream = std::move(shared_->ready.front());
    shared_->ready.pop_front();
    stream->at = At::under_way;
    return stream;
  }

  /// Answers the commands that wait and whose time is over.
  void expire(Instant now) {
    std::vector<CommandPtr> expired;
    {
      const std::lock_guard lock(shared_->mutex);
      if (now < shared_->next_deadline) return;
      shared_->next_deadline = Instant::max();
      for (const auto& [text, stream] : shared_->streams) {
        if (stream->at == At::ready) continue;
        std::deque<CommandPtr>& commands = stream->commands;
        const auto late = std::stable_partition(commands.begin(), commands.end(),
                                                [now](const CommandPtr& command) { return command->deadline > now; });
        expired.insert(expired.end(), std::move_iterator(late), std::move_iterator(commands.end()));
        commands.erase(late, commands.end());
        for (const CommandPtr& command : commands) {
          shared_->next_deadline = std::min(shared_->next_deadline, command->deadline);
        }
      }
    }
    for (const CommandPtr& command : expired) {
      command->done(Error{Errc::timed_out, command->has_lost
                                               ? "the command met only conflicts"
                                               : "what is before the command in its stream is not committed yet"});
    }
  }

  void run(const StreamPtr& stream) {
    std::deque<CommandPtr> due;
    {
      const std::lock_guard lock(shared_->mutex);
      due.swap(stream->commands);
    }
    const std::shared_ptr<CommandGroup> group = decide(*stream, due);
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->put_in_front(*stream, due);
      if (group == nullptr) shared_->release(stream);
    }
    if (group == nullptr) return;
    // The log is alive while it runs a completion; owning it here could end it on its own thread.
    store_.append(group->take_batch(),
                  [shared = shared_, stream, group, log = &store_.log()](Result<std::vector<Commit>> commits) {
                    finish(shared, stream, *group, *log, only_commit(std::move(commits)));
                  });
  }

  /// Takes commands off the front of `due`, not too many at once; null when they leave nothing to be appended.
  std::shared_ptr<CommandGroup> decide(const Stream& stream, std::deque<CommandPtr>& due) {
    constexpr int kCommandsMax = 512;
    std::shared_ptr<CommandGroup> group;
    for (int count = 0; count < kCommandsMax && !due.empty(); ++count) {
      CommandPtr& command = due.front();
      if (group != nullptr && !group->takes(*command)) {
        if (group->has_events()) break;
        group->end();
        group.reset();
      }
      if (group == nullptr) {
        Result<StreamDraft> draft = load(stream.id, command->task);
        if (!draft) {
          command->done(draft.error());
          due.pop_front();
          continue;
        }
        group = std::make_shared<CommandGroup>(*loads_, std::move(*draft));
      }
      if (!group->decide(command)) break;
      due.pop_front();
    }
    if (group == nullptr || group->has_events()) return group;
    group->end();
    return nullptr;
  }

  Result<StreamDraft> load(const StreamId& stream, const CommandTask& task) {
    try {
      return loads_->draft(stream, task.id, task.since);
    } catch (...) {  // our bug, or no memory: this command ends, the others go on
      return stopped_on_broken_invariant("a command");
    }
  }

  static void finish(const std::shared_ptr<Shared>& shared, const StreamPtr& stream, CommandGroup& group, EventLog& log,
                     const Result<Commit>& outcome) {
    CommandGroup::Settled settled = group.settle(outcome);
    const bool waits = settled.in_the_way && !settled.again.empty();
    bool closed = false;
    {
      const std::lock_guard lock(shared->mutex);
      closed = shared->closed;
      if (!closed) {
        stream->at = waits ? At::waiting : At::under_way;
        shared->put_in_front(*stream, settled.again);
        if (waits) {
          shared->wake();  // deadlines count from now on
        } else {
          shared->release(stream);
        }
      }
    }
    if (closed) return cancel(settled.again);
    if (!waits) return;
    EventLog::NotifyToken token =
        log.notify_above(group.partition(), *settled.in_the_way, [shared, weak = std::weak_ptr<Stream>(stream)] {
          if (const StreamPtr waited = weak.lock()) resume(*shared, waited);
        });
    const std::lock_guard lock(shared->mutex);
    stream->token.swap(token);
  }

  static void resume(Shared& shared, const StreamPtr& stream) {
    const std::lock_guard lock(shared.mutex);
    if (!shared.closed && stream->at == At::waiting) shared.release(stream);
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

}  // namespace lungo::detail
