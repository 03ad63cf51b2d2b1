// Sums of event times, which may be any: an application's clock is not ours.
//
// For processes and envelopes. Threads: pure functions.
#pragma once

#include <chrono>
#include <cstdint>

#include <lungo/log/types.hpp>

namespace lungo {

/// `time + span`, or the first or last time there is.
inline Timestamp add_saturated(Timestamp time, std::chrono::milliseconds span) {
  if (span.count() > 0) return time > Timestamp::max() - span ? Timestamp::max() : time + span;
  return time < Timestamp::min() - span ? Timestamp::min() : time + span;
}

/// `end - begin`, or the longest span there is in that direction.
inline std::chrono::milliseconds distance_saturated(Timestamp begin, Timestamp end) {
  std::int64_t span = 0;
  if (!__builtin_sub_overflow(end.time_since_epoch().count(), begin.time_since_epoch().count(), &span))
    return std::chrono::milliseconds{span};
  return end < begin ? std::chrono::milliseconds::min() : std::chrono::milliseconds::max();
}

}  // namespace lungo
