// Runs the commands of one Aggregates beside the application. A stream's commands queue in their order:
//
//              submit()          step(): decided             written, or failed
//   no stream ----------> ready ------------------> under way ----------------> ready; no stream, when no command is left
//                           ^    its partition is       | lost a race: its commands are in front again
//                           |    another's: sent        v
//                           +---------------------- waiting, until the record in the way is committed; or pausing, until the
//                                                   owner of its partition is to be asked again
//
// One group of a stream is under way at a time, and one command where it is sent to another process; what comes meanwhile is
// the next one: commands of a stream take effect in the order in which they were submitted. A deadline ends the wait for what
// is under way, or in the way; not the append that is under way, but what was sent. A command that is sent on is executed at
// most once: where nobody knows whether it was, it is sent again only if it has an id, which is looked for from where this
// process's log ended before it was first sent. For command_loop.cpp, which has what is executed here, and
// command_elsewhere.cpp. Threads: submit() any; step() the loop's; completions and notifications the log's, answers from
// elsewhere the forwarder's. The mutex is not held while a command is decided or answered, nor while the log or the forwarder
// is called.
#pragma once

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <lungo/log/executor.hpp>

#include "command_group.hpp"

namespace lungo::detail {

class CommandLoop final : public Activity {
 public:
  CommandLoop(EventStore store, StreamLoads& loads);
  /// Once, before the first command. Errors: io, when the system has no thread left.
  Result<void> start();
  ~CommandLoop() override;

  void submit(CommandTask task, int attempts, Duration timeout, std::function<void(Result<Commit>)> done);

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-commands"; }

 private:
  enum class At { ready, under_way, waiting, pausing };
  struct Stream {
    explicit Stream(StreamId its_id) : id(std::move(its_id)) {}
    const StreamId id;
    // Under the mutex:
    At at = At::ready;
    std::deque<CommandPtr> commands;  // without those under way
    EventLog::NotifyToken token;      // for the record that was in the way
    Instant resumes_at{};             // while it pauses
  };
  using StreamPtr = std::shared_ptr<Stream>;
  using Streams = std::unordered_map<std::string, StreamPtr>;
  /// Of a command that was sent.
  struct Arrived {
    std::uint64_t call;
    Result<Bytes> answer;
  };
  /// Outlives the loop as long as an append is in flight, or a command elsewhere.
  struct Shared {
    void wake() const {
      if (running != nullptr) running->wake();
    }
    /// `stream` is no more under way, waiting or pausing.
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
    Instant next_resume = Instant::max();    // at or before that of every stream that pauses
    std::vector<Arrived> arrived;
    RunningActivity* running = nullptr;
    bool closed = false;
  };
  /// A command that was sent. The loop's own.
  struct Call {
    StreamPtr stream;
    CommandPtr command;
    std::string endpoint;
  };

  template <class Commands>
  static void cancel(const Commands& commands) {
    for (const CommandPtr& command : commands) command->done(Error{Errc::canceled, "stopped before the command was executed"});
  }

  StreamPtr pop();
  void expire(Instant now);
  static Error expired(const Command& command);
  void run(const StreamPtr& stream, Instant now);
  std::shared_ptr<CommandGroup> decide(const Stream& stream, std::deque<CommandPtr>& due);
  Result<StreamDraft> load(const StreamId& stream, const CommandTask& task);
  static void finish(const std::shared_ptr<Shared>& shared, const StreamPtr& stream, CommandGroup& group, EventLog& log,
                     const Result<Commit>& outcome);
  static void resume(Shared& shared, const StreamPtr& stream);

  // Elsewhere.
  [[nodiscard]] bool is_elsewhere(const Stream& stream, const Command& command) const;
  void execute_elsewhere(const StreamPtr& stream, CommandPtr command, Instant now);
  void send(const StreamPtr& stream, CommandPtr command, std::string endpoint, Instant now);
  void look_from_here(CommandTask& task, const TopicPartition& partition);
  static Result<Bytes> describe(const Command& command, Instant now);
  void take_arrived(Instant now);
  void take_answer(Call call, const Result<Bytes>& answer, Instant now);
  void take_refusal(Call call, const Error& error, std::string endpoint, Instant now);
  void take_failure(Call call, const Error& error, Instant now);
  void expire_calls(Instant now);
  void resume_due(Instant now);
  void answer(const StreamPtr& stream, Command& command, Result<Commit> outcome);
  void again(const StreamPtr& stream, CommandPtr command, std::optional<Instant> at);

  EventStore store_;
  StreamLoads* const loads_;
  const std::shared_ptr<Forwarder> forwarder_;  // null: none
  const std::shared_ptr<Shared> shared_;
  std::unordered_map<std::uint64_t, Call> calls_;  // by number
  std::uint64_t next_call_ = 0;
  std::unique_ptr<RunningActivity> running_;
};

}  // namespace lungo::detail
