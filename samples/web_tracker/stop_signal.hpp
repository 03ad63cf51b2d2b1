// The signals that ask the program to stop in good order: SIGINT, SIGTERM, SIGHUP.
//
// Threads: listen_to_signals() and SignalsHeldBack on the main thread; stop_signal() any.
#pragma once

#include <csignal>

namespace tracker {

void listen_to_signals();
/// The one that came last; 0 while none has.
int stop_signal();

/// While it lives, threads that are started leave our signals alone, so that they reach the main thread and wake its reads.
class SignalsHeldBack {
 public:
  SignalsHeldBack();
  ~SignalsHeldBack();
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_;
};

}  // namespace tracker
