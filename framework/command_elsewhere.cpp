// Commands whose stream's partition is another process's: found out, sent, answered. A command is, until its deadline:
//
//   due ----> whose is it? --another's--> sent --its outcome----------------------------> answered
//    ^          |  nobody's, or mine soon   | not there any more: at once to whom it names, then as below
//    |          v                           v
//    +------- pausing <---------------------+ was not reached; no answer, and it has an id
//
// A command that came from another process is not sent on: it is answered `not_owner`.

#include <array>

#include <lungo/framework/forwarded_command.hpp>

#include "broken_invariant.hpp"
#include "command_loop.hpp"
#include "owned_partitions.hpp"

namespace lungo::detail {

namespace {

constexpr std::chrono::milliseconds kPause{50};

/// Errors with which a command was surely not executed, and may be soon: its shape is on its way to the other process, or that
/// one is about to end.
bool is_too_early(const Error& error) { return error == Errc::unknown_shape || error == Errc::canceled; }

}  // namespace

bool CommandLoop::is_elsewhere(const Stream& stream, const Command& command) const {
  if (command.is_refused) return true;
  const Result<bool> mine = loads_->is_mine(stream.id);
  return mine && !*mine;  // an error is met again by who loads the stream
}

/// `stream` is under way.
void CommandLoop::execute_elsewhere(const StreamPtr& stream, CommandPtr command, Instant now) {
  if (now >= command->deadline) return answer(stream, *command, expired(*command));
  std::string endpoint = std::exchange(command->endpoint, {});
  command->follows = !endpoint.empty();
  if (endpoint.empty()) {
    const Result<StreamPlace> place = loads_->place_of(stream->id);
    if (!place && !is_retriable(place.error().code())) return answer(stream, *command, place.error());
    command->trouble = place ? not_owned(place->partition, place->owner) : place.error();
    const bool is_anothers = place && place->owner && !place->owner->is_me;
    if (command->task.only_here) return answer(stream, *command, *command->trouble);
    if (!is_anothers) {
      command->is_refused = false;  // when it is this process's, it is tried here
      return again(stream, std::move(command), now + kPause);
    }
    const bool can_go = forwarder_ != nullptr && command->task.describe && !place->owner->endpoint.empty();
    if (!can_go) return answer(stream, *command, *command->trouble);
    endpoint = place->owner->endpoint;
    look_from_here(command->task, place->partition);
  }
  send(stream, std::move(command), std::move(endpoint), now);
}

void CommandLoop::send(const StreamPtr& stream, CommandPtr command, std::string endpoint, Instant now) {
  Result<Bytes> request = describe(*command, now);
  if (!request) return answer(stream, *command, request.error());
  const std::uint64_t number = ++next_call_;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->next_deadline = std::min(shared_->next_deadline, command->deadline);
  }
  calls_.emplace(number, Call{stream, std::move(command), endpoint});
  forwarder_->forward(endpoint, std::move(*request), [shared = shared_, number](Result<Bytes> answer) {
    const std::lock_guard lock(shared->mutex);
    if (shared->closed) return;
    shared->arrived.push_back({number, std::move(answer)});
    shared->wake();
  });
}

/// An id is looked for from the end of what this process has of the partition: what is sent now can't lie below.
void CommandLoop::look_from_here(CommandTask& task, const TopicPartition& partition) {
  if (task.id.empty() || task.since) return;
  const Result<Ends> ends = store_.log().ends(partition);
  task.since = ends ? ends->committed : Offset{0};
}

Result<Bytes> CommandLoop::describe(const Command& command, Instant now) {
  const auto left = std::min<Duration>(command.deadline - now, std::chrono::hours{24});
  try {
    return command.task.describe(std::chrono::ceil<std::chrono::milliseconds>(left), command.task.since);
  } catch (const Exception& refused) {  // what can't be encoded
    return refused.error();
  } catch (...) {  // our bug, or no memory: this command ends, the others go on
    return stopped_on_broken_invariant("a command");
  }
}

// ---- answers ----

void CommandLoop::take_arrived(Instant now) {
  std::vector<Arrived> arrived;
  {
    const std::lock_guard lock(shared_->mutex);
    arrived.swap(shared_->arrived);
  }
  for (const Arrived& one : arrived) {
    const auto found = calls_.find(one.call);
    if (found == calls_.end()) continue;  // it was too late
    Call call = std::move(found->second);
    calls_.erase(found);
    take_answer(std::move(call), one.answer, now);
  }
}

void CommandLoop::take_answer(Call call, const Result<Bytes>& answer_bytes, Instant now) {
  if (!answer_bytes) return take_failure(std::move(call), answer_bytes.error(), now);
  Result<ForwardedAnswer> parsed = parse_forwarded_answer(*answer_bytes);
  if (!parsed) return take_failure(std::move(call), parsed.error(), now);
  const Result<Commit>& outcome = parsed->outcome;
  const bool waits = !outcome && (outcome.error() == Errc::not_owner || is_too_early(outcome.error()));
  if (waits) return take_refusal(std::move(call), outcome.error(), std::move(parsed->endpoint), now);
  answer(call.stream, *call.command, outcome);
}

/// It was not executed there. Who names the next one is followed once; then the membership is asked, which may lag behind.
void CommandLoop::take_refusal(Call call, const Error& error, std::string endpoint, Instant now) {
  Command& command = *call.command;
  command.trouble = error.with_context(call.endpoint);
  const bool goes_on = !command.follows && !endpoint.empty() && endpoint != call.endpoint;
  if (goes_on) command.endpoint = std::move(endpoint);
  again(call.stream, std::move(call.command), goes_on ? std::nullopt : std::optional{now + kPause});
}

/// There is no answer, or none that can be read.
void CommandLoop::take_failure(Call call, const Error& error, Instant now) {
  Command& command = *call.command;
  command.trouble = error.with_context(call.endpoint);
  const bool is_unknown = error != Errc::closed;
  command.may_be_done = command.may_be_done || is_unknown;
  if (!is_unknown || !command.task.id.empty()) return again(call.stream, std::move(call.command), now + kPause);
  answer(call.stream, command,
         Error{Errc::timed_out,
               "nobody knows whether the command was executed, and it has no id by which it could be sent again: " +
                   to_string(*command.trouble)});
}

/// Those that were sent and whose time is over.
void CommandLoop::expire_calls(Instant now) {
  std::vector<Call> late;
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (call->second.command->deadline > now) {
      ++call;
      continue;
    }
    late.push_back(std::move(call->second));
    call = calls_.erase(call);
  }
  for (Call& call : late) {
    call.command->may_be_done = true;
    call.command->trouble = Error{Errc::timed_out, call.endpoint + " has not answered"};
    answer(call.stream, *call.command, expired(*call.command));
  }
}

// ---- the stream ----

void CommandLoop::answer(const StreamPtr& stream, Command& command, Result<Commit> outcome) {
  command.done(std::move(outcome));
  const std::lock_guard lock(shared_->mutex);
  shared_->release(stream);
}

/// The command is in front again, at once or when it is time.
void CommandLoop::again(const StreamPtr& stream, CommandPtr command, std::optional<Instant> at) {
  std::array<CommandPtr, 1> commands{std::move(command)};
  const std::lock_guard lock(shared_->mutex);
  shared_->put_in_front(*stream, commands);
  if (!at) return shared_->release(stream);
  stream->at = At::pausing;
  stream->resumes_at = *at;
  shared_->next_resume = std::min(shared_->next_resume, *at);
}

void CommandLoop::resume_due(Instant now) {
  const std::lock_guard lock(shared_->mutex);
  if (now < shared_->next_resume) return;
  shared_->next_resume = Instant::max();
  std::vector<StreamPtr> due;
  for (const auto& [text, stream] : shared_->streams) {
    if (stream->at != At::pausing) continue;
    if (stream->resumes_at <= now) {
      due.push_back(stream);
    } else {
      shared_->next_resume = std::min(shared_->next_resume, stream->resumes_at);
    }
  }
  for (const StreamPtr& stream : due) shared_->release(stream);
}

}  // namespace lungo::detail
