// A projection's rows that are held decoded: a hash table of (Key, State), bounded by its owner.
//
// Made for one look-up per event: open addressing over 8-byte slots, rows in blocks that never move, no allocation for a row
// that is there. Rows that were changed are remembered until they are written; the others can be evicted, least recently used
// first (approximately: a clock hand).
// Threads: the engine's only.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <lungo/projections/dropped_keys.hpp>
#include <lungo/projections/keys.hpp>

namespace lungo::detail {

template <class Key, class State>
class RowCache {
 public:
  struct Row {
    Key key{};
    State state{};
    std::uint64_t hash = 0;
    std::size_t heap = 0;  // bytes behind key and state, as of the last measure()
    bool used = false;
    bool dirty = false;
    bool recent = false;
  };

  RowCache() { slots_.resize(kSlotsMin); }

  /// The row that was found last, if it is this one: the next event's day and minute are mostly those of the event before.
  template <class K>
  Row* find_again(const K& key) {
    return last_ != nullptr && key_equal(last_->key, key) ? last_ : nullptr;
  }

  /// The row, or null. `key` may be of a type that hashes and compares like Key.
  template <class K>
  Row* find(std::uint64_t hash, const K& key) {
    for (std::size_t slot = home(hash);; slot = next(slot)) {
      const Slot& entry = slots_[slot];
      if (entry.row == kFree) return nullptr;
      if (entry.tag != tag(hash)) continue;
      Row& row = at(entry.row);
      if (row.hash == hash && key_equal(row.key, key)) {
        row.recent = true;
        last_ = &row;
        return &row;
      }
    }
  }

  /// Adds a row that find() did not find. The reference holds until the row is evicted.
  Row& insert(std::uint64_t hash, Key key) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    const std::uint32_t index = take_free();
    Row& row = at(index);
    row.key = std::move(key);
    row.hash = hash;
    row.used = row.recent = true;
    last_ = &row;
    place(hash, index);
    ++count_;
    measure(row);
    return row;
  }

  /// Remembers that the row must be written.
  void touch(Row& row) {
    if (row.dirty) return;
    row.dirty = true;
    dirty_.push_back(&row);
  }

  /// Rows to be written, in no order.
  const std::vector<Row*>& dirty() const { return dirty_; }

  /// After the dirty rows were committed.
  void written() {
    for (Row* row : dirty_) {
      row->dirty = false;
      measure(*row);
    }
    dirty_.clear();
  }

  /// Drops clean rows until at most `bytes_max` are held or none is left. Tells whether any was dropped.
  bool evict(std::size_t bytes_max) {
    bool any = false;
    last_ = nullptr;
    // Twice round: the first pass may only clear the marks.
    for (std::size_t steps = 2 * rows_made_; bytes() > bytes_max && steps > 0; --steps) {
      hand_ = hand_ + 1 < rows_made_ ? hand_ + 1 : 0;
      Row& row = at(static_cast<std::uint32_t>(hand_));
      if (!row.used || row.dirty) continue;
      if (std::exchange(row.recent, false)) continue;
      remove(static_cast<std::uint32_t>(hand_));
      any = true;
    }
    return any;
  }

  void clear() { *this = RowCache{}; }

  /// False: no row with this hash was evicted.
  [[nodiscard]] bool may_have_dropped(std::uint64_t hash) const { return dropped_.may_have(hash); }

  /// Memory that the rows in use take, about.
  [[nodiscard]] std::size_t bytes() const { return count_ * kRowBytes + heap_; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t row = kFree;
  };
  static constexpr std::uint32_t kFree = UINT32_MAX;
  static constexpr std::size_t kSlotsMin = 64;
  static constexpr std::size_t kBlockRows = 256;
  static constexpr std::size_t kRowBytes = sizeof(Row) + 3 * sizeof(Slot);  // the table is a third to a half full

  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
  std::size_t home(std::uint64_t hash) const { return (hash >> 20) & (slots_.size() - 1); }
  std::size_t next(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }
  Row& at(std::uint32_t index) { return blocks_[index / kBlockRows][index % kBlockRows]; }

  std::uint32_t take_free() {
    if (!free_.empty()) {
      const std::uint32_t index = free_.back();
      free_.pop_back();
      return index;
    }
    if (rows_made_ == blocks_.size() * kBlockRows) blocks_.push_back(std::make_unique<Row[]>(kBlockRows));
    return static_cast<std::uint32_t>(rows_made_++);
  }

  void place(std::uint64_t hash, std::uint32_t index) {
    std::size_t slot = home(hash);
    while (slots_[slot].row != kFree) slot = next(slot);
    slots_[slot] = {tag(hash), index};
  }

  void grow() {
    slots_.assign(slots_.size() * 2, Slot{});
    for (std::size_t index = 0; index < rows_made_; ++index) {
      const Row& row = at(static_cast<std::uint32_t>(index));
      if (row.used) place(row.hash, static_cast<std::uint32_t>(index));
    }
  }

  /// Takes what the row holds on the heap anew into the account.
  void measure(Row& row) {
    const std::size_t heap = heap_bytes(row.key) + heap_bytes(row.state);
    heap_ = heap_ - row.heap + heap;
    row.heap = heap;
  }

  /// Closes the gap that the row leaves: later rows of its run of slots move up, so that a search may stop at a free slot.
  void remove(std::uint32_t index) {
    Row& row = at(index);
    std::size_t gap = home(row.hash);
    while (slots_[gap].row != index) gap = next(gap);
    for (std::size_t slot = next(gap); slots_[slot].row != kFree; slot = next(slot)) {
      const std::size_t wanted = home(at(slots_[slot].row).hash);
      const std::size_t mask = slots_.size() - 1;
      if (((slot - wanted) & mask) < ((slot - gap) & mask)) continue;  // its home lies behind the gap
      slots_[gap] = slots_[slot];
      gap = slot;
    }
    slots_[gap] = Slot{};
    heap_ -= row.heap;
    dropped_.add(row.hash);
    row = Row{};
    free_.push_back(index);
    --count_;
  }

  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Row[]>> blocks_;
  std::vector<std::uint32_t> free_;
  std::vector<Row*> dirty_;
  Row* last_ = nullptr;
  DroppedKeys dropped_;
  std::size_t rows_made_ = 0;
  std::size_t count_ = 0;
  std::size_t heap_ = 0;
  std::size_t hand_ = 0;
};

}  // namespace lungo::detail
