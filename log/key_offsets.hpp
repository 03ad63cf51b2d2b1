// The last offset of each key in a range of the log, in bounded memory: what compaction decides by.
//
// A slot takes 24 bytes and holds 128 bits of the key's hash (XXH3-128), never the key: two keys of one hash would be taken for
// one, which among a billion keys has a chance of 1 in 10^20. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

class KeyOffsets {
 public:
  static constexpr std::size_t kSlotBytes = 24;
  static constexpr std::size_t kSlotsMin = 64;

  /// Takes at most `memory` bytes, and at least kSlotsMin slots; three quarters of the slots are used. It grows by doubling,
  /// and holds the old slots beside the new ones while it does.
  explicit KeyOffsets(std::size_t memory);

  /// Offsets ascend. False: there is no room for another key; then nothing has changed.
  [[nodiscard]] bool put(BytesView key, Offset offset);
  [[nodiscard]] std::optional<Offset> find(BytesView key) const;
  /// Takes the range up to `end` in, of which every record has been put or is not to be judged.
  void reach(Offset end) { end_ = end; }
  /// What lies at or above it is not known here.
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] std::size_t keys() const { return keys_; }

 private:
  struct Slot {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::int64_t next = 0;  // one past the offset; 0: free
  };
  static_assert(sizeof(Slot) == kSlotBytes);

  [[nodiscard]] std::size_t place_of(std::uint64_t low, std::uint64_t high) const;
  void grow();

  const std::size_t slots_max_;  // a power of two
  std::vector<Slot> slots_;
  std::size_t keys_ = 0;
  Offset end_;
};

}  // namespace lungo
