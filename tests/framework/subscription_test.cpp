#include <lungo/framework/subscription.hpp>

#include <gtest/gtest.h>

#include <set>

#include <lungo/log/check.hpp>
#include "tests/support/log_lines.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace subscription_tests {

using namespace lungo;
using namespace std::chrono_literals;

struct SignedUp {
  std::int64_t number = 0;
};
struct Ignored {
  std::int64_t number = 0;
};

class SubscriptionTest : public testing::Test {
 protected:
  SubscriptionTest() : log(std::make_shared<test::MemoryEventLog>(simulation.ports())), store(log) {
    EXPECT_TRUE(store.stream_topic("events", 4));
  }

  void sign_up(int from, int to) {
    EventBatch batch = store.batch("events").value();
    for (int number = from; number < to; ++number) {
      ASSERT_TRUE(batch.add(StreamId("User", std::to_string(number % 17)), SignedUp{number}));
      if (number % 10 != 0) continue;
      ASSERT_TRUE(batch.add(StreamId("User", std::to_string(number % 17)), Ignored{number}));
    }
    ASSERT_TRUE(store.append_wait(std::move(batch)));
  }
  std::unique_ptr<Subscription> subscribe(SubscriptionOptions options = {}) {
    auto subscription = std::make_unique<Subscription>(store, "mails", std::move(options));
    subscription->on<SignedUp>([this](const Envelope&, const SignedUp& e) {
      if (failing.contains(e.number)) throw std::runtime_error("no mail for " + std::to_string(e.number));
      handled.insert(e.number);
    });
    return subscription;
  }
  void expect_each_once(int from, int to) {
    ASSERT_EQ(handled.size(), static_cast<std::size_t>(to - from));
    int number = from;
    for (const std::int64_t seen : handled) EXPECT_EQ(seen, number++);
  }

  test::Simulation simulation{1};
  std::shared_ptr<test::MemoryEventLog> log;
  EventStore store;
  std::multiset<std::int64_t> handled;
  std::set<std::int64_t> failing;
};

TEST_F(SubscriptionTest, CatchesUpAndThenGoesLive) {
  sign_up(0, 1000);
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 1000);
  sign_up(1000, 1010);
  simulation.executor.run_due();
  expect_each_once(0, 1010);
  EXPECT_EQ(mails->status().lag(), 0);
  EXPECT_EQ(mails->status().skipped, 101);
  ASSERT_TRUE(mails->stop());
}

TEST_F(SubscriptionTest, ABrokenInvariantStopsItAndIsShown) {
  sign_up(0, 1);
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  log->on_read([](const TopicPartition&) { check(false, "reads give what was asked for"); });
  sign_up(1, 2);
  const Result<void> caught_up = mails->catch_up(5s);
  ASSERT_FALSE(caught_up);
  EXPECT_EQ(caught_up.error(), Errc::closed);
  EXPECT_NE(caught_up.error().text().find("reads give what was asked for"), std::string_view::npos) << caught_up.error();
  EXPECT_FALSE(mails->status().running);
  EXPECT_EQ(mails->status().error, Errc::closed);
  log->on_read({});
  ASSERT_TRUE(mails->stop());
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 2);
}

TEST_F(SubscriptionTest, PositionsWhoseWriteFailedAreWrittenByTheStop) {
  sign_up(0, 100);
  {
    const auto mails = subscribe();
    ASSERT_TRUE(mails->start());
    log->fail_appends(1, Error{Errc::no_space, "full"});
    ASSERT_TRUE(mails->catch_up(5s));
    ASSERT_TRUE(mails->stop());
  }
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 100);
}

TEST_F(SubscriptionTest, PositionsWhoseWriteFailedAreWrittenAgainWhileNothingHappens) {
  sign_up(0, 100);
  {
    const auto mails = subscribe();
    ASSERT_TRUE(mails->start());
    log->fail_appends(1, Error{Errc::no_space, "full"});
    ASSERT_TRUE(mails->catch_up(5s));
    simulation.executor.run_for(2s);
    log->fail_appends(1000, Error{Errc::no_space, "full"});  // the stop can't help
    EXPECT_TRUE(mails->stop());
    log->fail_appends(0, Error{});
  }
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 100);
}

TEST_F(SubscriptionTest, ACleanStopRepeatsNothing) {
  sign_up(0, 100);
  {
    const auto mails = subscribe();
    ASSERT_TRUE(mails->start());
    ASSERT_TRUE(mails->catch_up(5s));
    ASSERT_TRUE(mails->stop());
  }
  sign_up(100, 200);
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 200);
}

TEST_F(SubscriptionTest, PositionsAreWrittenAboutOnceASecond) {
  sign_up(0, 10);
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  const std::size_t before = log->append_calls();
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(store.append("events", StreamId("User", "1"), SignedUp{round}));
    simulation.executor.run_for(100ms);
  }
  EXPECT_LE(log->append_calls() - before, 50u + 7u);
  EXPECT_GE(log->append_calls() - before, 50u + 4u);
}

TEST_F(SubscriptionTest, AStartAtTheEndStaysThere) {
  sign_up(0, 100);
  {
    const auto mails = subscribe({.topics = {"events"}, .start_from = StartFrom::end});
    ASSERT_TRUE(mails->start());
    simulation.executor.run_due();
    ASSERT_TRUE(mails->stop());
  }
  sign_up(100, 110);
  const auto mails = subscribe({.topics = {"events"}, .start_from = StartFrom::end});
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(100, 110);
}

TEST_F(SubscriptionTest, AFailingHandlerIsTriedAgain) {
  sign_up(0, 10);
  failing = {3};
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  simulation.executor.run_for(50ms);
  EXPECT_FALSE(handled.contains(3));
  failing.clear();
  ASSERT_TRUE(mails->catch_up(5s));
  expect_each_once(0, 10);
  EXPECT_EQ(mails->status().parked, 0);
}

TEST_F(SubscriptionTest, AnEventThatKeepsFailingIsParkedAndTheRestGoesOn) {
  const test::LogLines lines{"framework"};
  sign_up(0, 100);
  failing = {3};
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(60s));
  EXPECT_EQ(handled.size(), 99u);
  EXPECT_EQ(lines.count("warning", "mails parked SignedUp in events-"), 1);
  EXPECT_EQ(lines.count("warning", ": no mail for 3"), 1);
  const std::vector<ParkedEvent> parked = parked_events(store, "mails").value();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].event_type, "SignedUp");
  EXPECT_EQ(parked[0].attempts, 3);
  EXPECT_NE(parked[0].text.find("no mail for 3"), std::string::npos);
}

TEST_F(SubscriptionTest, ItsErrorIsWhatItIsTryingAgainAndGoesWithIt) {
  sign_up(0, 10);
  failing = {3};
  const auto mails = subscribe({.topics = {"events"}, .errors = {.retry = {.attempts = 5}}});
  ASSERT_TRUE(mails->start());
  simulation.executor.run_for(50ms);
  ASSERT_TRUE(mails->status().error);
  EXPECT_EQ(*mails->status().error, Errc::handler_failed) << "the other partitions went on meanwhile";
  failing.clear();
  ASSERT_TRUE(mails->catch_up(60s));
  EXPECT_FALSE(mails->status().error) << *mails->status().error;

  failing = {11};
  sign_up(10, 20);
  ASSERT_TRUE(mails->catch_up(60s));
  EXPECT_EQ(mails->status().parked, 1);
  EXPECT_FALSE(mails->status().error) << *mails->status().error;
}

TEST_F(SubscriptionTest, ThePolicyStopEndsItWithTheError) {
  sign_up(0, 100);
  failing = {3};
  const auto mails = subscribe({.topics = {"events"}, .errors = {.retry = {.attempts = 1}, .then = OnFailure::stop}});
  ASSERT_TRUE(mails->start());
  const Result<void> caught_up = mails->catch_up(60s);
  ASSERT_FALSE(caught_up);
  EXPECT_EQ(caught_up.error(), Errc::handler_failed);
  EXPECT_FALSE(mails->status().running);
}

TEST_F(SubscriptionTest, APositionThatWasCutOffIsReported) {
  sign_up(0, 100);
  {
    const auto mails = subscribe();
    ASSERT_TRUE(mails->start());
    ASSERT_TRUE(mails->catch_up(5s));
    ASSERT_TRUE(mails->stop());
  }
  for (std::int32_t partition = 0; partition < 4; ++partition) log->cut({"events", PartitionId{partition}}, Offset{0});
  const auto mails = subscribe();
  const Result<void> started = mails->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), Errc::position_diverged);
}

TEST_F(SubscriptionTest, TrimmedOffsetsAreCounted) {
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  ASSERT_TRUE(mails->stop());
  sign_up(0, 100);
  std::int64_t trimmed = 0;
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    const TopicPartition name{"events", PartitionId{partition}};
    const Offset end = log->ends(name).value().committed;
    log->trim(name, Offset{end.value() / 2});
    trimmed += end.value() / 2;
  }
  ASSERT_TRUE(mails->start());
  ASSERT_TRUE(mails->catch_up(5s));
  EXPECT_EQ(mails->status().missing, trimmed);
}

/// A log whose reads of one topic can be made to fail.
class FailingReads : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
    if (partition.topic == topic && failures > 0) {
      --failures;
      return Error{code, "the disk is away"};
    }
    return MemoryEventLog::read(partition, from, bytes_max);
  }
  std::string_view topic = kShapesTopic;
  int failures = 0;
  Errc code = Errc::timed_out;
};

// What is lost comes again with each read: nothing is skipped, and nobody asks again and again.
TEST(SubscriptionReads, DamageInTheLogStopsItWithTheReason) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<FailingReads>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("events", 1));
  int handled = 0;
  Subscription mails{store, "mails"};
  mails.on<SignedUp>([&](const Envelope&, const SignedUp&) { ++handled; });
  ASSERT_TRUE(store.append("events", StreamId("User", "1"), SignedUp{1}));
  log->topic = "events";
  log->code = Errc::corrupt;
  log->failures = 1000;
  ASSERT_TRUE(mails.start());
  const Result<void> caught_up = mails.catch_up(60s);
  ASSERT_FALSE(caught_up);
  EXPECT_EQ(caught_up.error(), Errc::corrupt);
  EXPECT_FALSE(mails.status().running);
  ASSERT_TRUE(mails.status().error);
  EXPECT_NE(mails.status().error->text().find("the disk is away"), std::string_view::npos);
  EXPECT_EQ(log->failures, 999) << "one read";
  EXPECT_EQ(mails.status().parked, 0);
  log->failures = 0;
  ASSERT_TRUE(mails.stop());
  ASSERT_TRUE(mails.start());
  ASSERT_TRUE(mails.catch_up(60s));
  EXPECT_EQ(handled, 1);
}

TEST(SubscriptionReads, ShapesThatCantBeReadForAMomentParkNothing) {
  for (const Errc code : {Errc::timed_out, Errc::io}) {
    test::Simulation simulation{1};
    const auto log = std::make_shared<FailingReads>(simulation.ports());
    EventStore writer{log};
    EventStore store{log};
    ASSERT_TRUE(writer.stream_topic("events", 1));
    int handled = 0;
    Subscription mails{store, "mails"};
    mails.on<SignedUp>([&](const Envelope&, const SignedUp&) { ++handled; });
    ASSERT_TRUE(mails.start());
    simulation.executor.run_due();
    ASSERT_TRUE(writer.append("events", StreamId("User", "1"), SignedUp{1}));
    log->code = code;
    log->failures = code == Errc::io ? 1 : 3;
    const Result<void> caught_up = mails.catch_up(60s);
    EXPECT_EQ(caught_up.has_value(), code != Errc::io) << "an error that does not pass by itself stops it";
    EXPECT_EQ(mails.status().parked, 0);
    ASSERT_TRUE(mails.stop());
    ASSERT_TRUE(mails.start());
    ASSERT_TRUE(mails.catch_up(60s));
    EXPECT_EQ(handled, 1);
    EXPECT_TRUE(parked_events(store, "mails").value().empty());
  }
}

TEST(SubscriptionReads, AReadThatFailedForAMomentIsNoErrorAnyMore) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<FailingReads>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("events", 1));
  Subscription mails{store, "mails"};
  mails.on<SignedUp>([](const Envelope&, const SignedUp&) {});
  log->topic = "events";
  log->failures = 1;
  ASSERT_TRUE(mails.start());
  simulation.executor.run_for(50ms);
  EXPECT_EQ(mails.status().error, Errc::timed_out);
  simulation.executor.run_for(5s);
  EXPECT_FALSE(mails.status().error) << "there was nothing to handle, and that was found out";
}

TEST_F(SubscriptionTest, PositionsThatCantBeWrittenAreReportedUntilTheyAre) {
  sign_up(0, 100);
  const auto mails = subscribe();
  ASSERT_TRUE(mails->start());
  log->fail_appends(2, Error{Errc::no_space, "full"});
  simulation.executor.run_for(500ms);
  ASSERT_TRUE(mails->status().error);
  EXPECT_EQ(*mails->status().error, Errc::no_space);
  simulation.executor.run_for(5s);
  EXPECT_FALSE(mails->status().error);
  EXPECT_TRUE(mails->status().running);
}

TEST_F(SubscriptionTest, PositionsThatCantBeEncodedAreReportedAndAreNoBusyLoop) {
  sign_up(0, 1);
  Subscription mails{store, std::string(std::size_t{33} << 20, 'm')};  // no record has room for its name
  mails.on<SignedUp>([](const Envelope&, const SignedUp&) {});
  ASSERT_TRUE(mails.start());
  int steps = 0;
  while (steps < 100 && simulation.executor.step_one()) ++steps;
  EXPECT_LT(steps, 100);
  EXPECT_EQ(mails.status().error, Errc::too_large);
}

}  // namespace subscription_tests
