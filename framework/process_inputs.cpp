// ProcessPartition's inputs: reading and handling them, and what happens to one that fails.

#include "process_partition.hpp"

namespace lungo {

Result<bool> ProcessPartition::read_inputs(Instant now) {
  constexpr int kInputsPerStep = 2048;
  at_end_ = false;
  // A draft waits for the commands before it; none is added meanwhile, so it is over soon.
  if (draft_ && draft_->commands_left > 0) return false;
  for (int count = 0; count < kInputsPerStep; ++count) {
    if (effects_.size_bytes() > context_->options.pending_bytes_max) return false;  // its append's outcome wakes us
    const Position before = reader_->position();
    Result<const Envelope*> next = reader_->next();
    if (!next && next.error() == Errc::undecodable) {
      const Offset offset{reader_->position().offset.value() - 1};
      if (parked_.contains(offset)) continue;
      Result<void> parked = park(next.error(), offset, {}, 1);
      if (!parked) return parked.error();
      continue;
    }
    if (!next) return read_failed(next.error(), now);
    if (*next == nullptr) return at_end(now);
    if (const auto parked = parked_.find((*next)->offset); parked != parked_.end()) {
      if (!parked->second) continue;
      Result<void> passed = pass_over(**next);
      if (!passed) return passed.error();
      if (!core_->is_firing()) continue;
      reader_->seek(before);
      return false;
    }
    const Result<Decoded> decoded = context_->setup.decoder->decode(**next);
    if (!decoded && !is_about_event(decoded.error())) {  // it reads the shapes
      reader_->seek(before);
      return read_failed(decoded.error(), now);
    }
    if (!decoded) {
      Result<void> parked = park(decoded.error(), (*next)->offset, (*next)->type, 1);
      if (!parked) return parked.error();
      continue;
    }
    if (decoded->type < 0) continue;
    Result<bool> handled = handle(**next, *decoded, now);
    if (!handled || !*handled) return handled;
    if (core_->is_firing()) {  // the same input again when there is room; its append's outcome wakes us
      reader_->seek(before);
      return false;
    }
  }
  return true;
}

/// What is about the log: it may pass, or the process stops.
Result<bool> ProcessPartition::read_failed(const Error& error, Instant now) {
  if (!may_pass(error)) return error;
  error_ = error;
  not_before_ = now + context_->options.errors.retry.delay_after(++failures_);
  return false;
}

Result<bool> ProcessPartition::handle(const Envelope& envelope, const Decoded& decoded, Instant now) {
  Result<void> handled = core_->apply_recorded(envelope.offset, effects_);
  if (handled && !core_->is_firing()) handled = core_->on_input(envelope, decoded.type, decoded.event, effects_);
  if (!handled) return input_failed(handled.error(), envelope, now);
  if (failing_ == envelope.offset && !core_->is_firing()) {
    failing_.reset();
    failures_ = 0;
  }
  return true;
}

/// The timers that a parked input made due may have fired, and their outputs be written, before its reaction failed: they must
/// fire here again, whatever comes behind it.
Result<void> ProcessPartition::pass_over(const Envelope& envelope) {
  Result<void> passed = core_->apply_recorded(envelope.offset, effects_);
  if (passed && !core_->is_firing()) passed = core_->pass_over(envelope, effects_);
  return passed;
}

Result<bool> ProcessPartition::at_end(Instant now) {
  const Position position = reader_->position();
  Result<void> applied = core_->apply_recorded(position.offset, effects_);
  if (!applied) return applied.error();
  if (core_->is_firing()) return false;
  unmatched_ += static_cast<std::int64_t>(core_->end_recovery());
  EventLog& log = context_->store.log();
  const auto& live_time = context_->options.live_time;
  const std::optional<Timestamp> time = live_time ? live_time() : log.ports().clock.now();
  if (live_time && time) {
    // What happened before that time was committed when it was told: it lies below the end as of now, and must be handled
    // first.
    Result<Ends> ends = log.ends({context_->setup.topic, id_});
    if (!ends) return read_failed(ends.error(), now);
    if (ends->committed > position.offset) return true;
  }
  at_end_ = true;
  if (time) {
    Result<void> advanced = core_->on_clock(*time, position.offset, effects_);
    if (!advanced) return advanced.error();
  }
  token_ =
      log.notify_above({context_->setup.topic, id_}, position.offset, [mailbox = context_->mailbox] { mailbox->waker.wake(); });
  return false;
}

Result<bool> ProcessPartition::input_failed(const Error& error, const Envelope& envelope, Instant now) {
  if (!error.offset()) return error;  // a timer's, that was due before: no input could be left out to go on
  if (failing_ != envelope.offset) failures_ = 0;
  failing_ = envelope.offset;
  ++failures_;
  if (failures_ < context_->options.errors.retry.attempts) {
    start_over(error, now + context_->options.errors.retry.delay_after(failures_));
    return false;
  }
  Result<void> parked = park(error, envelope.offset, envelope.type, failures_);
  if (!parked) return parked.error();
  failing_.reset();
  failures_ = 0;
  start_over(error, now);  // the application may have left the state half-changed
  return false;
}

Result<void> ProcessPartition::park(const Error& error, Offset offset, std::string_view type, int attempts) {
  ParkedEvent event;
  event.offset = offset.value();
  event.event_type = type;
  event.attempts = attempts;
  Result<void> noted = note_parked(std::move(event), error);
  if (noted) parked_.emplace(offset, !is_about_event(error));
  return noted;
}

/// The command is left out, its input is not: outputs that were computed behind it may be in the log already.
Result<void> ProcessPartition::park_command(const ProcessOutcome& outcome, int attempts) {
  ParkedEvent event;
  event.offset = outcome.input.value();
  event.attempts = attempts;
  event.command = outcome.id;
  Result<void> noted = note_parked(std::move(event), *outcome.error);
  if (noted) parked_commands_.insert(outcome.id);
  return noted;
}

Result<void> ProcessPartition::note_parked(ParkedEvent event, const Error& error) {
  if (context_->options.errors.then == OnFailure::stop) return error;
  event.reader = context_->setup.name;
  event.topic = context_->setup.topic;
  event.partition = id_.value();
  event.error = static_cast<std::int32_t>(error.code());
  event.text = error.text();
  Result<void> noted = park_wait(context_->store, event);
  if (noted) error_ = error;
  return noted;
}

}  // namespace lungo
