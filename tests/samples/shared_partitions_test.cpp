#include "shared_partitions.hpp"

#include <gtest/gtest.h>

#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

/// Partitions whose second one has an owner from a moment on.
class LateMembership : public Membership {
 public:
  LateMembership(Clock& clock, Instant from) : clock_(clock), from_(from) {}
  Result<Token> join(const std::vector<std::string>& topics, MembershipListener& listener) override {
    EXPECT_EQ(topics, std::vector<std::string>{"events"});
    listener.opened({});
    return Token{std::make_shared<int>()};
  }
  Result<std::vector<TopicPartition>> mine() override { return std::vector<TopicPartition>{}; }
  Result<std::optional<Owner>> owner_of(const TopicPartition& partition) override {
    if (partition.partition == PartitionId{0}) return std::optional{Owner{.is_me = true}};
    if (clock_.monotonic() < from_) return std::optional<Owner>{};
    return std::optional{Owner{.endpoint = "another"}};
  }

 private:
  Clock& clock_;
  const Instant from_;
};

class SharedEvents : public MemoryEventLog {
 public:
  SharedEvents(Ports ports, Duration late)
      : MemoryEventLog(ports), late_(std::make_shared<LateMembership>(ports.clock, ports.clock.monotonic() + late)) {
    create_topic({.name = "events", .partitions = 2, .streams = true}).value();
  }
  std::shared_ptr<Membership> membership() override { return late_; }

 private:
  const std::shared_ptr<Membership> late_;
};

TEST(SharedPartitions, AreWaitedForUntilEachHasAnOwner) {
  Simulation simulation{1};
  SharedEvents log{simulation.ports(), 5s};
  const Instant begun = simulation.clock.monotonic();
  ASSERT_TRUE(tracker::SharedPartitions::join(log, {"events"}, 30s));
  EXPECT_GE(simulation.clock.monotonic() - begun, 5s);
  EXPECT_LT(simulation.clock.monotonic() - begun, 6s);
}

TEST(SharedPartitions, ThatNobodyHasAreNamed) {
  Simulation simulation{1};
  SharedEvents log{simulation.ports(), 60s};
  const auto shared = tracker::SharedPartitions::join(log, {"events"}, 30s);
  ASSERT_FALSE(shared);
  EXPECT_EQ(to_string(shared.error()), "timed_out: nobody has partition events-1 of the log yet");
}

TEST(SharedPartitions, OfALogOfOnesOwnAreThereAtOnce) {
  Simulation simulation{1};
  MemoryEventLog log{simulation.ports()};
  log.create_topic({.name = "events", .partitions = 2, .streams = true}).value();
  const Instant begun = simulation.clock.monotonic();
  ASSERT_TRUE(tracker::SharedPartitions::join(log, {"events"}, 30s));
  EXPECT_EQ(simulation.clock.monotonic(), begun);
}

}  // namespace
}  // namespace lungo::test
