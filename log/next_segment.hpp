// The files of the segment that comes next, made ahead: to make a file takes a file system longer than all else that a roll
// does, and an append waits for the roll. Giving one a name takes a tenth of that.
//
// They are `next.log.tmp`, `next.index.tmp` and `next.timeindex.tmp`, empty, with room reserved behind the end of the first.
// What is left of them after a crash goes with all other temporary files at the next opening.
// Threads: want(), take() by the owner; make() and remove() on any thread, one call at a time, remove() not beside
// take().
#pragma once

#include <atomic>
#include <string>

#include <lungo/log/storage.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

class NextSegment {
 public:
  /// `storage` outlives it.
  NextSegment(Storage& storage, std::string directory) : storage_(storage), directory_(std::move(directory)) {}

  /// True once for each segment: somebody has to call make().
  bool want();
  /// Makes the files, if they are wanted. Where that fails there are none for the next segment.
  void make();
  /// Gives what was made the names of segment `base`. What is not there by then has to be made as ever.
  void take(Offset base);
  /// For a log that ends.
  void remove();

 private:
  enum class State : std::uint8_t {
    none,    // the owner's turn
    wanted,  // make()'s
    ready,   // the owner's
    failed,  // the owner's: none for this segment
  };

  [[nodiscard]] std::string path(std::string_view suffix) const;

  Storage& storage_;
  const std::string directory_;
  std::atomic<State> state_ = State::none;
};

}  // namespace lungo
