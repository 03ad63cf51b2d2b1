// How far long work has come, for who waits for it at a terminal: one line on standard error that is written over. Threads:
// one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lungo {

class Progress {
 public:
  /// `what` is done to `total` bytes, 0 when nobody knows. Silent where standard error is no terminal.
  Progress(std::string what, std::uint64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint64_t bytes);
  /// Takes the line away, before something else is printed.
  void clear();

 private:
  const std::string what_;
  const std::uint64_t total_;
  const bool is_shown_;
  std::uint64_t done_ = 0;
  bool has_line_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace lungo
