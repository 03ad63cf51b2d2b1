// System calls of this process that fail: the n-th of a kind, once or from then on.
//
// failing_calls.cpp defines the C library's functions of the same names, so that all that this program is linked from calls
// them, the C++ library too, which removes directories; they go on to the kernel but for the call that is to fail. Syncs go
// nowhere: who wants to see what a power cut leaves looks elsewhere (tests/power), and a thousand processes are done in
// seconds. The log maps no files, so mmap is none of them. Threads: arm() and fired() while no other thread makes calls; the
// calls from any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lungo::test {

enum class CallKind { write, sync, open, rename, allocate, truncate, remove, make_directory, read, list, link, copy, look };
inline constexpr CallKind kLastCallKind = CallKind::look;
std::string_view to_string(CallKind kind);

/// Instead of an errno: a part of what was asked for is done.
inline constexpr int kShort = -1;

struct CallFault {
  CallKind kind = CallKind::write;
  std::uint64_t number = 1;  // from 1
  int error = 0;             // an errno, or kShort (of reads, writes and copies)
  bool for_ever = false;     // each later one, too; of interruptions five in a row
};
std::string to_string(const CallFault& fault);

/// Counts calls from now on, and lets them fail as `fault` says.
void arm(const CallFault& fault);
/// Calls that failed so far.
std::uint64_t fired();
/// Syncs of files of records that failed since, and not because they were interrupted.
std::uint64_t failed_log_syncs();

}  // namespace lungo::test
