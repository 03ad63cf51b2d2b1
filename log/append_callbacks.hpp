// Completions and notifications run through here: one that throws harms nobody, and an append knows whether it is inside one.
#pragma once

#include <lungo/log/event_log.hpp>

namespace lungo {

/// True on a thread that runs a completion or a notification: it must not wait for a lead that it holds itself.
bool inside_callback();

class InsideCallback {
 public:
  InsideCallback();
  ~InsideCallback();
  InsideCallback(const InsideCallback&) = delete;
  InsideCallback& operator=(const InsideCallback&) = delete;
};

void run(const Completion& completion, Result<Appended> outcome);

}  // namespace lungo
