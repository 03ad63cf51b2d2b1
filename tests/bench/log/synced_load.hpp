// What disturbs measured appends: a thread whose own appends wait for their sync, one after the other.
//
// As fast as the disk lets it, but no more than one each `pace`: what it writes in so many seconds has a limit then.
//
// Threads: its own, besides the case's.
#pragma once

#include <lungo/log/event_log.hpp>

#include <atomic>
#include <chrono>
#include <stop_token>
#include <thread>

namespace lungo::bench {

class SyncedLoad {
 public:
  SyncedLoad(EventLog& log, std::chrono::microseconds pace);  // `log` outlives it

  /// Ends it. Throws when one of its appends failed.
  void stop();

 private:
  void run(const std::stop_token& stop);

  EventLog& log_;
  const std::chrono::microseconds pace_;
  std::atomic<bool> failed_ = false;
  std::jthread thread_;
};

}  // namespace lungo::bench
