// How long the next transaction waits for more appends. One costs about the same whatever it takes: where one of the last few
// took more than `from` appends, the next one waits for as many, or for all that wait and were answered, while appends keep
// coming, for half of the time that a transaction takes at most.
//
// Pure. Threads: none of its own.
#pragma once

#include <array>
#include <cstddef>

#include <lungo/log/types.hpp>

namespace lungo::writing {

class Gathering {
 public:
  struct Options {
    std::size_t from = 16;
    std::size_t most = 16'384;  // that a transaction takes
    Duration quiet = std::chrono::milliseconds{3};
  };

  explicit Gathering(Options options) : options_(options) {}

  /// Time has passed: answers that were given before are with their callers.
  void step(Instant now);
  /// An append, while `waiting` others wait.
  void queued(std::size_t waiting, Instant now);
  /// A transaction begins.
  void begun(std::size_t appends, Instant now);
  /// It is committed; `waiting` wait, and who is answered may append again.
  void committed(std::size_t waiting, Instant now);
  /// When the next one may begin at the latest, as far as that depends on this.
  [[nodiscard]] Instant until(std::size_t waiting) const;

 private:
  struct Past {
    std::size_t appends = 0;
    Duration took{};
  };

  const Options options_;
  std::array<Past, 4> past_{};  // the last transactions that had appends
  std::size_t next_ = 0;        // of these, the oldest
  Past open_;                   // the last one that began
  std::size_t expected_ = 0;    // appends, where who was answered by the last one appends again
  Instant began_at_{};          // the open one, or the last
  Instant queued_since_{};      // the first of those that wait,
  Instant queued_at_{};         // and the last
  bool is_answering_ = false;   // with effects under way,
  Instant answered_at_{};       // which were carried out then, or are not yet
};

}  // namespace lungo::writing
