// What a process's `react` asks for: events to emit, commands to send, timers to set.
//
// For writers of processes (process.hpp). Nothing happens while react runs: the actions are collected and carried out in order
// afterwards, each with an id from which a repetition is recognised.
// Threads: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/codec.hpp>
#include <lungo/framework/event.hpp>
#include <lungo/framework/event_store.hpp>

namespace lungo {

/// Commands a process wants executed; knows how to run itself against a store.
struct ProcessCommand {
  using Done = std::function<void(Result<Commit>)>;
  std::string category;  // of the decider
  Scope scope;
  std::string id;  // of its stream
  TypeKey type = nullptr;
  std::shared_ptr<const void> command;
  /// Runs the command under an idempotency id. `aggregates` keeps the decider's Aggregates from one call to the next.
  void (*run)(EventStore& store, std::shared_ptr<void>& aggregates, const ProcessCommand& self, std::string_view command_id,
              Done done) = nullptr;
};

template <class F, class C>
ProcessCommand make_command(const Scope& scope, std::string_view id, C command) {
  return {std::string(category_name<F>()),
          scope,
          std::string(id),
          type_key<C>(),
          std::make_shared<const C>(std::move(command)),
          [](EventStore& store, std::shared_ptr<void>& aggregates, const ProcessCommand& self, std::string_view command_id,
             ProcessCommand::Done done) {
            if (!aggregates) aggregates = std::make_shared<Aggregates<F>>(store);
            ExecuteOptions options;
            options.meta.id = command_id;
            options.since = Offset{0};  // however long ago it was executed, it is recognised
            static_cast<Aggregates<F>*>(aggregates.get())
                ->execute_async(self.scope, self.id, *static_cast<const C*>(self.command.get()), options, std::move(done));
          }};
}

class Actions {
 public:
  Actions() = default;

  /// Appends an event to the process's own stream `[scope/]NAME-key`, beside its input. Its time is the input's event time, or
  /// the time the timer was due, unless `time` says otherwise.
  template <class E>
  Actions& emit(const E& event, std::optional<Timestamp> time = std::nullopt) {
    return add_emission({}, {}, event, time);
  }
  /// Appends an event to the stream `[scope/]category-id`, beside its input: same scope, or the input's id as scope.
  template <class E>
  Actions& emit_to(std::string_view category, std::string_view id, const E& event,
                   std::optional<Timestamp> time = std::nullopt) {
    return add_emission(category, id, event, time);
  }

  /// Executes a command on a decider, wherever its stream lies. A refusal is counted, nothing more.
  template <class F, class C>
  Actions& send(std::string_view id, C command) {
    return send<F>(Scope{}, id, std::move(command));
  }
  template <class F, class C>
  Actions& send(const Scope& scope, std::string_view id, C command) {
    commands_.push_back(make_command<F>(scope, id, std::move(command)));
    return *this;
  }

  /// Sets the timer T of this key to an event time, or moves it. T must be in the process's Timers.
  template <class T>
  Actions& at(Timestamp due, const T& timer = {}) {
    return add_timer(timer, due, std::nullopt);
  }
  /// The same, so long after time().
  template <class T>
  Actions& after(std::chrono::milliseconds delay, const T& timer = {}) {
    return add_timer(timer, std::nullopt, delay);
  }
  /// Takes the timer T of this key back, if it is set.
  template <class T>
  Actions& cancel() {
    timers_.push_back({event_name<T>(), TimerChange::cancel, {}, {}, bytes_.size(), bytes_.size()});
    return *this;
  }
  /// The key's state goes back to State{} and its timers are taken back, after everything else.
  Actions& close() {
    closes_ = true;
    return *this;
  }

  /// Event time of the input, or the time the timer was due. Only in a react that takes `Actions&`.
  [[nodiscard]] Timestamp time() const { return time_; }
  /// The key in its text form. Only in a react that takes `Actions&`.
  [[nodiscard]] std::string_view key() const { return key_; }
  /// Empty: the live lane. Only in a react that takes `Actions&`.
  [[nodiscard]] std::string_view lane() const { return lane_; }

  // For the process core.

  struct Emission {
    std::string category;  // empty: the process's own
    std::string id;        // empty: the key
    std::string_view name;
    const Shape* shape;
    std::optional<Timestamp> time;
    std::size_t begin;  // into bytes()
    std::size_t end;
  };
  struct TimerChange {
    enum Kind { set, cancel };
    std::string_view name;
    Kind kind;
    std::optional<Timestamp> due;
    std::optional<std::chrono::milliseconds> delay;
    std::size_t begin;  // into bytes()
    std::size_t end;
  };
  void reset(Timestamp time, std::string_view key, std::string_view lane);
  /// Takes over what a react returned by value.
  void take(Actions&& returned);
  [[nodiscard]] bool empty() const { return emissions_.empty() && commands_.empty() && timers_.empty() && !closes_; }
  [[nodiscard]] const std::vector<Emission>& emissions() const { return emissions_; }
  [[nodiscard]] const std::vector<TimerChange>& timers() const { return timers_; }
  [[nodiscard]] std::vector<ProcessCommand>& commands() { return commands_; }
  [[nodiscard]] bool closes() const { return closes_; }
  [[nodiscard]] BytesView bytes(std::size_t begin, std::size_t end) const {
    return BytesView{bytes_}.subspan(begin, end - begin);
  }

 private:
  template <class E>
  Actions& add_emission(std::string_view category, std::string_view id, const E& event, std::optional<Timestamp> time) {
    const std::size_t begin = bytes_.size();
    encode(event, bytes_);
    emissions_.push_back({std::string(category), std::string(id), event_name<E>(), &shape_of<E>(), time, begin, bytes_.size()});
    return *this;
  }
  template <class T>
  Actions& add_timer(const T& timer, std::optional<Timestamp> due, std::optional<std::chrono::milliseconds> delay) {
    const std::size_t begin = bytes_.size();
    encode(timer, bytes_);
    timers_.push_back({event_name<T>(), TimerChange::set, due, delay, begin, bytes_.size()});
    return *this;
  }

  Timestamp time_{};
  std::string_view key_;
  std::string_view lane_;
  Bytes bytes_;
  std::vector<Emission> emissions_;
  std::vector<TimerChange> timers_;
  std::vector<ProcessCommand> commands_;
  bool closes_ = false;
};

}  // namespace lungo
