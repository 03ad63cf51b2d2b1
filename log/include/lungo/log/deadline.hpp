// Deadlines out of time-outs that may be for ever. Threads: any.
#pragma once

#include <lungo/log/types.hpp>

namespace lungo {

/// `timeout` after `now`, an Instant or a Timestamp, at most the end of time: a time-out of max() means never.
template <class Time>
constexpr Time deadline_after(Time now, typename Time::duration timeout) {
  return timeout > Time::max() - now ? Time::max() : now + timeout;
}

}  // namespace lungo
