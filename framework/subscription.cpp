#include <lungo/framework/subscription.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/check.hpp>
#include <lungo/log/deadline.hpp>
#include <lungo/log/start_activity.hpp>

#include "broken_invariant.hpp"
#include "positions.hpp"
#include "waker.hpp"

namespace lungo {

std::int64_t SubscriptionStatus::lag() const {
  std::int64_t records = 0;
  for (const PartitionLag& partition : partitions)
    records += std::max<std::int64_t>(0, partition.committed_end - partition.next);
  return records;
}

// Stopped -> start() -> running -> stop() or an error -> stopped. While it runs, only step() touches the sources.
class Subscription::Loop final : public Activity {
 public:
  Loop(EventStore its_store, std::string name, SubscriptionOptions options)
      : decoder(its_store.shapes()), store_(std::move(its_store)), reader_(std::move(name)), options_(std::move(options)) {}

  Result<void> start();
  Result<void> stop(Duration timeout);
  Result<void> catch_up(Duration timeout);
  SubscriptionStatus status();

  Instant step(Instant now) override;
  [[nodiscard]] std::string_view name() const override { return "lungo-subscribe"; }

  EventDecoder decoder;
  std::vector<Handler> handlers;  // by type index

 private:
  /// One partition that is read.
  struct Source {
    PartitionReader reader;
    Position done;                   // everything below it was handled, parked or skipped
    const Envelope* held = nullptr;  // the event in hand, while it is being tried again
    int failures = 0;
    std::optional<Error> error;  // what is being tried again
    Instant not_before{};
    EventLog::NotifyToken token;
  };
  /// What one attempt to go on came to.
  enum class Progress { more, at_end, later, failed };
  /// What became of the last write of positions.
  enum class Storing { done, in_flight, failed };
  struct LastWrite {
    std::atomic<Storing> storing{Storing::done};
    Error error;  // written before `failed`, read behind it
  };

  Instant step_sources(Instant now);
  Result<Source> open(const TopicInfo& topic, PartitionId partition, const PositionMap& stored);
  Progress advance(Source& source, Instant now);
  Progress handle(Source& source, Instant now);
  Progress give_up(Source& source, const Error& error, int attempts);
  Progress read_failed(Source& source, const Error& error, Instant now);
  Progress try_later(Source& source, const Error& error, Instant now);
  void next_event(Source& source);
  Progress fail(Error error);
  void store_positions(Instant now);
  PositionMap positions() const;
  void publish();
  [[nodiscard]] Storing storing() const { return last_write_->storing.load(std::memory_order_acquire); }

  EventStore store_;
  const std::string reader_;
  const SubscriptionOptions options_;
  std::vector<Source> sources_;
  PositionMap stored_;
  Instant next_store_{};
  const std::shared_ptr<Waker> waker_ = std::make_shared<Waker>();
  const std::shared_ptr<LastWrite> last_write_ = std::make_shared<LastWrite>();
  bool is_unencodable_ = false;
  std::optional<Error> positions_error_;  // why they can't be written at present
  std::unique_ptr<RunningActivity> running_;
  SubscriptionStatus mine_;  // step()'s own; status_ is what others see
  std::mutex mutex_;
  SubscriptionStatus status_;  // under mutex_
};

Result<void> Subscription::Loop::start() {
  if (running_) return Error{Errc::invalid_argument, "subscription " + reader_ + " runs already"};
  if (handlers.empty()) return Error{Errc::invalid_argument, "subscription " + reader_ + " has no handler"};
  Result<void> ready = prepare_positions(store_);
  if (ready) ready = prepare_parking(store_);
  if (!ready) return ready;

  std::vector<TopicInfo> topics;
  std::vector<TopicPartition> partitions;
  for (const std::string& name : options_.topics) {
    Result<TopicInfo> topic = store_.topic(name);
    if (!topic) return topic.error();
    for (std::int32_t id = 0; id < topic->spec.partitions; ++id) partitions.push_back({name, PartitionId{id}});
    topics.push_back(std::move(*topic));
  }
  Result<PositionMap> stored = load_positions(store_, reader_, partitions);
  if (!stored) return stored.error();
  sources_.clear();
  mine_ = {};
  for (const TopicInfo& topic : topics) {
    for (std::int32_t id = 0; id < topic.spec.partitions; ++id) {
      Result<Source> source = open(topic, PartitionId{id}, *stored);
      if (!source) return source.error();
      sources_.push_back(std::move(*source));
    }
  }
  stored_ = std::move(*stored);
  next_store_ = {};  // a new reader's positions are written with its first step: a start at the end is then for good
  mine_.running = true;
  publish();
  Result<std::unique_ptr<RunningActivity>> started = start_activity(store_.log().ports().executor, *this);
  if (!started) {
    mine_.running = false;
    publish();
    return started.error();
  }
  running_ = std::move(*started);
  waker_->arm(*running_);
  return {};
}

auto Subscription::Loop::open(const TopicInfo& topic, PartitionId partition, const PositionMap& stored) -> Result<Source> {
  const TopicPartition name{topic.spec.name, partition};
  Result<Ends> ends = store_.log().ends(name);
  if (!ends) return ends.error();
  Position from{topic.id, partition, options_.start_from == StartFrom::beginning ? ends->start : ends->committed, kNoEpoch};
  if (const auto found = stored.find(name); found != stored.end()) {
    from = found->second;
    Result<void> valid = store_.log().validate(topic.spec.name, from);
    if (!valid && valid.error() == Errc::history_trimmed) {
      mine_.missing += ends->start - from.offset;
      from.offset = ends->start;
    } else if (!valid) {
      return valid.error().with_context("subscription " + reader_);
    }
  }
  return Source{PartitionReader{store_.log(), topic, from}, from, nullptr, 0, {}, {}, {}};
}

Result<void> Subscription::Loop::stop(Duration timeout) {
  if (!running_) return {};
  waker_->disarm();
  running_.reset();  // waits for the handler in progress
  for (Source& source : sources_) source.token.reset();
  mine_.running = false;
  publish();
  store_.log().ports().executor.notify();
  const PositionMap now = positions();
  // A write in flight may still be refused, by a log that closes; the one here comes behind it.
  if (now == stored_ && storing() == Storing::done) return {};
  Result<AppendRequest> request = positions_append(store_, reader_, now);
  if (!request) return request.error();
  Result<Appended> appended = append_wait(store_.log(), std::move(*request), timeout);
  if (!appended) return appended.error().with_context("positions of subscription " + reader_);
  stored_ = now;
  return {};
}

Result<void> Subscription::Loop::catch_up(Duration timeout) {
  std::map<TopicPartition, Offset> goals;
  for (const PartitionLag& partition : status().partitions) goals.emplace(partition.partition, partition.committed_end);
  const Ports ports = store_.log().ports();
  SubscriptionStatus seen;
  const auto reached = [&] {
    seen = status();
    if (!seen.running) return true;
    return std::ranges::all_of(seen.partitions, [&](const PartitionLag& lag) { return lag.next >= goals[lag.partition]; });
  };
  const bool in_time = ports.executor.wait_until(reached, deadline_after(ports.clock.monotonic(), timeout));
  if (!seen.running) return seen.error.value_or(Error{Errc::closed, "subscription " + reader_ + " does not run"});
  if (in_time) return {};
  for (const PartitionLag& lag : seen.partitions) {
    if (lag.next >= goals[lag.partition]) continue;
    return Error{Errc::timed_out, "subscription " + reader_ + " is at offset " + std::to_string(lag.next.value()) + " of " +
                                      to_string(lag.partition) + ", wanted " + std::to_string(goals[lag.partition].value())};
  }
  return {};
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

Instant Subscription::Loop::step(Instant now) {
  if (!mine_.running) return Instant::max();
  Instant next = Instant::max();
  try {
    next = step_sources(now);
  } catch (...) {  // our bug, or no memory: this reader stops and says so, the host goes on
    fail(stopped_on_broken_invariant("subscription " + reader_));
    mine_.running = false;
  }
  publish();
  store_.log().ports().executor.notify();
  return mine_.running ? next : Instant::max();
}

/// Goes on with all sources as far as one step may; returns when the next one is due.
Instant Subscription::Loop::step_sources(Instant now) {
  Instant next = Instant::max();
  for (Source& source : sources_) {
    switch (advance(source, now)) {
      case Progress::more:
        next = now;
        break;
      case Progress::at_end:
        break;
      case Progress::later:
        next = std::min(next, source.not_before);
        break;
      case Progress::failed:
        mine_.running = false;
        break;
    }
    if (!mine_.running) break;
  }
  if (!mine_.running) return Instant::max();
  store_positions(now);
  const Storing last = storing();
  if (last == Storing::in_flight) return next;  // its completion wakes
  return last == Storing::done && positions() == stored_ ? next : std::min(next, std::max(now, next_store_));
}

auto Subscription::Loop::advance(Source& source, Instant now) -> Progress {
  constexpr int kEventsPerStep = 256;
  if (source.not_before > now) return Progress::later;
  for (int count = 0; count < kEventsPerStep; ++count) {
    if (source.held == nullptr) {
      Result<const Envelope*> next = source.reader.next();
      if (!next) return read_failed(source, next.error(), now);
      if (*next == nullptr) {
        next_event(source);
        source.token =
            store_.log().notify_above(source.reader.partition(), source.done.offset, [waker = waker_] { waker->wake(); });
        return Progress::at_end;
      }
      source.held = *next;
    }
    const Progress handled = handle(source, now);
    if (handled != Progress::more) return handled;
  }
  return Progress::more;
}

auto Subscription::Loop::handle(Source& source, Instant now) -> Progress {
  const Result<Decoded> decoded = decoder.decode(*source.held);
  if (!decoded) {
    // It reads the shapes: what is about the log passes, or stops the subscription, and the event stays in hand.
    return is_about_event(decoded.error()) ? give_up(source, decoded.error(), 1) : try_later(source, decoded.error(), now);
  }
  if (decoded->type < 0) {
    ++mine_.skipped;
    next_event(source);
    return Progress::more;
  }
  std::string said;
  try {
    handlers[static_cast<std::size_t>(decoded->type)](*source.held, decoded->event);
    ++mine_.handled;
    next_event(source);
    return Progress::more;
  } catch (...) {
    said = current_exception_text();
  }
  const Error error{Errc::handler_failed,
                    "handler of " + reader_ + " for " + std::string(source.held->type) + " in " +
                        to_string(source.reader.partition()) + " at offset " + std::to_string(source.held->offset.value()) +
                        ": " + said,
                    source.held->offset};
  ++source.failures;
  source.error = error;
  if (source.failures >= options_.errors.retry.attempts) return give_up(source, error, source.failures);
  source.not_before = now + options_.errors.retry.delay_after(source.failures);
  return Progress::later;
}

auto Subscription::Loop::give_up(Source& source, const Error& error, int attempts) -> Progress {
  if (options_.errors.then == OnFailure::stop) return fail(error);
  const TopicPartition& partition = source.reader.partition();
  const ParkedEvent parked{reader_,
                           partition.topic,
                           partition.partition.value(),
                           source.reader.position().offset.value() - 1,
                           source.held == nullptr ? std::string() : std::string(source.held->type),
                           static_cast<std::int32_t>(error.code()),
                           std::string(error.text()),
                           attempts};
  const Result<void> noted = park_wait(store_, parked);
  if (!noted) return fail(noted.error().with_context("parking an event of subscription " + reader_));
  ++mine_.parked;
  next_event(source);
  return Progress::more;
}

auto Subscription::Loop::read_failed(Source& source, const Error& error, Instant now) -> Progress {
  if (error == Errc::undecodable) return give_up(source, error, 1);  // its headers; the reader is behind it
  if (error == Errc::offset_out_of_range) {
    const Result<Ends> ends = store_.log().ends(source.reader.partition());
    const Position at = source.reader.position();
    if (ends && ends->start > at.offset) {
      mine_.missing += ends->start - at.offset;
      source.reader.seek({at.topic, at.partition, ends->start, kNoEpoch});
      return Progress::more;
    }
  }
  return try_later(source, error, now);
}

auto Subscription::Loop::try_later(Source& source, const Error& error, Instant now) -> Progress {
  if (!is_retriable(error.code())) return fail(error);
  ++source.failures;
  source.error = error;
  source.not_before = now + options_.errors.retry.delay_after(source.failures);
  return Progress::later;
}

void Subscription::Loop::next_event(Source& source) {
  source.held = nullptr;
  source.failures = 0;
  source.error.reset();
  source.done = source.reader.position();
}

auto Subscription::Loop::fail(Error error) -> Progress {
  mine_.error = std::move(error);
  return Progress::failed;
}

void Subscription::Loop::store_positions(Instant now) {
  const Storing last = storing();
  if (last == Storing::failed) positions_error_ = last_write_->error;
  if (last == Storing::done && !is_unencodable_) positions_error_.reset();
  if (now < next_store_ || last == Storing::in_flight) return;
  PositionMap wanted = positions();
  if (last == Storing::done && wanted == stored_) return;
  Result<AppendRequest> request = positions_append(store_, reader_, wanted);
  next_store_ = now + options_.position_interval;
  is_unencodable_ = !request;
  if (!request) {
    positions_error_ = request.error();
    return;
  }
  stored_ = std::move(wanted);
  last_write_->storing.store(Storing::in_flight, std::memory_order_release);
  store_.log().append(std::move(*request), [write = last_write_, waker = waker_](const Result<Appended>& appended) {
    if (!appended) write->error = appended.error();
    write->storing.store(appended ? Storing::done : Storing::failed, std::memory_order_release);
    waker->wake();
  });
}

PositionMap Subscription::Loop::positions() const {
  PositionMap all;
  for (const Source& source : sources_) all.emplace(source.reader.partition(), source.done);
  return all;
}

void Subscription::Loop::publish() {
  mine_.partitions.clear();
  for (const Source& source : sources_) {
    mine_.partitions.push_back({source.reader.partition(), source.done.offset, source.reader.committed_end()});
  }
  const std::lock_guard lock(mutex_);
  status_ = mine_;
  if (!mine_.running) return;
  for (const Source& source : sources_) {
    if (source.error) status_.error = source.error;
  }
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
