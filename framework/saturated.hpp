// Sums of event times, which may be any: an application's clock is not ours.
//
// For processes. Threads: pure functions.
#pragma once

#include <chrono>

#include <lungo/log/types.hpp>

namespace lungo {

/// `time + span`, or the first or last time there is.
inline Timestamp add_saturated(Timestamp time, std::chrono::milliseconds span) {
  if (span.count() > 0) return time > Timestamp::max() - span ? Timestamp::max() : time + span;
  return time < Timestamp::min() - span ? Timestamp::min() : time + span;
}

}  // namespace lungo
