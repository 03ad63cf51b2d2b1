#include "framework/owned_partitions.hpp"

#include <gtest/gtest.h>

#include "tests/support/simulation.hpp"
#include "tests/support/two_homes.hpp"

namespace owned_partitions_tests {

using namespace lungo;
using namespace std::chrono_literals;

/// Exits, some time after it was asked to, what it has entered.
class Worker final : public Activity {
 public:
  Worker(Ports ports, OwnedPartitions& owned, OwnedPartitions::Unit unit)
      : ports_(ports), owned_(owned), unit_(std::move(unit)), running_(ports.executor.start(*this)) {}
  Instant step(Instant now) override {
    if (!entered) {
      entered = owned_.enter(unit_);
      if (entered) ++tenures;
      return Instant::max();
    }
    last = owned_.tenure(unit_);
    if (last == Tenure::runs) return Instant::max();
    if (exits_at == Instant::max()) exits_at = now + takes;
    if (now < exits_at) return exits_at;
    exits_at = Instant::max();
    entered = false;
    owned_.exit(unit_);
    return now;  // what was opened meanwhile
  }
  [[nodiscard]] std::string_view name() const override { return "worker"; }
  void wake() { running_->wake(); }

  Duration takes{0};
  bool entered = false;
  int tenures = 0;
  Tenure last = Tenure::runs;
  Instant exits_at = Instant::max();

 private:
  Ports ports_;
  OwnedPartitions& owned_;
  const OwnedPartitions::Unit unit_;
  std::unique_ptr<RunningActivity> running_;
};

class Owned : public testing::Test {
 protected:
  Owned() {
    for (const char* name : {"in", "out"}) {
      EXPECT_TRUE(homes.shared().create_topic({.name = name, .partitions = 2, .streams = true}));
    }
    EXPECT_TRUE(owned.join(*homes.log(0), {"in", "out"}, [this] { worker.wake(); }));
  }
  ~Owned() override {
    if (worker.entered) owned.exit({in, out});
    owned.leave();
  }
  void run() { simulation.executor.run_due(); }
  Duration since(Instant begin) { return simulation.clock.monotonic() - begin; }

  test::Simulation simulation{1};
  const TopicPartition in{"in", PartitionId{0}};
  const TopicPartition out{"out", PartitionId{0}};
  test::TwoHomes homes{simulation.ports()};
  OwnedPartitions owned{simulation.ports()};
  Worker worker{simulation.ports(), owned, {in, out}};
};

TEST_F(Owned, AUnitIsEnteredWhenAllItsPartitionsAreMine) {
  homes.give(in, 0);
  run();
  EXPECT_FALSE(worker.entered);
  homes.give(TopicPartition{"out", PartitionId{1}}, 0);
  run();
  EXPECT_FALSE(worker.entered);
  homes.give(out, 0);
  run();
  EXPECT_TRUE(worker.entered);
  EXPECT_FALSE(owned.enter({in})) << "it is in use";
}

TEST_F(Owned, ClosingWaitsForWhoUsesOneOfThem) {
  homes.give(in, 0);
  homes.give(out, 0);
  run();
  worker.takes = 300ms;
  const Instant begin = simulation.clock.monotonic();
  homes.give(out, 1);
  EXPECT_FALSE(worker.entered);
  EXPECT_EQ(worker.last, Tenure::ends);
  EXPECT_GE(since(begin), 300ms);
  EXPECT_LT(since(begin), 1s);
  run();
  EXPECT_FALSE(worker.entered) << "the other one is not enough";
}

TEST_F(Owned, ClosingEndsAtItsDeadlineAndWhoIsLateIsTold) {
  homes.give(in, 0);
  homes.give(out, 0);
  run();
  worker.takes = 8s;
  const Instant begin = simulation.clock.monotonic();
  homes.give(in, 1);
  EXPECT_GE(since(begin), 5s);
  EXPECT_LT(since(begin), 6s);
  EXPECT_TRUE(worker.entered);
  EXPECT_EQ(owned.tenure({in, out}), Tenure::is_over);
  homes.give(in, 0);
  EXPECT_EQ(owned.tenure({in, out}), Tenure::is_over) << "it is the next tenure";
  simulation.executor.run_for(5s);
  EXPECT_TRUE(worker.entered);
  EXPECT_EQ(worker.tenures, 2);
  EXPECT_EQ(owned.tenure({in, out}), Tenure::runs);
}

TEST_F(Owned, LostWaitsForTheStepUnderWay) {
  homes.give(in, 0);
  homes.give(out, 0);
  run();
  worker.takes = 300ms;
  homes.take(in, 1);
  run();
  EXPECT_TRUE(worker.entered) << "nobody has said so";
  const Instant begin = simulation.clock.monotonic();
  homes.tell_lost();
  EXPECT_FALSE(worker.entered);
  EXPECT_EQ(worker.last, Tenure::is_over);
  EXPECT_GE(since(begin), 300ms);
}

TEST_F(Owned, TheOtherProcessIsKnownAndNobodyIsNot) {
  EXPECT_FALSE(owned.is_anothers({in, out}));
  homes.give(out, 1);
  EXPECT_TRUE(owned.is_anothers({in, out}));
  EXPECT_FALSE(owned.is_anothers({in}));
  homes.give(in, 0);
  EXPECT_FALSE(owned.is_anothers({in}));
}

TEST_F(Owned, NothingIsToldBehindLeave) {
  owned.leave();
  homes.give(in, 0);
  homes.give(out, 0);
  run();
  EXPECT_FALSE(worker.entered);
}

}  // namespace owned_partitions_tests
