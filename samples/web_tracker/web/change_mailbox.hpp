// What the change feed tells, kept until the desk takes it: rows in the short form of statistics, up to a bound.
//
// Past the bound, and when all rows of a projection were replaced, it only notes that everything has to be read again.
// Threads: any; the feed's callbacks copy and wake, and never wait for the desk.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "tracker.hpp"
#include "web/stats_load.hpp"

namespace tracker {

class ChangeMailbox {
 public:
  static constexpr std::size_t kBytesMax = 8u << 20;

  struct Change {
    std::uint64_t sequence = 0;
    StatsRow row;
  };
  struct Taken {
    std::vector<Change> changes;
    bool reload = false;  // changes are missing
  };

  /// `wake` is called when something came; from the engine's thread.
  explicit ChangeMailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Begins to listen. What happened before is not told.
  void open(AddedProjections& rows);
  /// Ends; waits for a callback that runs. Drops what nobody took.
  void close();
  [[nodiscard]] bool is_open() const { return !tokens_.empty(); }
  /// Whether the counts of pages are wanted: only views of one page look at them.
  void want_counts(bool wanted) { wants_counts_ = wanted; }

  Taken take();

 private:
  template <class P>
  void put(const typename lungo::Projection<P>::Changes& changes);

  std::function<void()> wake_;
  std::atomic<bool> wants_counts_{false};
  std::mutex mutex_;  // guards the two below
  Taken held_;
  std::size_t bytes_ = 0;
  std::vector<lungo::WatchToken> tokens_;  // last: they go before what callbacks use
};

}  // namespace tracker
