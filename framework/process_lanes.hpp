// What a core keeps in memory: its lanes, their keys, and the queue of their timers. process_core.hpp has the invariants.
//
// For process_core*.cpp. Threads: the core's.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <lungo/framework/process_core.hpp>

namespace lungo {

inline constexpr Timestamp kNoWatermark{std::chrono::milliseconds{std::numeric_limits<std::int64_t>::min() / 2}};

struct ProcessCore::Timer {
  int type = -1;
  Timestamp due{};
  std::uint64_t number = 0;
  Bytes payload;
};

struct ProcessCore::Key {
  std::string text;
  std::string scope;  // of the last input: where outputs go
  std::unique_ptr<ProcessState> state;
  std::vector<Timer> timers;
};

/// Says when to look at a timer; it may have been moved to later, or be gone.
struct ProcessCore::QueueEntry {
  Timestamp due;
  std::uint64_t number;
  std::size_t slot;
  friend bool operator>(const QueueEntry& a, const QueueEntry& b) {
    return a.due != b.due ? a.due > b.due : a.number > b.number;
  }
};

struct ProcessCore::Lane {
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  std::string name;
  Timestamp watermark = kNoWatermark;
  std::vector<std::unique_ptr<Key>> slots;
  std::vector<std::size_t> free_slots;
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> by_key;
  std::priority_queue<QueueEntry, std::vector<QueueEntry>, std::greater<>> queue;
  std::size_t timer_count = 0;

  /// Where this key is; made when it is new.
  std::size_t slot_of(std::string_view key, const ProcessFold& fold);
  void free(std::size_t slot);
  /// The timer of a queue entry; null when it is gone.
  Timer* find(const QueueEntry& entry);
  void enqueue(std::size_t slot, const Timer& timer);
  /// The next timer that is due at `now`, in the order (due, number).
  std::optional<QueueEntry> pop_due(Timestamp now);
};

}  // namespace lungo
