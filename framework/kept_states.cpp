#include <lungo/framework/kept_states.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace lungo::detail {

namespace {

constexpr std::size_t kSlotsMin = 16;

std::uint64_t hash_of(std::string_view id) {
  const std::uint64_t hash = std::hash<std::string_view>{}(id);
  return hash == 0 ? 1 : hash;
}

}  // namespace

// ---- ids ----

void KnownIds::insert(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at] != 0 && slots_[at] != hash) at = (at + 1) & mask;
  if (slots_[at] == 0) ++count_;
  slots_[at] = hash;
}

void KnownIds::add(std::string_view id) {
  if (4 * (count_ + 1) > 3 * slots_.size()) {
    std::vector<std::uint64_t> grown(std::max(kSlotsMin, 2 * slots_.size()));
    grown.swap(slots_);
    count_ = 0;
    for (const std::uint64_t hash : grown) {
      if (hash != 0) insert(hash);
    }
  }
  insert(hash_of(id));
}

bool KnownIds::may_have(std::string_view id) const {
  if (slots_.empty()) return false;
  const std::uint64_t hash = hash_of(id);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (slots_[at] == hash) return true;
  }
  return false;
}

// ---- states ----

std::unique_ptr<KeptState> KeptStates::take(std::string_view stream) {
  Entries taken;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_stream_.find(stream);
    if (found == by_stream_.end()) return nullptr;
    remove(found->second, taken);
  }
  return std::move(taken.front().state);
}

void KeptStates::keep(std::string_view stream, std::unique_ptr<KeptState> state) {
  if (state->position.epoch == kNoEpoch) return;
  constexpr std::size_t kPlaceBytes = 128;  // of the list and the map
  const std::size_t bytes = state->size_bytes() + stream.size() + kPlaceBytes;
  if (bytes > bytes_max_) return;
  Entries added;
  added.push_back({std::string(stream), std::move(state), bytes});
  Entries removed;  // destroyed without the mutex
  const std::lock_guard lock(mutex_);
  const auto found = by_stream_.find(stream);
  if (found != by_stream_.end()) {
    const Position& kept = found->second->state->position;
    const Position& given = added.front().state->position;
    if (kept.topic == given.topic && kept.offset >= given.offset) {
      removed.splice(removed.end(), added);
      return;
    }
    remove(found->second, removed);
  }
  entries_.splice(entries_.begin(), added);
  by_stream_.emplace(entries_.front().stream, entries_.begin());
  bytes_ += bytes;
  while (bytes_ > bytes_max_) remove(std::prev(entries_.end()), removed);
}

void KeptStates::drop(PartitionId partition) {
  Entries removed;  // destroyed without the mutex
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->state->position.partition == partition) remove(entry, removed);
    entry = next;
  }
}

/// Moves the entry to `removed`. With the mutex.
void KeptStates::remove(Entries::iterator entry, Entries& removed) {
  by_stream_.erase(entry->stream);
  bytes_ -= entry->bytes;
  removed.splice(removed.end(), entries_, entry);
}

std::size_t KeptStates::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::optional<Ends> ends_behind(EventLog& log, const TopicPartition& partition, const KeptState& state) {
  if (!log.validate(partition.topic, state.position)) return std::nullopt;
  const Result<Ends> ends = log.ends(partition);
  if (!ends || ends->start > state.begin || ends->committed < state.position.offset) return std::nullopt;
  return *ends;
}

}  // namespace lungo::detail
