// A subscription's steps: events are read and handled, tried again or parked, and positions are stored.

#include <algorithm>

#include "broken_invariant.hpp"
#include "subscription_loop.hpp"

namespace lungo {

Instant Subscription::Loop::step(Instant now) {
  if (!mine_.running) {
    for (Source& source : sources_) {
      if (source.entered && owned_.tenure(source.unit) != Tenure::runs) leave(source);
    }
    return Instant::max();
  }
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
  switch (follow_owners(now)) {
    case Progress::failed:
      mine_.running = false;
      return Instant::max();
    case Progress::later:
      next = next_open_;
      break;
    default:
      break;
  }
  for (Source& source : sources_) {
    if (!source.is_open() || source.closing) continue;
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
  leave_stored();
  const Storing last = storing();
  if (last == Storing::in_flight) return next;  // its completion wakes
  return last == Storing::done && positions() == stored_ ? next : std::min(next, std::max(now, next_store_));
}

auto Subscription::Loop::advance(Source& source, Instant now) -> Progress {
  constexpr int kEventsPerStep = 256;
  if (source.not_before > now) return Progress::later;
  for (int count = 0; count < kEventsPerStep && owned_.changes() == seen_changes_; ++count) {
    if (source.held == nullptr) {
      Result<const Envelope*> next = source.reader->next();
      if (!next) return read_failed(source, next.error(), now);
      if (*next == nullptr) {
        next_event(source);
        source.token = store_.log().notify_above(source.name(), source.done.offset, [waker = waker_] { waker->wake(); });
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
    return is_about_event(decoded.error()) ? give_up(source, decoded.error(), 1, now) : try_later(source, decoded.error(), now);
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
                    "handler of " + reader_ + " for " + std::string(source.held->type) + " in " + to_string(source.name()) +
                        " at offset " + std::to_string(source.held->offset.value()) + ": " + said,
                    source.held->offset};
  ++source.failures;
  source.error = error;
  if (source.failures >= options_.errors.retry.attempts) return give_up(source, error, source.failures, now);
  source.not_before = now + options_.errors.retry.delay_after(source.failures);
  return Progress::later;
}

auto Subscription::Loop::give_up(Source& source, const Error& error, int attempts, Instant now) -> Progress {
  if (options_.errors.then == OnFailure::stop) return fail(error);
  const TopicPartition& partition = source.name();
  const ParkedEvent parked{reader_,
                           partition.topic,
                           partition.partition.value(),
                           source.reader->position().offset.value() - 1,
                           source.held == nullptr ? std::string() : std::string(source.held->type),
                           static_cast<std::int32_t>(error.code()),
                           std::string(error.text()),
                           attempts};
  const Result<void> noted = park_wait(store_, parked);
  if (!noted && noted.error() == Errc::not_owner) {  // from the event on, again, unless another process does so
    source.held = nullptr;
    source.reader->seek(source.done);
    return try_later(source, noted.error(), now);
  }
  if (!noted) return fail(noted.error().with_context("parking an event of subscription " + reader_));
  ++mine_.parked;
  next_event(source);
  return Progress::more;
}

auto Subscription::Loop::read_failed(Source& source, const Error& error, Instant now) -> Progress {
  if (error == Errc::undecodable) return give_up(source, error, 1, now);  // its headers; the reader is behind it
  if (error == Errc::offset_out_of_range) {
    const Result<Ends> ends = store_.log().ends(source.name());
    const Position at = source.reader->position();
    if (ends && ends->start > at.offset) {
      mine_.missing += ends->start - at.offset;
      source.reader->seek({at.topic, at.partition, ends->start, kNoEpoch});
      return Progress::more;
    }
  }
  return try_later(source, error, now);
}

auto Subscription::Loop::try_later(Source& source, const Error& error, Instant now) -> Progress {
  if (!may_pass(error)) return fail(error);
  ++source.failures;
  source.error = error;
  source.not_before = now + options_.errors.retry.delay_after(source.failures);
  return Progress::later;
}

void Subscription::Loop::next_event(Source& source) {
  source.held = nullptr;
  source.failures = 0;
  source.error.reset();
  source.done = source.reader->position();
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
  if (wanted.empty()) last_write_->storing.store(Storing::done, std::memory_order_release);  // what failed is another's now
  if (wanted.empty() || (last == Storing::done && wanted == stored_)) return;
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
  for (const Source& source : sources_) {
    if (source.is_open()) all.emplace(source.name(), source.done);
  }
  return all;
}

}  // namespace lungo
