#include "client/read_back.hpp"

#include <algorithm>

#include <lungo/log/deadline.hpp>

namespace lungo {

void ReadBack::committed(const TopicPartition& partition, Offset end) {
  const std::lock_guard lock(mutex_);
  Offset& known = missing_[partition];
  known = std::max(known, end);
}

void ReadBack::forget(std::string_view topic) {
  const std::lock_guard lock(mutex_);
  std::erase_if(missing_, [topic](const auto& one) { return one.first.topic == topic; });
}

bool ReadBack::is_committed_above(const TopicPartition& partition, Offset end) const {
  const std::lock_guard lock(mutex_);
  const auto found = missing_.find(partition);
  return found != missing_.end() && found->second > end;
}

Result<void> ReadBack::wait(const TopicPartition& partition, Duration timeout) {
  Offset wanted;
  {
    const std::lock_guard lock(mutex_);
    const auto found = missing_.find(partition);
    if (found == missing_.end()) return {};
    wanted = found->second;
  }
  const auto is_read = [&] { return read(partition) >= wanted; };
  if (!is_read() && !ports_.executor.wait_until(is_read, deadline_after(ports_.clock.monotonic(), timeout))) {
    return Error{Errc::timed_out, to_string(partition) + " is committed up to offset " + std::to_string(wanted.value()) +
                                      ", and read back up to " + std::to_string(read(partition).value())};
  }
  const std::lock_guard lock(mutex_);
  const auto found = missing_.find(partition);
  if (found != missing_.end() && found->second <= wanted) missing_.erase(found);
  return {};
}

Offset ReadBack::read(const TopicPartition& partition) {
  const Result<Ends> ends = mirror_.reads().ends(partition);
  return ends ? ends->committed : Offset{};
}

}  // namespace lungo
