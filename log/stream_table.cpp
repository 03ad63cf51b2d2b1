#include "stream_table.hpp"

#include <algorithm>

#include "key_hash.hpp"

namespace lungo {
namespace {

constexpr std::size_t kSlotsMin = 64;

}  // namespace

// The slot that holds `hash`, or the free one where it belongs. The hash's own bits spread evenly.
std::size_t StreamTable::slot_of(std::uint64_t hash) const {
  const std::size_t mask = hashes_.size() - 1;
  std::size_t slot = hash & mask;
  while (hashes_[slot] != hash && hashes_[slot] != kNoKeyHash) slot = (slot + 1) & mask;
  return slot;
}

void StreamTable::grow() {
  const std::vector<std::uint64_t> hashes = std::move(hashes_);
  const std::vector<std::uint32_t> latest = std::move(latest_);
  const std::size_t slots = std::max(kSlotsMin, hashes.size() * 2);
  hashes_.assign(slots, kNoKeyHash);
  latest_.assign(slots, kNone);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (hashes[i] == kNoKeyHash) continue;
    const std::size_t slot = slot_of(hashes[i]);
    hashes_[slot] = hashes[i];
    latest_[slot] = latest[i];
  }
}

void StreamTable::add(std::uint64_t hash) {
  const auto record = static_cast<std::uint32_t>(previous_.size());
  if (hash == kNoKeyHash) {
    previous_.push_back(kNone);
    return;
  }
  if ((used_ + 1) * 3 > hashes_.size() * 2) grow();
  const std::size_t slot = slot_of(hash);
  if (hashes_[slot] == kNoKeyHash) {
    hashes_[slot] = hash;
    ++used_;
  }
  previous_.push_back(latest_[slot]);
  latest_[slot] = record;
}

void StreamTable::load(std::span<const StreamEntry> sorted, Offset end) {
  previous_.assign(static_cast<std::size_t>(end - base_), kNone);
  for (const StreamEntry& entry : sorted) {
    if ((used_ + 1) * 3 > hashes_.size() * 2) grow();
    const std::size_t slot = slot_of(entry.hash);
    if (hashes_[slot] == kNoKeyHash) {
      hashes_[slot] = entry.hash;
      ++used_;
    }
    previous_[entry.relative_offset] = latest_[slot];
    latest_[slot] = entry.relative_offset;
  }
}

void StreamTable::find(std::uint64_t hash, Offset begin, Offset end, std::vector<Offset>& out) const {
  if (hashes_.empty()) return;
  const std::size_t first = out.size();
  for (std::uint32_t record = latest_[slot_of(hash)]; record != kNone; record = previous_[record]) {
    const Offset offset = base_.plus(record);
    if (offset < begin) break;
    if (offset < end) out.push_back(offset);
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

std::vector<StreamEntry> StreamTable::sorted() const {
  std::vector<StreamEntry> entries;
  entries.reserve(previous_.size());
  for (std::size_t slot = 0; slot < hashes_.size(); ++slot) {
    if (hashes_[slot] == kNoKeyHash) continue;
    for (std::uint32_t record = latest_[slot]; record != kNone; record = previous_[record]) {
      entries.push_back({hashes_[slot], record});
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace lungo
