#include "synced_load.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "lungo_store.hpp"

namespace lungo::bench {

SyncedLoad::SyncedLoad(EventLog& log, std::chrono::microseconds pace) : log_(log), pace_(pace) {
  static_cast<void>(log_.create_topic(topic_spec("load", Durability::synced)).value());
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void SyncedLoad::stop() {
  thread_.request_stop();
  thread_.join();
  if (failed_) throw std::runtime_error("an append of the load failed");
}

void SyncedLoad::run(const std::stop_token& stop) {
  using std::chrono::steady_clock;
  const std::string value(100, 'v');
  const TopicPartition to{"load", PartitionId{0}};
  for (steady_clock::time_point due = steady_clock::now(); !stop.stop_requested() && !failed_;) {
    due = std::max(due + pace_, steady_clock::now());  // what the disk held up is not made up for
    failed_ = !append_wait(log_, request_of(to, value, 1, true));
    std::this_thread::sleep_until(due);
  }
}

}  // namespace lungo::bench
