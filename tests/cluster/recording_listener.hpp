// A member's listener that keeps what it is told, for tests of groups.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/rdk_group.hpp"

namespace lungo::test {

class RecordingListener : public RdkGroupListener {
 public:
  void assigned(const std::vector<TopicPartition>& partitions, const RdkGroupMetadata& now) override {
    told.push_back("assigned " + std::to_string(partitions.size()));
    owned = partitions;
    metadata = now;
    if (on_call) on_call();
  }
  void revoked(const std::vector<TopicPartition>& partitions) override {
    told.push_back("revoked " + std::to_string(partitions.size()));
    owned.clear();
    if (on_call) on_call();
  }
  void lost(const std::vector<TopicPartition>& partitions) override {
    told.push_back("lost " + std::to_string(partitions.size()));
    owned.clear();
    if (on_call) on_call();
  }

  /// Polls until `holds`, at most half a minute. What the group says meanwhile is in `errors`.
  bool poll_until(RdkGroup& group, const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      const Result<void> polled = group.poll(std::chrono::milliseconds(20));
      if (!polled) errors.push_back(polled.error());
    }
    return true;
  }

  std::vector<std::string> told;
  std::vector<TopicPartition> owned;
  RdkGroupMetadata metadata;
  std::vector<Error> errors;
  std::function<void()> on_call;
};

}  // namespace lungo::test
