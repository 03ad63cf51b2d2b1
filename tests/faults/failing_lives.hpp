// A life of the embedded log in a process of its own, for each call that may fail in it: of each kind the first, the second,
// ... until none is left to fail, once and from then on, with each error. Time and threads are simulated, so that the same
// calls come in the same order each time.
//
// What it is answered a life writes into a report, in memory that it shares with its parent, who looks at what is there when it
// has gone. Threads: one.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <new>
#include <ostream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <lungo/log/result.hpp>

#include "tests/faults/failing_calls.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {

constexpr unsigned kLifeSecondsMax = 20;

/// What every life reports.
struct LifeReport {
  std::uint64_t fired = 0;
  char refusal[400] = {};  // the first one; none: ""
  char problem[400] = {};

  /// Passes the answer on, as it is asked for by `if`.
  template <class Done>
  bool is_refused(const Done& done) {
    if (!done && refusal[0] == 0) std::snprintf(refusal, sizeof refusal, "%s", to_string(done.error()).c_str());
    return !done;
  }
  void note_problem(const char* what, const std::string& how) {
    if (problem[0] == 0) std::snprintf(problem, sizeof problem, "%s: %s", what, how.c_str());
  }
};

template <class Report>
class SharedReport {
  static_assert(std::is_trivially_destructible_v<Report>);

 public:
  SharedReport()
      : report_(
            static_cast<Report*>(::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (report_ == MAP_FAILED) throw std::runtime_error("no shared memory");
    new (report_) Report;
  }
  ~SharedReport() { ::munmap(report_, sizeof(Report)); }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  Report& operator*() const { return *report_; }
  Report* operator->() const { return report_; }

 private:
  Report* const report_;
};

/// Runs `life` in a process of its own; how that ended.
inline int run_apart(LifeReport& report, const std::function<void()>& life) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kLifeSecondsMax);
    life();
    report.fired = fired();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/// What nobody has to know of.
inline bool is_harmless(int error) { return error == EINTR || error == kShort; }

struct FaultKind {
  CallKind call;
  std::vector<int> errors;   // the first one of the first call, the second one of the second call, and round again
  bool at_once = false;      // of what is harmless: at all calls in one life
  bool takes_turns = false;  // odd calls fail once, even ones with all behind them
};

inline std::vector<int> harmless_errors(CallKind call) {
  const bool has_parts = call == CallKind::write || call == CallKind::read || call == CallKind::copy;
  return has_parts ? std::vector{EINTR, kShort} : std::vector{EINTR};
}

/// A kind for each error.
inline std::vector<FaultKind> each_error(const std::vector<CallKind>& calls) {
  std::vector<FaultKind> all;
  for (const CallKind call : calls) {
    for (const int error : {EIO, ENOSPC, ENOMEM}) all.push_back({call, {error}});
    for (const int error : harmless_errors(call)) all.push_back({call, {error}});
  }
  return all;
}

/// For lives that take long: one error after the other, and what is harmless at once.
inline std::vector<FaultKind> errors_in_turn(const std::vector<CallKind>& calls, bool takes_turns) {
  std::vector<FaultKind> all;
  for (const CallKind call : calls) {
    all.push_back({.call = call, .errors = {EIO, ENOSPC, ENOMEM}, .takes_turns = takes_turns});
    for (const int error : harmless_errors(call)) all.push_back({.call = call, .errors = {error}, .at_once = true});
  }
  return all;
}

inline std::string to_string(const FaultKind& kind) {
  std::string name{to_string(kind.call)};
  for (const int error : kind.errors) name += std::string("_") + (error == kShort ? "SHORT" : strerrorname_np(error));
  return name;
}
inline std::ostream& operator<<(std::ostream& out, const FaultKind& kind) { return out << to_string(kind); }
inline std::string name_of(const testing::TestParamInfo<FaultKind>& kind) { return to_string(kind.param); }

/// `run` is a life in a directory that is not there yet, which arms the fault; `look` is what has to hold of it afterwards.
template <class Report>
void let_every_call_fail(const FaultKind& kind,
                         const std::function<void(const std::string& directory, const CallFault&, Report&)>& run,
                         const std::function<void(const std::string& directory, const Report&)>& look) {
  int failed = 0;
  for (const bool for_ever : {false, true}) {
    if (kind.at_once && !for_ever) continue;
    bool fails = true;
    for (std::uint64_t number = 1; fails; ++number) {
      if (kind.takes_turns && for_ever != (number % 2 == 0)) continue;
      const int error = kind.errors[(number + (for_ever ? 1 : 0)) % kind.errors.size()];
      const CallFault fault{.kind = kind.call, .number = number, .error = error, .for_ever = for_ever};
      SCOPED_TRACE(to_string(fault));
      const MemoryDirectory place;
      const std::string directory = place / "data";
      const SharedReport<Report> report;
      const int status = run_apart(*report, [&] { run(directory, fault, *report); });
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "ended with " << status;
      ASSERT_STREQ(report->problem, "");
      fails = report->fired > 0;
      if (is_harmless(error) || !fails) {
        ASSERT_STREQ(report->refusal, "");
      }
      ASSERT_NO_FATAL_FAILURE(look(directory, *report));
      failed += fails ? 1 : 0;
      if (kind.at_once) break;
    }
  }
  std::printf("%d lives with faults\n", failed);
  EXPECT_GT(failed, 0) << "none of these calls was made";
}

}  // namespace lungo::test
