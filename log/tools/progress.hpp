// How far long work has come, for who waits for it at a terminal: one line on standard error that is written over. Threads:
// one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "tool_log.hpp"

namespace lungo {

class Progress {
 public:
  /// `what` is done to `total` bytes, or to what `text` makes of a number; 0 when nobody knows. Silent where standard error is
  /// no terminal.
  Progress(std::string what, std::uint64_t total, std::function<std::string(std::uint64_t)> text = size_text);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint64_t bytes);
  /// For work that tells by itself what it does and how far it is.
  void at(std::string what, std::uint64_t done, std::uint64_t total);
  /// Takes the line away, before something else is printed.
  void clear();

 private:
  void show();

  std::string what_;
  std::uint64_t total_;
  const std::function<std::string(std::uint64_t)> text_;
  const bool is_shown_;
  std::uint64_t done_ = 0;
  bool has_line_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace lungo
