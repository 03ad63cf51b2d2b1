#include "process_partition.hpp"

#include <algorithm>

#include "saturated.hpp"

namespace lungo {

namespace {

constexpr std::chrono::milliseconds kClockGranularity{10};

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
      unit_(unit_of(context, id)),
      first_generation_(context.next_generation++),
      generation_(first_generation_),
      append_in_flight_(append_in_flight) {}

// ---- ownership ----

OwnedPartitions::Unit ProcessPartition::unit_of(const ProcessContext& context, PartitionId id) {
  if (context.setup.topic == context.setup.output_topic) return {{context.setup.topic, id}};
  return {{context.setup.topic, id}, {context.setup.output_topic, id}};
}

Result<void> ProcessPartition::start() {
  entered_ = context_->owned.enter(unit_);
  if (!entered_) return {};
  Result<void> prepared = prepare();
  prepared_ = prepared.has_value();
  if (prepared || prepared.error() != Errc::not_owner) return prepared;
  leave();  // it has gone again
  return {};
}

/// Leaves what has been lost, and enters what is this process's.
bool ProcessPartition::may_run() {
  closing_ = false;
  if (entered_) {
    const Tenure tenure = context_->owned.tenure(unit_);
    if (tenure == Tenure::is_over || (tenure == Tenure::ends && !loaded_)) leave();
    closing_ = entered_ && tenure == Tenure::ends;
  }
  if (!entered_ && !context_->stopping) entered_ = context_->owned.enter(unit_);
  return entered_;
}

/// Whoever comes next goes on from the checkpoint, here too.
void ProcessPartition::leave() {
  forget();
  core_.reset();
  reader_.reset();
  error_.reset();
  failing_.reset();
  failing_commands_.clear();
  parked_.clear();
  parked_commands_.clear();
  known_end_.reset();
  failures_ = 0;
  not_before_ = {};
  id_shift_ = 0;
  sends_commands_ = must_save_ = false;
  prepared_ = closing_ = false;
  let_go();
}

void ProcessPartition::let_go() {
  if (!entered_) return;
  entered_ = false;
  context_->owned.exit(unit_);
}

// ---- the step ----

Result<Instant> ProcessPartition::step(Instant now) {
  if (!may_run()) {
    stopped_ = context_->stopping;
    return Instant::max();  // its opening wakes us
  }
  Result<Instant> next = run(now);
  if (next || !may_pass(next.error())) return next;
  start_over(next.error(), now + context_->options.errors.retry.delay_after(++failures_));
  return not_before_;
}

Result<Instant> ProcessPartition::run(Instant now) {
  const bool only_ends = closing_ && loaded_;  // nothing of it waits for a better time
  if (now < not_before_ && !only_ends) return not_before_;
  if (!prepared_) {
    Result<void> prepared = prepare();
    if (!prepared) return prepared.error();
    prepared_ = true;
  }
  if (!loaded_) {
    if (append_in_flight_ || saving_) return Instant::max();  // its outcome wakes us
    Result<bool> ready = load(now);
    if (!ready) return ready.error();
    if (!*ready) return Instant::max();  // its notification wakes us
  }
  bool more = false;
  if (!is_ending()) {
    Result<bool> read = read_inputs(now);
    if (!read) return read.error();
    if (!loaded_) return std::max(now, not_before_);
    more = *read;
  }
  send_commands();
  flush();
  checkpoint(now);
  if (is_ending() && is_idle() && !draft_ && !saving_) {
    stopped_ = context_->stopping;
    if (!stopped_) leave();
    return Instant::max();
  }
  return more ? now : next_step(now);
}

/// Gives up what is in memory; the next step loads the checkpoint again. What is in flight may still reach the log: loading
/// waits for it.
void ProcessPartition::start_over(const Error& error, Instant at) {
  error_ = error;
  not_before_ = at;
  forget();
}

void ProcessPartition::forget() {
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
    sends_commands_ = true;
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
  Result<void> taken = take_in(outcome, now);
  if (taken || !may_pass(taken.error())) return taken;
  start_over(taken.error(), now + context_->options.errors.retry.delay_after(++failures_));
  return {};
}

Result<void> ProcessPartition::take_in(const ProcessOutcome& outcome, Instant now) {
  const bool is_stale = outcome.generation != generation_;
  switch (outcome.kind) {
    case ProcessOutcome::append:
      append_in_flight_ = false;
      if (is_stale) return {};
      if (outcome.error) return *outcome.error;
      if (!failing_) failures_ = 0;
      output_end_ = outcome.end;
      if (draft_ && draft_->appends_left > 0) {
        --draft_->appends_left;
        draft_->output_end = outcome.end;
        draft_->outputs = outputs_;
      }
      return {};
    case ProcessOutcome::checkpoint:
      if (outcome.generation >= first_generation_) saving_ = false;
      if (outcome.error && !is_stale) {
        error_ = outcome.error;
        if (!is_ending()) must_save_ = true;
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
  if (draft_ && draft_->commands_left > 0) --draft_->commands_left;
  if (!outcome.error) {
    failing_commands_.erase(outcome.id);
    return {};
  }
  if (*outcome.error == Errc::rejected) {
    ++refused_;
    return {};
  }
  const RetryPolicy& retry = context_->options.errors.retry;
  if (may_pass(*outcome.error) || *outcome.error == Errc::conflict) {
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

Instant ProcessPartition::next_step(Instant now) const {
  if (is_ending()) return Instant::max();  // outcomes wake us
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
  status.commands += commands_;
  status.refused_commands += refused_;
  status.unmatched += unmatched_;
  if (!entered_) return;
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
  status.parked += static_cast<std::int64_t>(parked_.size() + parked_commands_.size());
  status.partitions.push_back(lag());
}

}  // namespace lungo
