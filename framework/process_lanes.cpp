#include "process_lanes.hpp"

#include <algorithm>

namespace lungo {
namespace {

constexpr std::size_t kIdleLanesMax = 100;  // imports with nothing open whose watermarks are kept

}  // namespace

std::size_t ProcessCore::Lane::slot_of(std::string_view key, const ProcessFold& fold) {
  if (const auto found = by_key.find(key); found != by_key.end()) return found->second;
  std::size_t slot = slots.size();
  if (free_slots.empty()) {
    slots.emplace_back();
  } else {
    slot = free_slots.back();
    free_slots.pop_back();
  }
  slots[slot] = std::make_unique<Key>();
  slots[slot]->text = key;
  slots[slot]->state = fold.make_state();
  by_key.emplace(key, slot);
  return slot;
}

void ProcessCore::Lane::free(std::size_t slot) {
  by_key.erase(by_key.find(slots[slot]->text));
  slots[slot].reset();
  free_slots.push_back(slot);
  if (!by_key.empty()) return;
  // Nothing is open: what is left in the queue is of timers that are gone. An import that has ended takes no more room.
  decltype(slots){}.swap(slots);
  decltype(free_slots){}.swap(free_slots);
  decltype(by_key){}.swap(by_key);
  decltype(queue){}.swap(queue);
}

ProcessCore::Timer* ProcessCore::Lane::find(const QueueEntry& entry) {
  Key* key = slots[entry.slot].get();
  if (key == nullptr) return nullptr;
  const auto found = std::ranges::find(key->timers, entry.number, &Timer::number);
  return found == key->timers.end() ? nullptr : &*found;
}

void ProcessCore::Lane::enqueue(std::size_t slot, const Timer& timer) {
  queue.push({timer.due, timer.number, slot});
  // Entries of timers that are gone or were moved forward stay until their time comes; too many of them and it is rebuilt.
  if (queue.size() <= 64 + 2 * timer_count) return;
  std::vector<QueueEntry> entries;
  entries.reserve(timer_count);
  for (std::size_t at = 0; at < slots.size(); ++at) {
    if (slots[at] == nullptr) continue;
    for (const Timer& live : slots[at]->timers) entries.push_back({live.due, live.number, at});
  }
  queue = std::priority_queue<QueueEntry, std::vector<QueueEntry>, std::greater<>>{std::greater<>{}, std::move(entries)};
}

std::optional<ProcessCore::QueueEntry> ProcessCore::Lane::pop_due(Timestamp now) {
  while (!queue.empty() && queue.top().due <= now) {
    const QueueEntry entry = queue.top();
    queue.pop();
    const Timer* timer = find(entry);
    if (timer == nullptr) continue;
    if (timer->due > entry.due) {
      queue.push({timer->due, timer->number, entry.slot});
    } else {
      return entry;
    }
  }
  return std::nullopt;
}

// The live lane stays first; the others are kept in the order of their last use, which is a part of every checkpoint: what is
// forgotten is the same whatever crashes.
ProcessCore::Lane& ProcessCore::lane_of(std::string_view name) {
  if (name.empty()) return *lanes_.front();
  const auto imports = lanes_.begin() + 1;
  auto found = std::find_if(imports, lanes_.end(), [name](const auto& lane) { return lane->name == name; });
  if (found == lanes_.end()) {
    forget_idle_lanes();
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->name = name;
    found = lanes_.end() - 1;
  }
  std::rotate(lanes_.begin() + 1, found, found + 1);
  return *lanes_[1];
}

/// Makes room for one lane more, unless all have something open.
void ProcessCore::forget_idle_lanes() {
  std::size_t idle = 0;
  std::erase_if(lanes_, [&](const std::unique_ptr<Lane>& lane) {
    return !lane->name.empty() && lane->by_key.empty() && ++idle >= kIdleLanesMax;
  });
}

}  // namespace lungo
