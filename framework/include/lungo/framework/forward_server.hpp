// Executes the commands, makes the appends and answers the queries that other processes send for the partitions that this one
// owns; see forwarder.hpp.
//
//   ForwardServer server{store};
//   server.add(visits).add(bills);
//   server.take_appends("events");                 // where event batches are sent, too
//   // whatever brings the bytes:
//   server.serve(bytes, [reply](Bytes answer) { reply(std::move(answer)); });
//
// Promise: each request is answered once, whatever its bytes are. One that is no command of a decider that was added changes
// nothing. A command whose stream's partition is not this process's is not sent on: the answer names who owns it.
// Threads: all but serve() before the first call of that; it from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/forwarded_command.hpp>

namespace lungo {

namespace detail {

/// One decider's commands, without its type.
class ServedCommands {
 public:
  using Done = std::function<void(ForwardedAnswer)>;
  virtual ~ServedCommands() = default;
  virtual void execute(const ForwardedCommand& call, Done done) = 0;
};

template <WholeFold F>
class ServedDecider final : public ServedCommands {
 public:
  ServedDecider(ShapeRegistry& shapes, Aggregates<F>& aggregates) : aggregates_(&aggregates), decoder_(shapes) {
    add(typename F::Commands{});
  }

  void execute(const ForwardedCommand& call, Done done) override {
    Envelope envelope;
    envelope.topic = "forwarded";  // for what is said of it
    envelope.type = call.type;
    envelope.shape = call.shape;
    envelope.payload = call.payload;
    ExecuteOptions options;
    options.meta = call.meta();
    options.since = call.since;
    options.attempts = call.attempts;
    options.timeout = call.timeout;
    Result<CommandTask> task = Error{Errc::invalid_argument, std::string(category_name<F>()) + " takes no command " +
                                                                 std::string(call.type) + " from other processes"};
    {
      const std::lock_guard lock(mutex_);
      const Result<Decoded> decoded = decoder_.decode(envelope);
      if (!decoded) {
        task = decoded.error();
      } else if (decoded->type >= 0) {
        task = tasks_[static_cast<std::size_t>(decoded->type)](*aggregates_, call, decoded->event, options);
      }
    }
    if (!task) return done({without_place(task.error()), {}});
    const StreamId stream = task->stream;
    aggregates_->submit(std::move(*task), options,
                        [aggregates = aggregates_, stream, done = std::move(done)](Result<Commit> outcome) {
                          std::string endpoint;
                          if (!outcome && outcome.error() == Errc::not_owner) endpoint = owner_of(*aggregates, stream);
                          done({std::move(outcome), std::move(endpoint)});
                        });
  }

 private:
  using MakeTask = CommandTask (*)(Aggregates<F>&, const ForwardedCommand&, const void*, const ExecuteOptions&);

  template <class... C>
  void add(commands<C...>) {
    static_assert((check_decide<F, C>() && ...));
    (decoder_.add<C>(), ...);
    tasks_ = {[](Aggregates<F>& aggregates, const ForwardedCommand& call, const void* command, const ExecuteOptions& options) {
      CommandTask task = aggregates.task_of(Scope{call.scope}, call.id, *static_cast<const C*>(command), options);
      task.describe = {};
      task.only_here = true;
      return task;
    }...};
  }
  /// What can't be decoded is a bad request; it lies nowhere in the log.
  static Error without_place(const Error& error) {
    return {error == Errc::undecodable ? Errc::invalid_argument : error.code(), std::string(error.text())};
  }
  static std::string owner_of(Aggregates<F>& aggregates, const StreamId& stream) {
    const Result<StreamPlace> place = aggregates.states_.place_of(stream);
    return place && place->owner && !place->owner->is_me ? place->owner->endpoint : std::string();
  }

  Aggregates<F>* const aggregates_;
  std::mutex mutex_;
  EventDecoder decoder_;                             // under mutex_, with the objects that it decodes into
  std::array<MakeTask, F::Commands::size> tasks_{};  // by the decoder's type
};

}  // namespace detail

class ForwardServer {
 public:
  explicit ForwardServer(EventStore store) : store_(std::move(store)) {}

  /// Takes commands of F::Commands for F's streams. The aggregates outlive the server, and each call that it has taken.
  template <WholeFold F>
  ForwardServer& add(Aggregates<F>& aggregates) {
    deciders_.insert_or_assign(std::string(category_name<F>()),
                               std::make_unique<detail::ServedDecider<F>>(store_.shapes(), aggregates));
    return *this;
  }

  /// Takes appends of events to streams of this topic (forwarded_appends.hpp): each event of an append has to lie in the
  /// partition that it names. Errors: not_found; invalid_argument for a topic without streams.
  Result<void> take_appends(std::string_view topic);

  /// What is asked of `to`, whatever that means, is answered by it, in the call of serve(). It is called from any thread, also
  /// for several at a time, with bytes of any origin, and must not throw.
  using AnswerQuery = std::function<Result<Bytes>(BytesView query)>;
  ForwardServer& answer_queries(std::string to, AnswerQuery answer) {
    queries_.insert_or_assign(std::move(to), std::move(answer));
    return *this;
  }

  /// `done` gets the answer once, on any thread or in the call, and must not block. The first command of each shape may read
  /// the log, and a query what it asks for, on this thread.
  void serve(BytesView request, std::function<void(Bytes)> done);

 private:
  void serve_command(BytesView request, std::function<void(Bytes)> done);
  void serve_append(BytesView request, std::function<void(Bytes)> done);
  void serve_query(BytesView request, const std::function<void(Bytes)>& done) const;
  [[nodiscard]] std::optional<Error> why_not(const AppendRequest& append) const;

  EventStore store_;
  std::map<std::string, std::unique_ptr<detail::ServedCommands>, std::less<>> deciders_;
  std::map<std::string, std::int32_t, std::less<>> topics_;  // that take appends, with the number of their partitions
  std::map<std::string, AnswerQuery, std::less<>> queries_;
};

}  // namespace lungo
