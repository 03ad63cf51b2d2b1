// Shows how far an import is, or the read models behind it: a bar with rate and time left on a terminal, a plain line now and
// then elsewhere.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>

#include <lungo/log/types.hpp>

namespace tracker {

class ProgressBar {
 public:
  /// Writes to stderr. `label` names what is imported, `unit` what is counted.
  ProgressBar(std::string label, bool is_terminal, lungo::Instant now, std::string unit = "lines");

  /// `done` of `total` stored bytes were read (0: the total is unknown), so many units handled. Draws if it is time for it.
  void show(std::uint64_t done, std::uint64_t total, std::uint64_t units, lungo::Instant now);
  /// Takes the bar away, if there is one.
  void clear();

 private:
  std::string label_;
  std::string unit_;
  bool is_terminal_;
  lungo::Instant begin_;
  lungo::Instant next_;
  bool drawn_ = false;
};

/// "1,234,567"
std::string with_commas(std::uint64_t number);

}  // namespace tracker
