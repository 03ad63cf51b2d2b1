// The step of an activity that ends for good where one breaks, as memory is short or an invariant does not hold.
//
// Promise: behind a step that broke there is none but `fail`, which is made again where memory is short there, too: the
// activity says may_step_again(). Threads: the activity's.
#pragma once

#include <exception>
#include <string>

#include <lungo/log/log_text.hpp>
#include <lungo/log/types.hpp>

namespace lungo {

class GuardedStep {
 public:
  /// `what` happens then, for people.
  template <class Work, class Fail>
  Instant step(const char* what, Work work, Fail fail) {
    if (!is_broken_) {
      is_broken_ = true;  // until it has returned
      try {
        const Instant next = work();
        is_broken_ = false;
        return next;
      } catch (const std::exception& broken) {
        log_text("kafka", Severity::error, std::string(what) + ": " + broken.what());
      }
    }
    fail();
    return Instant::max();
  }

 private:
  bool is_broken_ = false;
};

}  // namespace lungo
