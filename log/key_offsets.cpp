#include "key_offsets.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>

namespace lungo {

KeyOffsets::KeyOffsets(std::size_t memory)
    : slots_max_(std::bit_floor(std::max(memory / kSlotBytes, kSlotsMin))), slots_(kSlotsMin) {}

// The slot that has the hash, or the free one where it belongs: there is always one.
std::size_t KeyOffsets::place_of(std::uint64_t low, std::uint64_t high) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t place = low & mask;
  while (slots_[place].next != 0 && (slots_[place].low != low || slots_[place].high != high)) place = (place + 1) & mask;
  return place;
}

bool KeyOffsets::put(BytesView key, Offset offset) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  std::size_t place = place_of(hash.low64, hash.high64);
  if (slots_[place].next == 0) {
    if ((keys_ + 1) * 4 > slots_.size() * 3) {
      if (slots_.size() == slots_max_) return false;
      grow();
      place = place_of(hash.low64, hash.high64);
    }
    ++keys_;
  }
  slots_[place] = {.low = hash.low64, .high = hash.high64, .next = offset.next().value()};
  return true;
}

void KeyOffsets::grow() {
  std::vector<Slot> before(slots_.size() * 2);
  before.swap(slots_);
  for (const Slot& slot : before) {
    if (slot.next != 0) slots_[place_of(slot.low, slot.high)] = slot;
  }
}

std::optional<Offset> KeyOffsets::find(BytesView key) const {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  const Slot& slot = slots_[place_of(hash.low64, hash.high64)];
  return slot.next == 0 ? std::nullopt : std::optional{Offset{slot.next - 1}};
}

}  // namespace lungo
