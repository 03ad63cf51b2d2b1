// Puts keys in order: their bytes are made once, and most comparisons look at one integer.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <lungo/projections/keys.hpp>

namespace lungo::detail {

class KeyOrder {
 public:
  /// Forgets all keys; the memory is kept for the next ones.
  void clear();
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  template <class Key>
  void add(const Key& key) {
    const std::size_t begin = bytes_.size();
    append_ordered_value(key, bytes_);
    entries_.push_back({0, begin, bytes_.size() - begin, entries_.size()});
  }

  void sort();
  /// Visits the keys' numbers, counted from 0 as they were added: ascending by key after sort().
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) visit(entry.number);
  }

 private:
  struct Entry {
    std::uint64_t head;  // the bytes that follow what all keys begin with, big-endian
    std::size_t begin;
    std::size_t size;
    std::size_t number;
  };

  std::string bytes_;  // ordered keys, one after another
  std::vector<Entry> entries_;
};

}  // namespace lungo::detail
