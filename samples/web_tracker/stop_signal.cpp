#include "stop_signal.hpp"

#include <pthread.h>

#include <atomic>

namespace tracker {
namespace {

std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

constexpr int kOurs[] = {SIGINT, SIGTERM, SIGHUP};

void on_signal(int number) { received = number; }

}  // namespace

void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (const int number : kOurs) sigaction(number, &action, nullptr);
}

int stop_signal() { return received; }

SignalsHeldBack::SignalsHeldBack() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : kOurs) sigaddset(&ours, number);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
}

SignalsHeldBack::~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace tracker
