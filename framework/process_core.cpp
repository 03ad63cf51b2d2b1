#include <lungo/framework/process_core.hpp>

#include <algorithm>

#include <lungo/log/check.hpp>

#include "process_lanes.hpp"
#include "saturated.hpp"

namespace lungo {
namespace {

constexpr std::size_t kBatchBytesMax = 512u << 10;

}  // namespace

/// What a run of react goes back to: an input, or the firing of a timer.
struct ProcessCore::Cause {
  std::string_view id;  // outputs are numbered below it
  Timestamp time;
  std::string_view correlation;
  std::optional<Timestamp> fired;  // due time of the timer: one that it sets must lie behind it
};

std::size_t ProcessEffects::size_bytes() const {
  std::size_t bytes = 0;
  for (const EncodedRecords& batch : batches) bytes += batch.size_bytes();
  return bytes;
}

ProcessCore::ProcessCore(const ProcessFold& fold, ProcessCoreOptions options) : fold_(&fold), options_(std::move(options)) {
  check(options_.name.find('/') == std::string::npos, "the name of a process has no '/'");
  id_prefix_ = options_.name + "/" + std::to_string(options_.partition.value()) + "/";
  lanes_.push_back(std::make_unique<Lane>());
}

ProcessCore::~ProcessCore() = default;

Result<void> ProcessCore::on_input(const Envelope& envelope, int type, const void* event, ProcessEffects& effects) {
  Result<void> before = pass_over(envelope, effects);
  if (!before || is_firing()) return before;
  Lane& lane = lane_of(envelope.lane);
  ++counts_.inputs;
  if (envelope.time < lane.watermark) ++counts_.late;  // its own time has not moved it above: the lateness is not negative

  std::size_t slot = 0;
  try {
    fold_->key(envelope, type, event, key_text_);
    slot = lane.slot_of(key_text_, *fold_);
    Key& key = *lane.slots[slot];
    if (const std::string_view scope = scope_or_id(envelope.stream); key.scope != scope) key.scope = scope;
    actions_.reset(envelope.time, key.text, lane.name);
    fold_->handle(*key.state, type, event, actions_);
  } catch (...) {
    return Error{Errc::handler_failed, options_.name + " for " + std::string(envelope.type) + ": " + current_exception_text(),
                 envelope.offset};
  }
  id_text_.assign(id_prefix_);
  if (!actions_.empty()) id_text_ += std::to_string(envelope.offset.value() + options_.id_shift);
  Result<void> done = carry_out(lane, slot, {id_text_, envelope.time, envelope.correlation, std::nullopt}, effects);
  if (!done) return Error{done.error().code(), std::string(done.error().text()), envelope.offset};
  return done;
}

Result<void> ProcessCore::pass_over(const Envelope& envelope, ProcessEffects& effects) {
  Result<void> before = go_on(effects);
  if (!before || is_firing()) return before;
  input_ = envelope.offset;
  return advance(lane_of(envelope.lane), add_saturated(envelope.time, -options_.lateness), effects);
}

std::optional<Timestamp> ProcessCore::next_due() const {
  // An entry may lie before its timer's due time, never behind it: at worst the clock looks once too often.
  const Lane& live = *lanes_.front();
  if (live.queue.empty()) return std::nullopt;
  return live.queue.top().due;
}

Result<void> ProcessCore::on_clock(Timestamp now, Offset next_input, ProcessEffects& effects) {
  if (is_firing()) return go_on(effects);
  Lane& live = *lanes_.front();
  const Timestamp watermark = now - options_.lateness;
  if (watermark <= live.watermark) return {};
  const std::optional<QueueEntry> due = live.pop_due(watermark);
  if (!due) return {};
  live.queue.push(*due);
  input_ = next_input;

  const ClockAdvanced advanced{options_.name, next_input.value(), watermark.time_since_epoch().count()};
  Bytes payload;
  encode(advanced, payload);
  EnvelopeFields fields;  // without a stream: it concerns the partition
  fields.type = event_name<ClockAdvanced>();
  fields.shape = shape_of<ClockAdvanced>().hash();
  fields.time = fields.recorded = now;
  const std::string id =
      id_prefix_ + "c/" + std::to_string(next_input.value() + options_.id_shift) + "/" + std::to_string(advanced.watermark_ms);
  fields.id = id;
  fields.payload = payload;
  Result<void> added = add_output(fields, effects);
  if (!added) return added;
  return advance(live, watermark, effects);
}

Result<void> ProcessCore::advance(Lane& lane, Timestamp watermark, ProcessEffects& effects) {
  lane.watermark = std::max(lane.watermark, watermark);
  firing_ = nullptr;
  while (const std::optional<QueueEntry> due = lane.pop_due(lane.watermark)) {
    Result<void> fired = fire(lane, due->slot, due->number, effects);
    if (!fired) return fired;
    if (effects.size_bytes() <= options_.pending_bytes_max) continue;
    firing_ = &lane;
    return {};
  }
  return {};
}

/// Goes on where advance() stopped.
Result<void> ProcessCore::go_on(ProcessEffects& effects) {
  return firing_ == nullptr ? Result<void>{} : advance(*firing_, firing_->watermark, effects);
}

Result<void> ProcessCore::fire(Lane& lane, std::size_t slot, std::uint64_t number, ProcessEffects& effects) {
  Key& key = *lane.slots[slot];
  const auto found = std::ranges::find(key.timers, number, &Timer::number);
  const Timer timer = std::move(*found);
  key.timers.erase(found);
  --lane.timer_count;
  ++counts_.fired;
  actions_.reset(timer.due, key.text, lane.name);
  try {
    Result<void> handled = fold_->fire(*key.state, timer.type, timer.payload, actions_);
    if (!handled) return handled;
  } catch (...) {
    return Error{Errc::handler_failed, options_.name + " for a timer of key " + key.text + ": " + current_exception_text()};
  }
  id_text_.assign(id_prefix_).append("t/").append(std::to_string(number));
  return carry_out(lane, slot, {id_text_, timer.due, {}, timer.due}, effects);
}

Result<void> ProcessCore::carry_out(Lane& lane, std::size_t slot, const Cause& cause, ProcessEffects& effects) {
  Key& key = *lane.slots[slot];
  Result<void> emitted = emit(lane, key, cause, effects);
  if (!emitted) return emitted;
  std::size_t index = 0;
  for (ProcessCommand& command : actions_.commands()) {
    effects.commands.push_back({std::move(command), std::string(cause.id) + "/s" + std::to_string(index++), input_});
  }
  Result<void> set = set_timers(lane, slot, cause);
  if (!set) return set;
  if (actions_.closes()) {
    lane.timer_count -= key.timers.size();
    key.timers.clear();
    fold_->reset(*key.state);
  }
  if (key.timers.empty() && fold_->is_initial(*key.state)) lane.free(slot);
  return {};
}

Result<void> ProcessCore::emit(const Lane& lane, const Key& key, const Cause& cause, ProcessEffects& effects) {
  std::size_t index = 0;
  std::string id;
  for (const Actions::Emission& emission : actions_.emissions()) {
    if (!fold_->emits(emission.name)) {
      return Error{Errc::handler_failed, options_.name + " emits " + std::string(emission.name) +
                                             ", which its Emits lack: add it to `using Emits = lungo::events<...>;`"};
    }
    const bool own = emission.category.empty();
    stream_beside(key.scope, own ? options_.name : emission.category, own ? key.text : emission.id, stream_text_);
    id.assign(cause.id).append("/").append(std::to_string(index++));
    EnvelopeFields fields;
    fields.stream = stream_text_;
    fields.type = emission.name;
    fields.shape = emission.shape->hash();
    fields.time = fields.recorded = emission.time.value_or(cause.time);
    fields.id = id;
    fields.correlation = cause.correlation;
    fields.lane = lane.name;
    fields.payload = actions_.bytes(emission.begin, emission.end);
    Result<void> added = add_output(fields, effects);
    if (!added) return added;
  }
  return {};
}

Result<void> ProcessCore::set_timers(Lane& lane, std::size_t slot, const Cause& cause) {
  Key& key = *lane.slots[slot];
  for (const Actions::TimerChange& change : actions_.timers()) {
    const int type = fold_->timer_of(change.name);
    if (type < 0) {
      return Error{Errc::handler_failed, options_.name + " sets " + std::string(change.name) +
                                             ", which its Timers lack: add it to `using Timers = lungo::events<...>;`"};
    }
    auto timer = std::ranges::find(key.timers, type, &Timer::type);
    if (change.kind == Actions::TimerChange::cancel) {
      if (timer == key.timers.end()) continue;
      key.timers.erase(timer);
      --lane.timer_count;
      continue;
    }
    Timestamp due = change.due.value_or(add_saturated(cause.time, change.delay.value_or(std::chrono::milliseconds{0})));
    // A timer that sets itself again at its own time would fire for ever.
    if (cause.fired) due = std::max(due, add_saturated(*cause.fired, std::chrono::milliseconds{1}));
    const bool is_new = timer == key.timers.end();
    if (is_new) {
      key.timers.push_back({type, due, next_timer_++, {}});
      timer = std::prev(key.timers.end());
      ++lane.timer_count;
    }
    const bool earlier = due < timer->due;
    timer->due = due;
    const BytesView payload = actions_.bytes(change.begin, change.end);
    timer->payload.assign(payload.begin(), payload.end());
    if (is_new || earlier) lane.enqueue(slot, *timer);  // moved later: the entry that is there comes first and looks again
  }
  return {};
}

Result<void> ProcessCore::add_output(const EnvelopeFields& fields, ProcessEffects& effects) {
  if (!recorded_ids_.empty()) {
    id_lookup_.assign(fields.id);
    if (recorded_ids_.erase(id_lookup_) > 0) {
      ++counts_.repeated;
      return {};
    }
  }
  ++counts_.outputs;
  if (effects.batches.empty() || effects.batches.back().size_bytes() >= kBatchBytesMax) effects.batches.emplace_back();
  return add_record(fields, effects.batches.back());
}

Result<void> ProcessCore::take_recorded(const Envelope& envelope) {
  if (!envelope.id.starts_with(id_prefix_)) return {};
  // What a decider made of a command carries the command's id: no output of ours, and add_output() would never meet it.
  if (envelope.id.substr(envelope.id.rfind('/') + 1).starts_with('s')) return {};
  if (envelope.type != event_name<ClockAdvanced>()) {
    recorded_ids_.emplace(envelope.id);
    return {};
  }
  ClockAdvanced advanced;
  Result<void> decoded = decode(envelope.payload, advanced);
  if (!decoded) return decoded;
  advances_.push_back({Offset{advanced.input_offset}, Timestamp{std::chrono::milliseconds{advanced.watermark_ms}}});
  return {};
}

Result<void> ProcessCore::apply_recorded(Offset offset, ProcessEffects& effects) {
  Result<void> before = go_on(effects);
  if (!before || is_firing()) return before;
  for (; next_advance_ < advances_.size() && advances_[next_advance_].before <= offset; ++next_advance_) {
    input_ = advances_[next_advance_].before;
    Result<void> advanced = advance(*lanes_.front(), advances_[next_advance_].watermark, effects);
    if (!advanced || is_firing()) return advanced;
  }
  return {};
}

std::size_t ProcessCore::end_recovery() {
  const std::size_t unmatched = recorded_ids_.size();
  recorded_ids_.clear();
  advances_.clear();
  next_advance_ = 0;
  return unmatched;
}

std::size_t ProcessCore::open_keys() const {
  std::size_t keys = 0;
  for (const auto& lane : lanes_) keys += lane->by_key.size();
  return keys;
}

std::optional<Timestamp> ProcessCore::watermark(std::string_view lane_name) const {
  for (const auto& lane : lanes_) {
    if (lane->name == lane_name && lane->watermark != kNoWatermark) return lane->watermark;
  }
  return std::nullopt;
}

}  // namespace lungo
