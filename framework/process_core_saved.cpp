// A core's checkpoint: from its lanes to bytes and back.
#include <lungo/framework/codec.hpp>
#include <lungo/framework/process_core.hpp>

#include "process_lanes.hpp"

namespace lungo {
namespace {

// A checkpoint's bytes: one of these under the codec.

struct SavedTimer {
  std::string name;
  std::int64_t due_ms = 0;
  std::uint64_t number = 0;
  std::string payload;
};
struct SavedKey {
  std::string key;
  std::string scope;
  std::string state;
  std::vector<SavedTimer> timers;
};
struct SavedLane {
  std::string name;
  std::int64_t watermark_ms = 0;
  std::vector<SavedKey> keys;
};
struct SavedCore {
  static constexpr std::string_view event_name = "lungo.ProcessCheckpoint";
  std::uint64_t next_timer = 1;
  std::vector<SavedLane> lanes;
};

}  // namespace

Result<void> ProcessCore::load(BytesView checkpoint, const Shape& writer) {
  SavedCore saved;
  Result<void> decoded = decode(checkpoint, saved);
  if (!decoded) return decoded.error().with_context("checkpoint of " + options_.name);
  firing_ = nullptr;
  lanes_.clear();
  lanes_.push_back(std::make_unique<Lane>());  // the live one, which every checkpoint has
  next_timer_ = saved.next_timer;
  recorded_ids_.clear();
  advances_.clear();
  next_advance_ = 0;
  for (const SavedLane& saved_lane : saved.lanes) {
    if (!saved_lane.name.empty()) lanes_.push_back(std::make_unique<Lane>());
    Lane& lane = saved_lane.name.empty() ? *lanes_.front() : *lanes_.back();
    lane.name = saved_lane.name;
    lane.watermark = Timestamp{std::chrono::milliseconds{saved_lane.watermark_ms}};
    for (const SavedKey& saved_key : saved_lane.keys) {
      const std::size_t slot = lane.slot_of(saved_key.key, *fold_);
      Key& key = *lane.slots[slot];
      key.scope = saved_key.scope;
      Result<void> state = fold_->decode_state(writer, as_bytes(saved_key.state), *key.state);
      if (!state) return state.error().with_context("state of key " + key.text + " in a checkpoint of " + options_.name);
      for (const SavedTimer& timer : saved_key.timers) {
        const int type = fold_->timer_of(timer.name);
        if (type < 0) continue;  // this version of the process has it no more
        key.timers.push_back({type, Timestamp{std::chrono::milliseconds{timer.due_ms}}, timer.number, to_bytes(timer.payload)});
        ++lane.timer_count;
        lane.enqueue(slot, key.timers.back());
      }
    }
  }
  return {};
}

void ProcessCore::save(Bytes& checkpoint) const {
  SavedCore saved;
  saved.next_timer = next_timer_;
  Bytes state;
  for (const auto& lane : lanes_) {
    SavedLane& saved_lane = saved.lanes.emplace_back();
    saved_lane.name = lane->name;
    saved_lane.watermark_ms = lane->watermark.time_since_epoch().count();
    for (const auto& key : lane->slots) {
      if (key == nullptr) continue;
      SavedKey& saved_key = saved_lane.keys.emplace_back();
      state.clear();
      fold_->encode_state(*key->state, state);
      saved_key.key = key->text;
      saved_key.scope = key->scope;
      saved_key.state = as_text(state);
      for (const Timer& timer : key->timers) {
        saved_key.timers.push_back({std::string(fold_->timer_name(timer.type)), timer.due.time_since_epoch().count(),
                                    timer.number, std::string(as_text(timer.payload))});
      }
    }
  }
  encode(saved, checkpoint);
}

}  // namespace lungo
