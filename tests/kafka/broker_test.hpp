// For tests of librdkafka's wrappers over real brokers: names that no other test has used, and a tail that keeps what came.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <lungo/log/ports.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/broker_causes.hpp"
#include "client/rdk_admin.hpp"
#include "client/rdk_group.hpp"
#include "client/rdk_groups.hpp"
#include "client/rdk_producer.hpp"
#include "client/rdk_tail.hpp"
#include "tests/kafka/brokers.hpp"

namespace lungo::test {

using namespace std::chrono_literals;

inline RecordFields record_of(std::string_view value, std::optional<std::string_view> key = "k") {
  RecordFields out{.timestamp = Timestamp{1s}, .value = as_bytes(value)};
  if (key) out.key = as_bytes(*key);
  return out;
}

class BrokerTest : public testing::Test {
 protected:
  BrokerTest() : run_(std::to_string(ports_.ports().clock.now().time_since_epoch().count())) {
    options.hosts = kafka_address();
    causes = std::make_shared<BrokerCauses>(options, ports_.ports().clock);
  }

  void SetUp() override {
    admin = RdkAdmin::open(options, causes).value();
    groups = std::make_unique<RdkGroups>(options, causes);
  }

  /// `stem-` and what makes it this test's alone.
  std::string name(const std::string& stem) {
    return stem + "-" + testing::UnitTest::GetInstance()->current_test_info()->name() + "-" + run_ + "-" +
           std::to_string(++names_);
  }
  /// One of its own, which the broker has made when this returns.
  std::string topic(std::int32_t partitions = 1, const RdkSettings& settings = {}) {
    const std::string made = name("topic");
    const Result<void> result = admin->create_topic({.name = made, .partitions = partitions, .settings = settings}, 10s);
    EXPECT_TRUE(result) << result.error();
    return made;
  }
  std::unique_ptr<RdkProducer> producer(const std::string& id) { return producer(id, options); }
  std::unique_ptr<RdkProducer> producer(const std::string& id, const RdkOptions& with) {
    auto made = RdkProducer::open(with, id, causes).value();
    const RdkOutcome outcome = made->init(20s);
    EXPECT_TRUE(outcome.ok()) << outcome.error;
    return made;
  }

  RdkOptions options;
  std::shared_ptr<BrokerCauses> causes;
  std::unique_ptr<RdkAdmin> admin;
  std::unique_ptr<RdkGroups> groups;

 private:
  PosixPorts ports_;
  const std::string run_;
  int names_ = 0;
};

/// Reads one partition and keeps what came.
class TailOf {
 public:
  TailOf(const RdkOptions& options, std::shared_ptr<BrokerCauses> causes, TopicPartition partition, Offset from = Offset{0})
      : tail_(RdkTail::open(options, "tail", std::move(causes)).value()), partition_(std::move(partition)) {
    EXPECT_TRUE(tail_->assign({{partition_, from}}));
  }

  bool poll_until(const std::function<bool()>& holds, std::chrono::seconds most = 30s) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      const RdkFetched fetched = tail_->poll(50ms, 10'000).value();
      for (const RdkRun& run : fetched.runs) {
        for (const RdkRecord& record : run.records) {
          offsets.push_back(record.offset.value());
          time_kind = record.time_kind;
        }
        if (run.end) end = run.end;
        if (run.error) errors.push_back(*run.error);
      }
    }
    return true;
  }
  bool poll_to(std::int64_t wanted) {
    return poll_until([&] { return end == Offset{wanted}; });
  }
  RdkTail& operator*() { return *tail_; }

  std::vector<std::int64_t> offsets;
  std::optional<Offset> end;
  std::optional<TimestampKind> time_kind;
  std::vector<Error> errors;

 private:
  std::unique_ptr<RdkTail> tail_;
  TopicPartition partition_;
};

}  // namespace lungo::test
