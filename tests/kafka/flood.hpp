// Appends that are always under way, to one stream in each partition, so that a transaction is open all the time. What each of
// them was answered is kept by its value, which no other has. Threads: end() waits for what completions do.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <lungo/log/event_log.hpp>

#include "tests/support/records.hpp"

namespace lungo::test {

class Flood {
 public:
  Flood(std::shared_ptr<EventLog> log, std::string topic, std::vector<std::string> keys)
      : log_(std::move(log)), topic_(std::move(topic)), keys_(std::move(keys)) {
    for (int i = 0; i < kOutstanding; ++i) next();
  }
  /// Waits until all are answered.
  void end() {
    is_over_ = true;
    while (outstanding_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }

  std::mutex mutex;
  std::set<std::string> written;               // values whose append was confirmed
  std::map<std::string, std::string> refused;  // the others, and why

 private:
  static constexpr int kOutstanding = 400;

  void next() {
    const int number = ++numbers_;
    const auto partition = static_cast<std::size_t>(number) % keys_.size();
    const std::string value = "flood " + std::to_string(number);
    ++outstanding_;
    log_->append(append_of({topic_, PartitionId{static_cast<std::int32_t>(partition)}}, keys_[partition], value),
                 [this, value](const Result<Appended>& outcome) { answered(value, outcome); });
  }
  void answered(const std::string& value, const Result<Appended>& outcome) {
    {
      const std::lock_guard lock(mutex);
      if (outcome) {
        written.insert(value);
      } else {
        refused.emplace(value, to_string(outcome.error()));
      }
    }
    if (!is_over_) next();
    --outstanding_;
  }

  const std::shared_ptr<EventLog> log_;
  const std::string topic_;
  const std::vector<std::string> keys_;
  std::atomic<int> numbers_{0};
  std::atomic<int> outstanding_{0};
  std::atomic<bool> is_over_{false};
};

}  // namespace lungo::test
