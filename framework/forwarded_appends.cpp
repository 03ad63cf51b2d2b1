#include <lungo/framework/forwarded_appends.hpp>

#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include <lungo/framework/forwarded_command.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/membership.hpp>
#include <lungo/log/start_activity.hpp>

#include "owned_partitions.hpp"
#include "waker.hpp"

namespace lungo {

namespace {

constexpr std::chrono::milliseconds kPause{50};
constexpr std::int64_t kKnownRecords = 10'000;  // whose ids are known without `since`, as AppendRequest says

Result<Commit> commit_of(const TopicPartition& to, const Result<Appended>& appended) {
  if (!appended) return appended.error();
  return Commit{to, appended->first, appended->end, appended->repeated, appended->epoch};
}

}  // namespace

// The front append of each partition, until its deadline:
//
//   due --mine, as far as is known--> here --not_owner--> due, and asks whose it is
//    ^ \--another's--> sent --not there any more, not reached, or unknown with an id--+
//    +--------------------------- 50 ms later ----------------------------------------+
//
// Threads: append() any; the rest its own, outcomes come through Shared.
class ForwardedAppends::Loop final : public Activity {
 public:
  explicit Loop(EventStore store)
      : store_(std::move(store)), forwarder_(store_.forwarder()), membership_(store_.log().membership()) {}
  ~Loop() override;

  void append(AppendRequest request, Duration timeout, Done done);
  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-appends"; }

 private:
  struct Append {
    AppendRequest request;
    Instant deadline;
    Done done;
    bool is_refused = false;            // here: who owns the partition has to be asked
    bool may_be_done = false;           // it was sent, and nobody knows what became of it
    bool follows = false;               // it was sent to the endpoint that another process named
    std::string endpoint = {};          // where it is, or is to be sent
    std::optional<Error> trouble = {};  // why it waits
  };
  struct Queue {
    std::deque<Append> appends;
    std::uint64_t under_way = 0;  // the front one's number; 0: it is due
    Instant due{};
  };
  /// What became of the front append of a partition.
  struct Outcome {
    TopicPartition partition;
    std::uint64_t number;
    std::optional<Result<Appended>> here;
    std::optional<Result<Bytes>> elsewhere;
  };
  /// Outlives the loop as long as an append is under way.
  struct Shared {
    /// Where nobody is left, it was not written.
    void put(Append append) {
      {
        const std::lock_guard lock(mutex);
        if (!closed) {
          ++waiting[append.request.to];
          arrived.push_back(std::move(append));
          waker.wake();
          return;
        }
      }
      append.done(Error{Errc::canceled, "stopped before the append was written"});
    }
    void post(Outcome outcome) {
      const std::lock_guard lock(mutex);
      outcomes.push_back(std::move(outcome));
      waker.wake();
    }
    bool has(const TopicPartition& partition) {
      const std::lock_guard lock(mutex);
      return waiting.contains(partition);
    }
    void remove(const TopicPartition& partition) {
      const std::lock_guard lock(mutex);
      const auto found = waiting.find(partition);
      if (--found->second == 0) waiting.erase(found);
    }

    std::mutex mutex;
    // Under the mutex:
    std::vector<Append> arrived;
    std::vector<Outcome> outcomes;
    std::map<TopicPartition, int> waiting;  // how many appends of a partition are in the loop
    bool closed = false;
    Waker waker;
  };

  Result<void> start();
  void take_arrived(Instant now);
  void take(Queue& queue, const Outcome& outcome, Instant now);
  void take_answer(Queue& queue, const Result<Bytes>& bytes, Instant now);
  void run(Queue& queue, Instant now);
  [[nodiscard]] Offset id_may_lie_from(const TopicPartition& partition) const;
  void go_elsewhere(Queue& queue, Instant now);
  void send(Queue& queue, std::string endpoint);
  void expire(Queue& queue, Instant now);
  void answer(Queue& queue, const Result<Commit>& outcome);
  void end(const Append& append, const Result<Commit>& outcome);
  static Error expired(const Append& append);

  EventStore store_;
  const std::shared_ptr<Forwarder> forwarder_;  // null: none
  const std::shared_ptr<Membership> membership_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::map<TopicPartition, Queue> queues_;
  std::uint64_t next_number_ = 0;
  std::mutex start_mutex_;
  std::unique_ptr<RunningActivity> running_;
};

ForwardedAppends::Loop::~Loop() {
  shared_->waker.disarm();
  running_.reset();
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->closed = true;
    for (Append& append : shared_->arrived) queues_[append.request.to].appends.push_back(std::move(append));
    shared_->arrived.clear();
  }
  for (auto& [partition, queue] : queues_) {
    for (Append& append : queue.appends) {
      const bool is_open = append.may_be_done || (queue.under_way != 0 && &append == &queue.appends.front());
      append.done(Error{Errc::canceled, is_open ? "stopped before the append was answered; it may have been written"
                                                : "stopped before the append was written"});
    }
  }
}

Result<void> ForwardedAppends::Loop::start() {
  const std::lock_guard lock(start_mutex_);
  if (running_) return {};
  Result<std::unique_ptr<RunningActivity>> started = start_activity(store_.log().ports().executor, *this);
  if (!started) return started.error();
  running_ = std::move(*started);
  shared_->waker.arm(*running_);
  return {};
}

/// Here at once, unless others of the partition wait already. What is refused goes on in the loop.
void ForwardedAppends::Loop::append(AppendRequest request, Duration timeout, Done done) {
  if (Result<void> started = start(); !started) return done(started.error());
  const Instant deadline = deadline_after(store_.log().ports().clock.monotonic(), timeout);
  Append append{std::move(request), deadline, std::move(done)};
  if (shared_->has(append.request.to)) return shared_->put(std::move(append));
  AppendRequest copy = append.request;
  const auto kept = std::make_shared<Append>(std::move(append));
  store_.log().append(std::move(copy), [shared = shared_, kept](const Result<Appended>& appended) {
    if (appended || appended.error() != Errc::not_owner) return kept->done(commit_of(kept->request.to, appended));
    kept->is_refused = true;
    shared->put(std::move(*kept));
  });
}

// ---- the loop ----

Instant ForwardedAppends::Loop::step(Instant now) {
  take_arrived(now);
  Instant next = Instant::max();
  for (auto queue = queues_.begin(); queue != queues_.end();) {
    expire(queue->second, now);
    while (!queue->second.appends.empty() && queue->second.under_way == 0 && queue->second.due <= now) run(queue->second, now);
    if (queue->second.appends.empty()) {
      queue = queues_.erase(queue);
      continue;
    }
    if (queue->second.under_way == 0) next = std::min(next, queue->second.due);
    for (const Append& append : queue->second.appends) next = std::min(next, append.deadline);
    ++queue;
  }
  return next;
}

void ForwardedAppends::Loop::take_arrived(Instant now) {
  std::vector<Append> arrived;
  std::vector<Outcome> outcomes;
  {
    const std::lock_guard lock(shared_->mutex);
    arrived.swap(shared_->arrived);
    outcomes.swap(shared_->outcomes);
  }
  for (Append& append : arrived) queues_[append.request.to].appends.push_back(std::move(append));
  for (const Outcome& outcome : outcomes) {
    const auto queue = queues_.find(outcome.partition);
    if (queue == queues_.end() || queue->second.under_way != outcome.number) continue;  // it was too late
    queue->second.under_way = 0;
    take(queue->second, outcome, now);
  }
}

void ForwardedAppends::Loop::take(Queue& queue, const Outcome& outcome, Instant now) {
  if (outcome.elsewhere) return take_answer(queue, *outcome.elsewhere, now);
  Append& append = queue.appends.front();
  append.is_refused = !*outcome.here && outcome.here->error() == Errc::not_owner;
  if (!append.is_refused) answer(queue, commit_of(append.request.to, *outcome.here));
}

/// The front append, which is due.
void ForwardedAppends::Loop::run(Queue& queue, Instant now) {
  Append& append = queue.appends.front();
  if (append.is_refused || !append.endpoint.empty()) return go_elsewhere(queue, now);
  AppendRequest copy = append.request;
  queue.under_way = ++next_number_;
  store_.log().append(std::move(copy), [shared = shared_, partition = append.request.to,
                                        number = queue.under_way](const Result<Appended>& appended) {
    shared->post({partition, number, appended, {}});
  });
}

/// What the owner is to look through: all that was known here before the first try, as its end may be above what the owner's
/// own copy has yet, and what came since.
Offset ForwardedAppends::Loop::id_may_lie_from(const TopicPartition& partition) const {
  const Result<Ends> ends = store_.log().ends(partition);
  return ends ? std::max(ends->start, ends->committed.plus(-kKnownRecords)) : Offset{0};
}

void ForwardedAppends::Loop::go_elsewhere(Queue& queue, Instant now) {
  Append& append = queue.appends.front();
  const TopicPartition& partition = append.request.to;
  std::string endpoint = std::exchange(append.endpoint, {});
  append.follows = !endpoint.empty();
  if (endpoint.empty()) {
    const Result<std::optional<Membership::Owner>> owner = membership_->owner_of(partition);
    if (!owner && !is_retriable(owner.error().code())) return answer(queue, owner.error());
    append.trouble = owner ? not_owned(partition, *owner) : owner.error();
    if (!owner || !*owner || (*owner)->is_me) {
      append.is_refused = owner && !*owner;  // when it is this process's, it is tried here
      queue.due = now + kPause;
      return;
    }
    if (forwarder_ == nullptr || (*owner)->endpoint.empty()) return answer(queue, *append.trouble);
    endpoint = (*owner)->endpoint;
    const bool looks_for_id = append.request.records.id(0) && !append.request.since && !append.request.condition;
    if (looks_for_id) append.request.since = id_may_lie_from(partition);
  }
  send(queue, std::move(endpoint));
}

void ForwardedAppends::Loop::send(Queue& queue, std::string endpoint) {
  Append& append = queue.appends.front();
  Result<Bytes> request = detail::to_bytes(append.request);
  if (!request) return answer(queue, request.error());
  append.endpoint = std::move(endpoint);
  queue.under_way = ++next_number_;
  forwarder_->forward(append.endpoint, std::move(*request),
                      [shared = shared_, partition = append.request.to, number = queue.under_way](Result<Bytes> bytes) {
                        shared->post({partition, number, {}, std::move(bytes)});
                      });
}

void ForwardedAppends::Loop::take_answer(Queue& queue, const Result<Bytes>& bytes, Instant now) {
  Append& append = queue.appends.front();
  const std::string asked = std::exchange(append.endpoint, {});
  const Result<detail::ForwardedAnswer> parsed =
      bytes ? detail::parse_forwarded_answer(*bytes) : Result<detail::ForwardedAnswer>{bytes.error()};
  if (parsed && (parsed->outcome || parsed->outcome.error() != Errc::not_owner)) return answer(queue, parsed->outcome);
  if (parsed) {  // it surely was not written
    append.trouble = parsed->outcome.error().with_context(asked);
    const bool goes_on = !append.follows && !parsed->endpoint.empty() && parsed->endpoint != asked;
    if (goes_on) append.endpoint = parsed->endpoint;
    queue.due = goes_on ? now : now + kPause;
    return;
  }
  append.trouble = parsed.error().with_context(asked);
  const bool is_unknown = parsed.error() != Errc::closed;
  append.may_be_done = append.may_be_done || is_unknown;
  if (!is_unknown || append.request.records.id(0)) {
    queue.due = now + kPause;
    return;
  }
  answer(queue, Error{Errc::timed_out,
                      "nobody knows whether the append was written, and it has no id by which it could be sent "
                      "again: " +
                          to_string(*append.trouble)});
}

/// Answers those whose time is over.
void ForwardedAppends::Loop::expire(Queue& queue, Instant now) {
  std::vector<Append> late;
  for (auto append = queue.appends.begin(); append != queue.appends.end();) {
    if (append->deadline > now) {
      ++append;
      continue;
    }
    if (append == queue.appends.begin()) {
      append->may_be_done = append->may_be_done || queue.under_way != 0;
      queue.under_way = 0;
      queue.due = {};
    }
    late.push_back(std::move(*append));
    append = queue.appends.erase(append);
  }
  for (const Append& append : late) end(append, expired(append));
}

Error ForwardedAppends::Loop::expired(const Append& append) {
  std::string text = "an append to " + to_string(append.request.to) + " waits for who owns that";
  if (append.trouble) text += ": " + to_string(*append.trouble);
  if (!append.endpoint.empty()) text += "; " + append.endpoint + " has not answered";
  if (append.may_be_done) text += "; it may have been written";
  return {Errc::timed_out, std::move(text)};
}

/// Of the front append.
void ForwardedAppends::Loop::answer(Queue& queue, const Result<Commit>& outcome) {
  const Append append = std::move(queue.appends.front());
  queue.appends.pop_front();
  queue.due = {};
  end(append, outcome);
}

void ForwardedAppends::Loop::end(const Append& append, const Result<Commit>& outcome) {
  shared_->remove(append.request.to);
  append.done(outcome);
}

// ---- outside ----

ForwardedAppends::ForwardedAppends(EventStore store) : loop_(std::make_unique<Loop>(std::move(store))) {}
ForwardedAppends::~ForwardedAppends() = default;

void ForwardedAppends::append(AppendRequest request, Duration timeout, Done done) {
  loop_->append(std::move(request), timeout, std::move(done));
}

}  // namespace lungo
