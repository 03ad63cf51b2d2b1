// Who is told of a projection's committed changes. For the engine; applications call Projection<P>::watch(), which says what
// is told and when.
//
// Threads: any. Callbacks run without the list's lock. Destroying a token waits for its callback when that runs on another
// thread, so whatever the callback refers to may go right afterwards; a callback may also destroy its own token.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lungo {

/// As long as it lives somebody watches; it may outlive the engine.
using WatchToken = std::shared_ptr<void>;

namespace detail {

/// `rows` points to the projection's std::vector<RowOf<P>>; null: all its rows were replaced.
using TellChanges = std::function<void(std::uint64_t sequence, const void* rows)>;

class Watcher {
 public:
  Watcher(std::string projection, TellChanges callback) : projection_(std::move(projection)), callback_(std::move(callback)) {}

  /// What the callback throws is logged once per watcher.
  void tell(std::uint64_t sequence, const void* rows);
  /// No call begins afterwards, and none is in progress but one that this thread is in.
  void end();

 private:
  const std::string projection_;
  std::recursive_mutex mutex_;  // held while the callback runs; the callback's thread may end its own watching
  TellChanges callback_;
  bool is_called_ = false;
  bool has_ended_ = false;
  bool has_thrown_ = false;
};

/// Those of one projection.
class Watchers {
 public:
  Watchers();
  [[nodiscard]] WatchToken add(std::string projection, TellChanges callback);
  [[nodiscard]] std::vector<std::shared_ptr<Watcher>> all() const;

 private:
  class List;
  const std::shared_ptr<List> list_;
};

}  // namespace detail
}  // namespace lungo
