// One list of a statistics view: names with counts, and the largest of them; kept up to date by rows with absolute counts.
//
// A row is remembered by a hash of its key and its last count, so that a changed row becomes a difference. Two keys of one hash
// (64 bits) would count as one row. Threads: one at a time.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tracker {

class StatsList {
 public:
  static constexpr std::size_t kShown = 10;
  using Entry = std::pair<std::string, std::int64_t>;

  /// The row whose key has this hash, and which counts for `name`, has this count now.
  void set(std::uint64_t row, const std::string& name, std::int64_t count) {
    std::int64_t& last = rows_[row];
    if (last == count) return;
    std::int64_t& sum = names_[name];
    const std::int64_t before = sum;
    sum += count - last;
    sum_ += count - last;
    last = count;
    const std::int64_t after = sum;
    if (after == 0) names_.erase(name);
    // What stays below all that is shown changes nothing but how many there are.
    if (top_.size() < kShown || std::max(before, after) >= top_.back().second) top_is_stale_ = true;
  }

  /// Memory that it takes, about.
  [[nodiscard]] std::size_t bytes() const {
    constexpr std::size_t kNameBytes = 96;  // a string of its own, its count, and room between them
    return rows_.bucket_count() * 2 * sizeof(std::uint64_t) + names_.size() * kNameBytes;
  }
  /// Of all counts.
  [[nodiscard]] std::int64_t sum() const { return sum_; }
  [[nodiscard]] std::size_t names() const { return names_.size(); }
  /// The largest counts, ties by name.
  const std::vector<Entry>& top() {
    if (!std::exchange(top_is_stale_, false)) return top_;
    top_.clear();
    const auto better = [](const Entry& a, const Entry& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    };
    for (const auto& [name, count] : names_) {  // a heap with the worst on top
      if (top_.size() == kShown) {
        const Entry& worst = top_.front();
        if (count < worst.second || (count == worst.second && name > worst.first)) continue;
        std::pop_heap(top_.begin(), top_.end(), better);
        top_.pop_back();
      }
      top_.emplace_back(name, count);
      std::push_heap(top_.begin(), top_.end(), better);
    }
    std::sort_heap(top_.begin(), top_.end(), better);
    return top_;
  }

 private:
  struct AsItIs {  // keys are hashes already
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t hash) const { return hash; }
  };
  boost::unordered_flat_map<std::uint64_t, std::int64_t, AsItIs> rows_;
  boost::unordered_flat_map<std::string, std::int64_t> names_;
  std::vector<Entry> top_;
  std::int64_t sum_ = 0;
  bool top_is_stale_ = false;
};

}  // namespace tracker
