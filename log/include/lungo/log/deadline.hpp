// Deadlines out of time-outs that may be for ever. Threads: any.
#pragma once

#include <lungo/log/types.hpp>

namespace lungo {

/// `timeout` after `now`, at most the end of time: Duration::max() means never.
constexpr Instant deadline_after(Instant now, Duration timeout) {
  return timeout > Instant::max() - now ? Instant::max() : now + timeout;
}

}  // namespace lungo
