// An allocation that fails: failing_new.cpp replaces the global operator new of this program.
//
// Threads: each for itself.
#pragma once

#include <cstdint>

namespace lungo::test {

/// Lets allocations of the calling thread fail for as long as it lives, or up to disarm(): the n-th from now on, and with
/// `for_ever` each later one.
class FailingNew {
 public:
  explicit FailingNew(std::uint64_t number, bool for_ever = false);
  ~FailingNew() { disarm(); }
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;

  static void disarm();
  /// Since the last one was made.
  static std::uint64_t failures();
};

}  // namespace lungo::test
