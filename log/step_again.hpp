// Steps of activities that run out of memory. Threads: the activity's.
#pragma once

#include <new>

#include <lungo/log/types.hpp>

namespace lungo {

/// What `step` answers, or a little later when there is no memory: for steps that may be repeated wherever they stopped.
template <class Step>
Instant step_or_again(Instant now, Step step) {
  constexpr Duration kPause = std::chrono::milliseconds{10};
  try {
    return step();
  } catch (const std::bad_alloc&) {
    return now + kPause;
  }
}

}  // namespace lungo
