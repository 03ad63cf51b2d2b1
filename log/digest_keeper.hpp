// Has the digests made of segments that were sealed: every 10 seconds of those that came, in bounded steps.
//
// What was read or written since the opening costs a look at the headers. What was not, because the opening trusted it or an
// older Lungo wrote it, is read whole, and at no more than 8 MiB a second, as nobody waits for it. Threads: the housekeeper's.
#pragma once

#include <deque>
#include <memory>

#include "open_topics.hpp"

namespace lungo {

class DigestKeeper {
 public:
  explicit DigestKeeper(const OpenTopics& topics) : topics_(topics) {}

  /// Goes one step; `error` is set when it failed. When to come again.
  Instant step(Instant now, std::optional<Error>& error);

 private:
  void look();

  const OpenTopics& topics_;
  std::deque<std::shared_ptr<OpenPartition>> due_;
  Instant next_round_{};
  Instant next_step_{};
};

}  // namespace lungo
