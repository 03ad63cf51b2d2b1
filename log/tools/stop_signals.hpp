// SIGINT, SIGTERM and SIGHUP as something to wait for beside standard input and output, so that a command ends between two
// lines and closes its log. A program's, made in main() before any thread starts. Threads: the one that made it.
#pragma once

#include <string>
#include <string_view>

#include <lungo/log/types.hpp>

namespace lungo {

/// From then on a reader that is gone is a failed write, for this thread and those that it starts.
void hold_back_broken_pipes();

class StopSignals {
 public:
  /// Holds the signals back from this thread and those that it starts.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  enum class Ready {
    yes,      // there is input or room, or the other side is gone: the next call tells
    no,       // not in time
    stopped,  // a signal came; so it answers from then on
    gone,     // whoever reads standard output
  };
  Ready wait_for_input(int file, Duration at_most);
  /// Waits for `file` to be readable, while somebody is there to read standard output.
  Ready wait_beside_output(int file, Duration at_most);
  /// Until standard output takes a page without blocking; after a signal for a second only.
  Ready wait_for_room();
  /// The signal that came; 0 while none has.
  int received();

 private:
  Ready wait(int file, short events, int output, Duration at_most);

  int signals_ = -1;
  int received_ = 0;
};

/// Standard output of a command that a signal may end while nobody reads.
class StoppableOutput {
 public:
  explicit StoppableOutput(StopSignals& signals) : signals_(signals) {}
  /// Keeps the line; flush() hands it on.
  void line(std::string_view text);
  [[nodiscard]] std::size_t size_bytes() const { return kept_.size(); }
  /// Errno's value of the write that failed, and from then on; 0 otherwise, also when a signal came first.
  int flush();

 private:
  StopSignals& signals_;
  std::string kept_;
  int failure_ = 0;
};

}  // namespace lungo
