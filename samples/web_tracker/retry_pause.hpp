// How long to wait between two tries of what may fail for long, as on a full disk. A try is dear: it opens a file anew, which
// reads it up to its mark.
#pragma once

#include <algorithm>
#include <utility>

#include <lungo/log/types.hpp>

namespace tracker {

/// One second at first, twice as long each time, ten at most.
class RetryPause {
 public:
  lungo::Duration next() { return std::exchange(pause_, std::min<lungo::Duration>(pause_ * 2, kMax)); }
  void reset() { pause_ = kFirst; }
  static constexpr lungo::Duration kMax = std::chrono::seconds{10};

 private:
  static constexpr lungo::Duration kFirst = std::chrono::seconds{1};
  lungo::Duration pause_ = kFirst;
};

}  // namespace tracker
