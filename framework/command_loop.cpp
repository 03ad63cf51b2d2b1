#include "command_loop.hpp"

#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "broken_invariant.hpp"

namespace lungo::detail {

CommandLoop::CommandLoop(EventStore store, StreamLoads& loads)
    : store_(std::move(store)), loads_(&loads), forwarder_(store_.forwarder()), shared_(std::make_shared<Shared>()) {}

Result<void> CommandLoop::start() {
  Result<std::unique_ptr<RunningActivity>> started = start_activity(store_.log().ports().executor, *this);
  if (!started) return started.error();
  running_ = std::move(*started);
  const std::lock_guard lock(shared_->mutex);
  shared_->running = running_.get();
  return {};
}

CommandLoop::~CommandLoop() {
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
  for (const auto& [number, call] : calls_) {
    call.command->done(Error{Errc::canceled,
                             "stopped before the command's answer came from " + call.endpoint + "; it may have been executed"});
  }
}

void CommandLoop::submit(CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done) {
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

Instant CommandLoop::step(Instant now) {
  constexpr int kStreamsPerStep = 64;
  take_arrived(now);
  expire(now);
  resume_due(now);
  for (int count = 0; count < kStreamsPerStep; ++count) {
    const StreamPtr stream = pop();
    if (!stream) break;
    run(stream, now);
  }
  const std::lock_guard lock(shared_->mutex);
  return shared_->ready.empty() ? std::min(shared_->next_deadline, shared_->next_resume) : now;
}

/// The next stream that is ready, which is under way from here on.
auto CommandLoop::pop() -> StreamPtr {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->ready.empty()) return nullptr;
  StreamPtr stream = std::move(shared_->ready.front());
  shared_->ready.pop_front();
  stream->at = At::under_way;
  return stream;
}

/// Answers the commands that wait and whose time is over.
void CommandLoop::expire(Instant now) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (now < shared_->next_deadline) return;
  }
  expire_calls(now);
  std::vector<CommandPtr> late;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->next_deadline = Instant::max();
    for (const auto& [number, call] : calls_) shared_->next_deadline = std::min(shared_->next_deadline, call.command->deadline);
    for (const auto& [text, stream] : shared_->streams) {
      if (stream->at == At::ready) continue;
      std::deque<CommandPtr>& commands = stream->commands;
      const auto first = std::stable_partition(commands.begin(), commands.end(),
                                               [now](const CommandPtr& command) { return command->deadline > now; });
      late.insert(late.end(), std::move_iterator(first), std::move_iterator(commands.end()));
      commands.erase(first, commands.end());
      for (const CommandPtr& command : commands) {
        shared_->next_deadline = std::min(shared_->next_deadline, command->deadline);
      }
    }
  }
  for (const CommandPtr& command : late) command->done(expired(*command));
}

Error CommandLoop::expired(const Command& command) {
  std::string text =
      command.has_lost ? "the command met only conflicts" : "what is before the command in its stream is not committed yet";
  if (command.trouble) text = "the command waits for the owner of its stream's partition: " + to_string(*command.trouble);
  if (command.may_be_done) text += "; it may have been executed";
  return {Errc::timed_out, std::move(text)};
}

void CommandLoop::run(const StreamPtr& stream, Instant now) {
  std::deque<CommandPtr> due;
  {
    const std::lock_guard lock(shared_->mutex);
    due.swap(stream->commands);
  }
  if (!due.empty() && is_elsewhere(*stream, *due.front())) {
    CommandPtr command = std::move(due.front());
    due.pop_front();
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->put_in_front(*stream, due);
    }
    return execute_elsewhere(stream, std::move(command), now);
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
std::shared_ptr<CommandGroup> CommandLoop::decide(const Stream& stream, std::deque<CommandPtr>& due) {
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

Result<StreamDraft> CommandLoop::load(const StreamId& stream, const CommandTask& task) {
  try {
    return loads_->draft(stream, task.id, task.since);
  } catch (...) {  // our bug, or no memory: this command ends, the others go on
    return stopped_on_broken_invariant("a command");
  }
}

void CommandLoop::finish(const std::shared_ptr<Shared>& shared, const StreamPtr& stream, CommandGroup& group, EventLog& log,
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

void CommandLoop::resume(Shared& shared, const StreamPtr& stream) {
  const std::lock_guard lock(shared.mutex);
  if (!shared.closed && stream->at == At::waiting) shared.release(stream);
}

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
