// ProcessPartition's checkpoints: loading one with what the log has behind it, and writing the next.

#include <algorithm>

#include "process_checkpoint.hpp"
#include "process_partition.hpp"

namespace lungo {

namespace {

constexpr std::size_t kChunkBytes = 1u << 20;
// Big states are written less often: they stay in the topic until it is compacted.
constexpr std::size_t kCheckpointBytesPerSecond = 8u << 20;

}  // namespace

std::string ProcessPartition::checkpoint_key() const {
  return process_checkpoint_key({context_->setup.name, {context_->setup.topic, id_}});
}

Bytes ProcessPartition::checkpoint_state(Offset output_end, BytesView core) const {
  return to_bytes(ProcessCheckpoint{.output_end = output_end.value(),
                                    .core = std::string(as_text(core)),
                                    .output_topic = context_->setup.output_topic,
                                    .id_shift = id_shift_,
                                    .sends_commands = sends_commands_});
}

/// Makes the first checkpoint of a process that has none, and checks the one it has. Blocks.
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
                       checkpoint_state(output_ends->written, core)};
  return context_->snapshots.save_wait(checkpoint_key(), input, first);
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
  const Result<ProcessCheckpoint> checkpoint = parse_process_checkpoint((*stored)->state);
  if (!checkpoint) return checkpoint.error().with_context(checkpoint_key());
  const Offset output_end{checkpoint->output_end};
  if (output_end > goal) {
    return Error{Errc::position_diverged, to_string(output) + " was cut below the outputs of " + checkpoint_key(), output_end};
  }

  core_ = std::make_unique<ProcessCore>(*context_->setup.fold,
                                        ProcessCoreOptions{context_->setup.name, id_, context_->options.lateness,
                                                           context_->options.pending_bytes_max, checkpoint->id_shift});
  Result<void> restored = core_->load(as_bytes(checkpoint->core), **shape);
  if (restored) restored = note_recorded(output_end, goal);
  if (!restored) return restored.error();
  Result<std::vector<ParkedEvent>> parked = parked_events(context_->store, context_->setup.name);
  if (!parked) return parked.error();
  for (const ParkedEvent& event : *parked) {
    if (event.topic != context_->setup.topic || event.partition != id_.value()) continue;
    if (event.command.empty()) {
      parked_.emplace(Offset{event.offset}, !is_about_event(Error{static_cast<Errc>(event.error), {}}));
    } else {
      parked_commands_.insert(event.command);
    }
  }
  reader_.emplace(log, context_->input, (*stored)->position, kChunkBytes);
  output_end_ = goal;
  saved_ = (*stored)->position;
  saved_outputs_ = outputs_ = 0;
  id_shift_ = checkpoint->id_shift;
  sends_commands_ = sends_commands_ || checkpoint->sends_commands;
  must_save_ = checkpoint->output_topic.empty();  // the first form is replaced
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

bool ProcessPartition::has_changed() const { return must_save_ || reader_->position() != saved_ || outputs_ != saved_outputs_; }

void ProcessPartition::checkpoint(Instant now) {
  if (draft_) {
    save_draft();
    return;
  }
  const bool is_due = is_ending() ? is_idle() : now >= next_checkpoint_;
  if (!is_due || saving_ || core_->is_recovering() || core_->is_firing() || !has_changed()) return;

  CheckpointDraft& draft = draft_.emplace();
  draft.snapshot.position = reader_->position();
  draft.snapshot.shape = context_->setup.fold->state_shape().hash();
  core_->save(draft.core);
  std::erase_if(effects_.batches, [](const EncodedRecords& batch) { return batch.empty(); });
  draft.appends_left = effects_.batches.size() + (append_in_flight_ ? 1 : 0);
  draft.commands_left = commands_in_flight_;
  draft.output_end = output_end_;
  draft.outputs = outputs_;
  if (!effects_.batches.empty()) effects_.batches.emplace_back();  // later outputs do not join what the draft waits for
  const auto seconds = static_cast<double>(draft.core.size()) / static_cast<double>(kCheckpointBytesPerSecond);
  next_checkpoint_ = now + std::max(context_->options.checkpoint_interval,
                                    std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
  save_draft();
}

void ProcessPartition::save_draft() {
  if (draft_->appends_left > 0 || draft_->commands_left > 0 || saving_) return;
  Snapshot& snapshot = draft_->snapshot;
  snapshot.state = checkpoint_state(draft_->output_end, draft_->core);
  saved_ = snapshot.position;
  saved_outputs_ = draft_->outputs;
  must_save_ = false;
  saving_ = true;
  context_->snapshots.save(
      checkpoint_key(), {context_->setup.topic, id_}, snapshot,
      [mailbox = context_->mailbox, id = id_.value(), generation = generation_](const Result<void>& saved) {
        mailbox->post({ProcessOutcome::checkpoint, id, generation, saved ? std::nullopt : std::optional{saved.error()}, {}});
      });
  draft_.reset();
}

}  // namespace lungo
