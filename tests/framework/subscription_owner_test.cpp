// Subscriptions of two homes: who calls the handlers, and what is handled again when a partition goes to the other home.
#include <lungo/framework/subscription.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "tests/support/simulation.hpp"
#include "tests/support/two_homes.hpp"

namespace subscription_owner_tests {

using namespace lungo;
using namespace std::chrono_literals;

struct SignedUp {
  std::int64_t number = 0;
};

constexpr std::int32_t kPartitions = 3;

TopicPartition events_in(std::int32_t id) { return {"events", PartitionId{id}}; }

/// What the handlers of both homes have seen, in order: the offsets, by partition, and who it was.
struct Handled {
  std::int64_t offset;
  int home;
};

struct Cluster {
  explicit Cluster(std::uint64_t seed) : simulation(seed), random(seed), homes(simulation.ports()) {
    EXPECT_TRUE(unowned.stream_topic("events", kPartitions));
  }
  void sign_up(int count) {
    EventBatch batch = unowned.batch("events").value();
    for (int event = 0; event < count; ++event, ++signed_up) {
      ASSERT_TRUE(batch.add(StreamId("User", std::to_string(signed_up)), SignedUp{signed_up}));
    }
    ASSERT_TRUE(unowned.append_wait(std::move(batch)));
  }
  std::unique_ptr<Subscription> start(int home, SubscriptionOptions options = {}) {
    auto mails = std::make_unique<Subscription>(EventStore{homes.log(home)}, "mails", std::move(options));
    mails->on<SignedUp>([this, home](const Envelope& envelope, const SignedUp&) {
      if (fails) throw std::runtime_error("no mail");
      if (in_handler) in_handler();
      handled[envelope.partition.value()].push_back({envelope.offset.value(), home});
    });
    const Result<void> started = mails->start();
    EXPECT_TRUE(started) << started.error();
    return mails;
  }
  void run(Duration span) { simulation.executor.run_for(span); }
  [[nodiscard]] std::size_t handled_by(int home) const {
    std::size_t count = 0;
    for (const auto& [id, of_partition] : handled) {
      for (const Handled& one : of_partition) count += one.home == home ? 1 : 0;
    }
    return count;
  }
  [[nodiscard]] std::size_t handled_in_all() const { return handled_by(0) + handled_by(1); }

  /// At least once, and in order: each event is the next one, or one that came before.
  void expect_all_handled() {
    for (std::int32_t id = 0; id < kPartitions; ++id) {
      std::int64_t next = 0;
      for (const Handled& one : handled[id]) {
        EXPECT_LE(one.offset, next) << "left out in partition " << id;
        next = std::max(next, one.offset + 1);
      }
      EXPECT_EQ(next, homes.shared().ends(events_in(id))->committed.value()) << "partition " << id;
    }
  }

  test::Simulation simulation;
  test::Random random;
  test::TwoHomes homes;
  EventStore unowned{std::shared_ptr<EventLog>(&homes.shared(), [](EventLog*) {})};
  std::int64_t signed_up = 0;
  std::map<std::int32_t, std::vector<Handled>> handled;
  bool fails = false;
  std::function<void()> in_handler;
};

TEST(Subscription, OnlyTheOwnerCallsItsHandlers) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  cluster.homes.give(events_in(1), 1);
  cluster.homes.give(events_in(2), 0);
  const auto first = cluster.start(0);
  const auto second = cluster.start(1);
  cluster.sign_up(300);
  ASSERT_TRUE(first->catch_up(5s));
  ASSERT_TRUE(second->catch_up(5s));
  EXPECT_EQ(first->status().partitions.size(), 2u);
  EXPECT_EQ(second->status().partitions.size(), 1u);
  EXPECT_EQ(cluster.handled_in_all(), 300u);
  cluster.expect_all_handled();
  ASSERT_TRUE(first->stop());
  ASSERT_TRUE(second->stop());
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST(Subscription, WaitsForWhatIsNobodys) {
  Cluster cluster{1};
  cluster.sign_up(30);
  const auto mails = cluster.start(0);
  cluster.homes.give(events_in(0), 0);
  cluster.homes.give(events_in(1), 1);
  const Result<void> waited = mails->catch_up(2s);
  ASSERT_FALSE(waited);
  EXPECT_NE(waited.error().text().find("waits for who has events-2, wanted "), std::string_view::npos) << waited.error();
  cluster.homes.give(events_in(2), 0);
  EXPECT_TRUE(mails->catch_up(2s));
}

TEST(Subscription, ClosingStoresThePositionFromWhichTheNextOwnerGoesOn) {
  Cluster cluster{1};
  cluster.homes.answer_late(1);
  for (std::int32_t id = 0; id < kPartitions; ++id) cluster.homes.give(events_in(id), 0);
  const auto first = cluster.start(0, {.position_interval = std::chrono::hours{1}});
  const auto second = cluster.start(1);
  cluster.run(1s);  // its first step stores where it begins
  cluster.sign_up(300);
  ASSERT_TRUE(first->catch_up(5s));
  for (std::int32_t id = 0; id < kPartitions; ++id) cluster.homes.give(events_in(id), 1);
  cluster.run(5s);
  const std::size_t appends = cluster.homes.shared().append_calls();
  cluster.run(30s);
  EXPECT_EQ(cluster.homes.shared().append_calls(), appends) << "nobody has anything to store";
  cluster.sign_up(300);
  ASSERT_TRUE(second->catch_up(5s));
  EXPECT_EQ(cluster.handled_in_all(), 600u) << "none twice";
  EXPECT_EQ(cluster.handled_by(0), 300u);
  cluster.expect_all_handled();
}

TEST(Subscription, CallsNoHandlerBehindTheOneDuringWhichItLost) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  const auto mails = cluster.start(0);
  cluster.in_handler = [&] {
    if (cluster.handled_by(0) != 10) return;
    cluster.homes.take(events_in(0), 1);
    cluster.homes.tell_lost();
  };
  cluster.sign_up(600);
  cluster.run(10s);
  EXPECT_EQ(cluster.handled_by(0), 11u) << "though a step has more";
  EXPECT_TRUE(mails->status().partitions.empty());
}

TEST(Subscription, WhatWasNotStoredIsHandledAgainByTheNextOwner) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  const auto first = cluster.start(0, {.position_interval = std::chrono::hours{1}});
  const auto second = cluster.start(1);
  cluster.run(1s);
  cluster.sign_up(100);
  cluster.run(1s);
  cluster.homes.take(events_in(0), 1);
  cluster.homes.tell_lost();
  cluster.run(1s);
  EXPECT_GT(cluster.handled_by(0), 0u);
  EXPECT_EQ(cluster.handled_by(1), cluster.handled_by(0)) << "from the stored position, which was the beginning";
  EXPECT_EQ(cluster.homes.refused(), 0) << "who has lost stores nothing";
  ASSERT_TRUE(first->stop());
  EXPECT_EQ(cluster.homes.refused(), 0);
}

TEST(Subscription, WaitsForOwnershipWhereItsRowsAreRefused) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  const auto mails = cluster.start(0, {.errors = {.retry = {.attempts = 1}}});
  cluster.run(1s);
  cluster.homes.take(events_in(0), 1);  // which it is not told
  cluster.fails = true;
  cluster.sign_up(30);
  cluster.run(30s);
  EXPECT_GT(cluster.homes.refused(), 0);
  ASSERT_TRUE(mails->status().running);
  EXPECT_EQ(mails->status().error, Errc::not_owner);
  EXPECT_TRUE(parked_events(cluster.unowned, "mails").value().empty());
  cluster.fails = false;
  cluster.homes.give(events_in(0), 0);
  cluster.run(30s);
  EXPECT_FALSE(mails->status().error) << *mails->status().error;
  EXPECT_EQ(mails->status().parked, 0);
  EXPECT_EQ(static_cast<std::int64_t>(cluster.handled[0].size()), cluster.homes.shared().ends(events_in(0))->committed.value());
  EXPECT_TRUE(mails->stop());
}

TEST(Subscription, ParksWhatItWasRefusedToParkBefore) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  const auto mails = cluster.start(0, {.errors = {.retry = {.attempts = 1}}, .position_interval = std::chrono::hours{1}});
  cluster.run(1s);
  cluster.fails = true;
  cluster.sign_up(30);
  cluster.homes.shared().fail_appends(1, {Errc::not_owner, "as far as the broker knows"});
  cluster.run(5s);
  EXPECT_EQ(mails->status().parked, cluster.homes.shared().ends(events_in(0))->committed.value()) << "none is left out";
}

TEST(Subscription, AStoppedOneHoldsNobodyUp) {
  Cluster cluster{1};
  cluster.homes.give(events_in(0), 0);
  cluster.fails = true;
  const auto mails = cluster.start(0, {.errors = {.retry = {.attempts = 1}, .then = OnFailure::stop}});
  cluster.sign_up(30);
  cluster.run(1s);
  ASSERT_FALSE(mails->status().running);
  const Instant begin = cluster.simulation.clock.monotonic();
  cluster.homes.give(events_in(0), 1);
  EXPECT_LT(cluster.simulation.clock.monotonic() - begin, 1s);
}

class SubscriptionHandOver : public testing::TestWithParam<std::uint64_t> {
 protected:
  SubscriptionHandOver() { cluster.homes.answer_late(GetParam()); }
  int any_home() { return static_cast<int>(cluster.random.below(2)); }
  SubscriptionOptions options() { return {.position_interval = 2ms + std::chrono::milliseconds{cluster.random.below(50)}}; }
  void run_a_little() {
    for (std::uint64_t step = cluster.random.below(60); step > 0; --step) {
      if (!cluster.simulation.executor.step_one()) cluster.simulation.clock.advance(std::chrono::microseconds{500});
    }
  }
  void move_one() {
    const TopicPartition partition = events_in(static_cast<std::int32_t>(cluster.random.below(kPartitions)));
    switch (cluster.random.below(5)) {
      case 0:
      case 1:
        return cluster.homes.give(partition, any_home());
      case 2:
        return cluster.homes.put_away(partition);
      default:
        return cluster.homes.take(partition, any_home());
    }
  }

  Cluster cluster{GetParam()};
};

TEST_P(SubscriptionHandOver, HandlesEachEventAtLeastOnceAndInOrder) {
  auto first = cluster.start(0, options());
  auto second = cluster.start(1, options());
  for (int move = 0; move < 30; ++move) {
    cluster.sign_up(20);
    run_a_little();
    if (cluster.random.one_in(10)) {
      static_cast<void>(second->stop());  // what was taken from it may refuse its last positions
      second = cluster.start(1, options());
    }
    move_one();
    if (cluster.random.one_in(3)) cluster.homes.tell_lost();
  }
  cluster.homes.tell_lost();
  for (std::int32_t id = 0; id < kPartitions; ++id) cluster.homes.give(events_in(id), any_home());
  ASSERT_TRUE(first->catch_up(60s));
  ASSERT_TRUE(second->catch_up(60s));
  EXPECT_TRUE(first->stop());
  EXPECT_TRUE(second->stop());
  cluster.expect_all_handled();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SubscriptionHandOver, testing::Range<std::uint64_t>(1, 101));

}  // namespace subscription_owner_tests
