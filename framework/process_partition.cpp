#include "process_partition.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "saturated.hpp"

namespace lungo {

namespace {

constexpr std::size_t kChunkBytes = 1u << 20;
constexpr std::size_t kCheckpointBytesPerSecond = 8u
                                                  << 20;  // big states are written less often: the topic is not compacted yet
constexpr std::chrono::milliseconds kClockGranularity{10};

/// What the snapshot of a process's partition holds.
struct ProcessCheckpoint {
  static constexpr std::string_view event_name = "lungo.ProcessPartition";
  std::int64_t output_end = 0;
  std::string core;
};

Bytes checkpoint_bytes(Offset output_end, BytesView core) {
  Bytes bytes;
  encode(ProcessCheckpoint{output_end.value(), std::string(as_text(core))}, bytes);
  return bytes;
}

/// Errors that a command would meet again, whatever the log does: its decider's, and those of its stream's events.
bool is_about_command(const Error& error) {
  return error == Errc::handler_failed || error == Errc::unknown_event || error == Errc::invalid_argument ||
         error == Errc::not_found || error == Errc::too_large || is_about_event(error);
}

}  // namespace

void ProcessMailbox::post(ProcessOutcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    outcomes_.push_back(std::move(outcome));
  }
  waker.wake();
}

std::vector<ProcessOutcome> ProcessMailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcomes_, {});
}

ProcessPartition::ProcessPartition(ProcessContext& context, PartitionId id, bool append_in_flight)
    : context_(&context),
      id_(id),
      first_generation_(context.next_generation++),
      generation_(first_generation_),
      append_in_flight_(append_in_flight) {}

std::string ProcessPartition::checkpoint_key() const {
  return "process/" + context_->setup.name + "/" + context_->setup.topic + "/" + std::to_string(id_.value());
}

Result<void> ProcessPartition::prepare() {
  EventLog& log = context_->store.log();
  const TopicPartition input{context_->setup.topic, id_};
  Result<std::optional<Snapshot>> stored = context_->snapshots.load_recent(checkpoint_key());
  if (!stored) return stored.error();
  if (*stored) return log.validate(input.topic, (*stored)->position);

  Result<Ends> ends = log.ends(input);
  if (!ends) return ends.error();
  Result<Ends> output_ends = log.ends({context_->setup.output_topic, id_});
  if (!output_ends) return output_ends.error();
  const Offset from = context_->options.start_from == StartFrom::beginning ? ends->start : ends->committed;
  const ProcessCore empty{*context_->setup.fold, {context_->setup.name, id_, context_->options.lateness}};
  Bytes core;
  empty.save(core);
  const Snapshot first{{context_->input.id, id_, from, kNoEpoch},
                       context_->setup.fold->state_shape().hash(),
                       checkpoint_bytes(output_ends->written, core)};
  return context_->snapshots.save_wait(checkpoint_key(), first);
}

Result<Instant> ProcessPartition::step(Instant now) {
  if (now < not_before_) return not_before_;
  if (!loaded_) {
    if (append_in_flight_) return Instant::max();  // its outcome wakes us
    Result<bool> ready = load(now);
    if (!ready) return ready.error();
    if (!*ready) return Instant::max();  // its notification wakes us
  }
  bool more = false;
  if (!context_->stopping) {
    Result<bool> read = read_inputs(now);
    if (!read) return read.error();
    if (!loaded_) return std::max(now, not_before_);
    more = *read;
  }
  send_commands();
  flush();
  checkpoint(now);
  if (context_->stopping && is_idle() && !draft_ && !saving_) {
    stopped_ = true;
    return Instant::max();
  }
  return more ? now : next_step(now);
}

Result<bool> ProcessPartition::load(Instant now) {
  EventLog& log = context_->store.log();
  const TopicPartition output{context_->setup.output_topic, id_};
  Result<Ends> ends = log.ends(output);
  if (!ends) return ends.error();
  // Outputs of ours may be on their way: all that is written now must be known. What others append meanwhile does not matter,
  // and waiting for it might never end; a new leader may have cut what was written.
  const Offset goal = std::min(known_end_.value_or(ends->written), ends->written);
  known_end_ = goal;
  if (ends->committed < goal) {
    token_ = log.notify_above(output, goal.plus(-1), [mailbox = context_->mailbox] { mailbox->waker.wake(); });
    return false;
  }
  known_end_.reset();
  Result<std::optional<Snapshot>> stored = context_->snapshots.load_recent(checkpoint_key());
  if (!stored) return stored.error();
  if (!*stored) return Error{Errc::corrupt, "checkpoint " + checkpoint_key() + " is gone"};
  Result<std::shared_ptr<const Shape>> shape = context_->store.shapes().find((*stored)->shape);
  if (!shape) return shape.error().with_context(checkpoint_key());
  ProcessCheckpoint checkpoint;
  Result<void> decoded = decode((*stored)->state, checkpoint);
  if (!decoded) return decoded.error().with_context(checkpoint_key());
  if (Offset{checkpoint.output_end} > goal) {
    return Error{Errc::position_diverged, to_string(output) + " was cut below the outputs of " + checkpoint_key(),
                 Offset{checkpoint.output_end}};
  }

  core_ = std::make_unique<ProcessCore>(
      *context_->setup.fold,
      ProcessCoreOptions{context_->setup.name, id_, context_->options.lateness, context_->options.pending_bytes_max});
  Result<void> restored = core_->load(as_bytes(checkpoint.core), **shape);
  if (restored) restored = note_recorded(Offset{checkpoint.output_end}, goal);
  if (!restored) return restored.error();
  Result<std::vector<ParkedEvent>> parked = parked_events(context_->store, context_->setup.name);
  if (!parked) return parked.error();
  for (const ParkedEvent& event : *parked) {
    if (event.topic != context_->setup.topic || event.partition != id_.value()) continue;
    if (event.command.empty()) {
      parked_.insert(Offset{event.offset});
    } else {
      parked_commands_.insert(event.command);
    }
  }
  reader_.emplace(log, context_->input, (*stored)->position, kChunkBytes);
  output_end_ = goal;
  saved_ = (*stored)->position;
  saved_outputs_ = outputs_ = 0;
  save_failed_ = false;
  next_checkpoint_ = now + context_->options.checkpoint_interval;
  loaded_ = true;
  return true;
}

Result<void> ProcessPartition::note_recorded(Offset from, Offset end) {
  PartitionReader outputs{context_->store.log(), context_->output, {context_->output.id, id_, from, kNoEpoch}, kChunkBytes};
  while (outputs.position().offset < end) {
    Result<const Envelope*> next = outputs.next();
    if (!next && next.error() == Errc::undecodable) continue;  // not ours: ours have sound headers
    if (!next) return next.error();
    if (*next == nullptr) return {};
    Result<void> taken = core_->take_recorded(**next);
    if (!taken) return taken;
  }
  return {};
}

Result<bool> ProcessPartition::read_inputs(Instant now) {
  constexpr int kInputsPerStep = 2048;
  at_end_ = false;
  // A draft that waits for commands waits for those before it only; with none added it is over soon.
  if (draft_ && commands_in_flight_ > 0) return false;
  for (int count = 0; count < kInputsPerStep; ++count) {
    if (effects_.size_bytes() > context_->options.pending_bytes_max) return false;  // its append's outcome wakes us
    const Position before = reader_->position();
    Result<const Envelope*> next = reader_->next();
    if (!next && next.error() == Errc::undecodable) {
      const Offset offset{reader_->position().offset.value() - 1};
      Result<void> parked = park(next.error(), offset, {}, 1);
      if (!parked) return parked.error();
      continue;
    }
    if (!next) return read_failed(next.error(), now);
    if (*next == nullptr) return at_end(now);
    if (!parked_.empty() && parked_.contains((*next)->offset)) continue;
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
  if (!is_retriable(error.code())) return error;
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
  start_over(error, now);  // the application may have left the state half-changed
  return false;
}

Result<void> ProcessPartition::park(const Error& error, Offset offset, std::string_view type, int attempts) {
  ParkedEvent event;
  event.offset = offset.value();
  event.event_type = type;
  event.attempts = attempts;
  Result<void> noted = note_parked(std::move(event), error);
  if (noted) parked_.insert(offset);
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

/// Gives up what is in memory; the next step loads the checkpoint again. What is in flight may still reach the log: loading
/// waits for it.
void ProcessPartition::start_over(const Error& error, Instant at) {
  error_ = error;
  not_before_ = at;
  loaded_ = false;
  generation_ = context_->next_generation++;
  effects_ = {};
  commands_in_flight_ = 0;
  draft_.reset();
  token_.reset();
}

void ProcessPartition::flush() {
  if (append_in_flight_ || effects_.batches.empty() || effects_.batches.front().empty()) return;
  AppendRequest request{
      .to = {context_->setup.output_topic, id_}, .records = std::move(effects_.batches.front()), .condition = {}, .since = {}};
  effects_.batches.erase(effects_.batches.begin());
  append_in_flight_ = true;
  ++outputs_;
  context_->store.log().append(std::move(request), [mailbox = context_->mailbox, id = id_.value(),
                                                    generation = generation_](const Result<Appended>& appended) {
    const bool ok = appended.has_value();
    mailbox->post({ProcessOutcome::append, id, generation, ok ? std::nullopt : std::optional{appended.error()},
                   ok ? appended->end : Offset{}});
  });
}

void ProcessPartition::send_commands() {
  for (IdentifiedCommand& command : effects_.commands) {
    if (parked_commands_.contains(command.id)) continue;
    ++commands_in_flight_;
    ++commands_;
    std::shared_ptr<void>& aggregates = context_->aggregates[command.command.category];
    command.command.run(context_->store, aggregates, command.command, command.id,
                        [mailbox = context_->mailbox, id = id_.value(), generation = generation_, command_id = command.id,
                         input = command.input](const Result<Commit>& commit) {
                          mailbox->post({ProcessOutcome::command,
                                         id,
                                         generation,
                                         commit ? std::nullopt : std::optional{commit.error()},
                                         {},
                                         command_id,
                                         input});
                        });
  }
  effects_.commands.clear();
}

Result<void> ProcessPartition::take(const ProcessOutcome& outcome, Instant now) {
  const bool is_stale = outcome.generation != generation_;
  switch (outcome.kind) {
    case ProcessOutcome::append:
      append_in_flight_ = false;
      if (is_stale) return {};
      if (outcome.error) {
        if (!is_retriable(outcome.error->code())) return *outcome.error;
        start_over(*outcome.error, now + context_->options.errors.retry.delay_after(++failures_));
        return {};
      }
      if (!failing_) failures_ = 0;
      output_end_ = outcome.end;
      if (draft_ && draft_->appends_left > 0) --draft_->appends_left;
      return {};
    case ProcessOutcome::checkpoint:
      if (outcome.generation >= first_generation_) saving_ = false;
      if (outcome.error && !is_stale) {
        error_ = outcome.error;
        if (!context_->stopping) save_failed_ = true;
      }
      if (!outcome.error && !is_stale && !failing_) error_.reset();  // it is past what it was trying again
      return {};
    case ProcessOutcome::command:
      return is_stale ? Result<void>{} : command_done(outcome, now);
  }
  return {};
}

Result<void> ProcessPartition::command_done(const ProcessOutcome& outcome, Instant now) {
  --commands_in_flight_;
  if (!outcome.error) {
    failing_commands_.erase(outcome.id);
    return {};
  }
  if (*outcome.error == Errc::rejected) {
    ++refused_;
    return {};
  }
  const RetryPolicy& retry = context_->options.errors.retry;
  if (is_retriable(outcome.error->code()) || *outcome.error == Errc::conflict) {
    start_over(*outcome.error, now + retry.delay_after(++failures_));
    return {};
  }
  if (!is_about_command(*outcome.error)) return *outcome.error;
  const int failures = ++failing_commands_[outcome.id];
  if (failures < retry.attempts) {
    start_over(*outcome.error, now + retry.delay_after(failures));
    return {};
  }
  failing_commands_.erase(outcome.id);
  return park_command(outcome, failures);
}

bool ProcessPartition::is_idle() const {
  const bool nothing_waits = effects_.commands.empty() && (effects_.batches.empty() || effects_.batches.front().empty());
  return nothing_waits && !append_in_flight_ && commands_in_flight_ == 0;
}

bool ProcessPartition::has_changed() const {
  return save_failed_ || reader_->position() != saved_ || outputs_ != saved_outputs_;
}

void ProcessPartition::checkpoint(Instant now) {
  if (draft_) {
    save_draft();
    return;
  }
  const bool is_due = context_->stopping ? is_idle() : now >= next_checkpoint_;
  if (!is_due || saving_ || core_->is_recovering() || core_->is_firing() || !has_changed()) return;

  CheckpointDraft& draft = draft_.emplace();
  draft.snapshot.position = reader_->position();
  draft.snapshot.shape = context_->setup.fold->state_shape().hash();
  core_->save(draft.core);
  std::erase_if(effects_.batches, [](const EncodedRecords& batch) { return batch.empty(); });
  draft.appends_left = effects_.batches.size() + (append_in_flight_ ? 1 : 0);
  if (!effects_.batches.empty()) effects_.batches.emplace_back();  // later outputs do not join what the draft waits for
  const auto seconds = static_cast<double>(draft.core.size()) / static_cast<double>(kCheckpointBytesPerSecond);
  next_checkpoint_ = now + std::max(context_->options.checkpoint_interval,
                                    std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
  save_draft();
}

void ProcessPartition::save_draft() {
  if (draft_->appends_left > 0 || commands_in_flight_ > 0 || saving_) return;
  Snapshot& snapshot = draft_->snapshot;
  snapshot.state = checkpoint_bytes(output_end_, draft_->core);
  saved_ = snapshot.position;
  saved_outputs_ = outputs_;
  save_failed_ = false;
  saving_ = true;
  context_->snapshots.save(
      checkpoint_key(), snapshot,
      [mailbox = context_->mailbox, id = id_.value(), generation = generation_](const Result<void>& saved) {
        mailbox->post({ProcessOutcome::checkpoint, id, generation, saved ? std::nullopt : std::optional{saved.error()}, {}});
      });
  draft_.reset();
}

Instant ProcessPartition::next_step(Instant now) const {
  if (context_->stopping) return Instant::max();  // outcomes wake us
  if (now < not_before_) return not_before_;
  const bool may_checkpoint = !draft_ && !saving_ && !core_->is_recovering() && !core_->is_firing();
  Instant next = has_changed() && may_checkpoint ? std::max(now, next_checkpoint_) : Instant::max();
  if (!at_end_) return next;
  if (const std::optional<Timestamp> due = core_->next_due()) {
    // The wall clock may jump: it is looked at again after a second at the latest. A live time of the application's own may
    // stand still for long.
    constexpr std::chrono::seconds kLookAgain{1};
    const Timestamp wall = context_->store.log().ports().clock.now();
    const Timestamp then = add_saturated(*due, context_->options.lateness);
    const Duration wait = std::clamp<Timestamp>(then, wall + kClockGranularity, wall + kLookAgain) - wall;
    next = std::min(next, now + (context_->options.live_time ? Duration{kLookAgain} : wait));
  }
  return next;
}

PartitionLag ProcessPartition::lag() const {
  // While something is in flight its input counts as not yet done.
  const Offset next = !loaded_ ? Offset{-1} : is_idle() ? reader_->position().offset : saved_.offset;
  return {{context_->setup.topic, id_}, next, reader_ ? reader_->committed_end() : Offset{}};
}

void ProcessPartition::add_to(ProcessStatus& status) const {
  if (core_) {
    const ProcessCounts& counts = core_->counts();
    status.counts.inputs += counts.inputs;
    status.counts.late += counts.late;
    status.counts.fired += counts.fired;
    status.counts.outputs += counts.outputs;
    status.counts.repeated += counts.repeated;
    status.open_keys += core_->open_keys();
  }
  if (error_) status.error = error_;
  status.commands += commands_;
  status.refused_commands += refused_;
  status.parked += static_cast<std::int64_t>(parked_.size() + parked_commands_.size());
  status.unmatched += unmatched_;
  status.partitions.push_back(lag());
}

}  // namespace lungo
