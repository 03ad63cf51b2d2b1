// Who wants to be told once when a partition's committed end passes an offset.
//
// Threads: any. Callbacks run without the list's lock, on the thread that moved the end. Destroying a token waits for its
// callback when that runs on another thread, so whatever the callback refers to may go right afterwards; a callback may also
// destroy its own token.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include <lungo/log/types.hpp>

namespace lungo {

class CommitWaiters {
 public:
  CommitWaiters();
  CommitWaiters(const CommitWaiters&) = delete;
  CommitWaiters& operator=(const CommitWaiters&) = delete;

  /// Remembers `notify` for the first fire_above() with more than `end`. The list may die before the token.
  [[nodiscard]] std::shared_ptr<void> add(Offset end, std::function<void()> notify);
  /// Calls those who wait for more than an end below `committed`.
  void fire_above(Offset committed);
  /// Calls everybody: the log closes.
  void fire_all();

 private:
  class Waiter;
  class List;
  std::shared_ptr<List> list_;
};

}  // namespace lungo
