// Read models of visitors: exactly per day, as a sketch, and who is there now.
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <lungo/projections/projection.hpp>

#include "model/events.hpp"
#include "model/hyperloglog.hpp"
#include "model/time_text.hpp"

namespace tracker {

/// Adds an id to a sorted run of ids of the same length; false when it is there.
inline bool add_id(std::vector<std::byte>& ids, std::span<const std::byte> id) {
  std::size_t low = 0;
  std::size_t high = ids.size() / id.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = std::memcmp(ids.data() + middle * id.size(), id.data(), id.size());
    if (order == 0) return false;
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  ids.insert(ids.begin() + static_cast<std::ptrdiff_t>(low * id.size()), id.begin(), id.end());
  return true;
}

/// The ids of two sorted runs, each once; of more than `ids_max` the smallest.
inline std::vector<std::byte> union_of(const std::vector<std::byte>& a, const std::vector<std::byte>& b, std::size_t id_bytes,
                                       std::size_t ids_max) {
  std::vector<std::byte> ids;
  ids.reserve(std::min(a.size() + b.size(), ids_max * id_bytes));
  std::size_t left = 0;
  std::size_t right = 0;
  while ((left < a.size() || right < b.size()) && ids.size() < ids_max * id_bytes) {
    const int order = left == a.size() ? 1 : right == b.size() ? -1 : std::memcmp(a.data() + left, b.data() + right, id_bytes);
    const std::byte* next = order <= 0 ? a.data() + left : b.data() + right;
    ids.insert(ids.end(), next, next + id_bytes);
    left += order <= 0 ? id_bytes : 0;
    right += order >= 0 ? id_bytes : 0;
  }
  return ids;
}

inline constexpr std::size_t kVisitorBytes = 16;

/// The visitors of a day, exactly: 256 buckets a day, each a sorted run of 16-byte ids. Rows stay small, and a day's are
/// written a few times only.
struct Visitors {
  using Events = lungo::events<Request, PageViewed>;
  struct Key {
    std::string day;
    std::int32_t bucket = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct State {
    std::int64_t visitors = 0;
    std::vector<std::byte> ids;
  };
  template <class E>
  static Key key(const lungo::Envelope&, const E& e) {
    return {std::string{day_text(e.local_time()).view()}, std::to_integer<std::int32_t>(e.visitor[0])};
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    s.visitors += add_id(s.ids, e.visitor) ? 1 : 0;
  }
  static State merge(const State& a, const State& b) {
    State all{0, union_of(a.ids, b.ids, kVisitorBytes, SIZE_MAX / kVisitorBytes)};
    all.visitors = static_cast<std::int64_t>(all.ids.size() / kVisitorBytes);
    return all;
  }
};

/// The same as a sketch, which takes 4 KiB a day and merges over days, processes and partitions.
struct VisitorSketch {
  using Events = lungo::events<Request, PageViewed>;
  using Key = std::string;
  struct State {
    Sketch registers;
  };
  template <class E>
  static TimeText key(const lungo::Envelope&, const E& e) {
    return day_text(e.local_time());
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    std::uint64_t hash = 0;
    std::memcpy(&hash, e.visitor.data(), sizeof hash);  // bytes of an HMAC: as even as a hash can be
    sketch_add(s.registers, hash);
  }
  static State merge(State a, const State& b) {
    sketch_merge(a.registers, b.registers);
    return a;
  }
};

inline constexpr std::size_t kActiveIdBytes = 8;
inline constexpr std::int64_t kActiveVisitorsMax = 16'384;

/// People who did something within a minute (of UTC), by the first bytes of their ids in a sorted run. Imports are history: a
/// lane other than the live one is left out. Which of more than the most are kept depends on who came first.
struct ActiveVisitors {
  using Events = lungo::events<Request, PageViewed, CustomEvent>;
  using Key = std::string;
  struct State {
    std::int64_t count = 0;
    std::vector<std::byte> ids;
  };
  template <class E>
  static std::optional<TimeText> key(const lungo::Envelope& envelope, const E& e) {
    if (e.bot || !envelope.lane.empty()) return std::nullopt;
    return TimeText{e.time, TimeUnit::minute};
  }
  template <class E>
  static void evolve(State& s, const E& e) {
    if (s.count < kActiveVisitorsMax) s.count += add_id(s.ids, std::span{e.visitor}.template first<kActiveIdBytes>()) ? 1 : 0;
  }
  static State merge(const State& a, const State& b) {
    State all{0, union_of(a.ids, b.ids, kActiveIdBytes, static_cast<std::size_t>(kActiveVisitorsMax))};
    all.count = static_cast<std::int64_t>(all.ids.size() / kActiveIdBytes);
    return all;
  }
};

}  // namespace tracker
