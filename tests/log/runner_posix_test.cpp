#include "runner_posix.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <lungo/log/check.hpp>
#include <new>
#include <thread>
#include <vector>

#include "tests/support/quiet_log.hpp"

namespace lungo {
namespace {

constexpr Duration kPatience = std::chrono::seconds{20};  // never reached unless the test fails

Instant now() { return std::chrono::steady_clock::now(); }

/// Counts its steps and tells the executor; asks for what `next` says.
class Counter : public Activity {
 public:
  explicit Counter(Executor& executor) : executor_(executor) {}
  Instant step(Instant at) override {
    steps.fetch_add(1);
    executor_.notify();
    return next ? next(at) : Instant::max();
  }
  std::string_view name() const override { return "counter"; }
  bool gives_way() const override { return is_patient; }
  bool may_step_again() const override { return may_repeat; }
  bool reaches(int count) {
    return executor_.wait_until([&] { return steps.load() >= count; }, now() + kPatience);
  }

  std::atomic<int> steps{0};
  std::function<Instant(Instant)> next;
  bool is_patient = false;
  bool may_repeat = false;

 private:
  Executor& executor_;
};

TEST(ThreadExecutor, FirstStepComesAtOnceAndFurtherOnesWithEachWake) {
  const auto executor = make_thread_executor();
  Counter counter(*executor);
  const auto running = executor->start(counter);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(counter.reaches(i));
    running->wake();
  }
}

TEST(ThreadExecutor, PastTimeMeansAtOnce) {
  const auto executor = make_thread_executor();
  Counter counter(*executor);
  counter.next = [](Instant at) { return at; };
  const auto running = executor->start(counter);
  EXPECT_TRUE(counter.reaches(1000));
}

TEST(ThreadExecutor, DestroyedHandleStepsNoMore) {
  const auto executor = make_thread_executor();
  Counter counter(*executor);
  counter.next = [](Instant at) { return at; };
  auto running = executor->start(counter);
  ASSERT_TRUE(counter.reaches(10));
  running.reset();
  const int steps = counter.steps.load();
  std::this_thread::yield();
  EXPECT_EQ(counter.steps.load(), steps);
}

class ThreadExecutorThatMeets : public testing::TestWithParam<bool> {};

TEST_P(ThreadExecutorThatMeets, AnExceptionStopsOnlyItsActivity) {
  const auto executor = make_thread_executor();
  Counter broken(*executor);
  broken.next = [](Instant) -> Instant {
    if (GetParam()) throw invariant_broken("on purpose");
    throw 7;
  };
  Counter healthy(*executor);
  const auto running_broken = executor->start(broken);
  const auto running = executor->start(healthy);
  ASSERT_TRUE(broken.reaches(1));
  ASSERT_TRUE(healthy.reaches(1));  // a wake before the first step asks for no more than that one
  running_broken->wake();
  running->wake();
  EXPECT_TRUE(healthy.reaches(2));
  EXPECT_EQ(broken.steps.load(), 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ThreadExecutorThatMeets, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "ABrokenInvariant" : "SomethingElse"; });

TEST(ThreadExecutor, WaitEndsAtItsDeadline) {
  const auto executor = make_thread_executor();
  const Instant deadline = now() + std::chrono::milliseconds{5};
  EXPECT_FALSE(executor->wait_until([] { return false; }, deadline));
  EXPECT_GE(now(), deadline);
}

TEST(ThreadExecutor, AStepWithoutMemoryIsMadeAgainWhereItMayBe) {
  const test::SilentLog silent;
  const auto executor = make_thread_executor();
  for (const bool may_step_again : {true, false}) {
    Counter counter(*executor);
    counter.may_repeat = may_step_again;
    std::atomic<int> thrown = 0;
    counter.next = [&](Instant) -> Instant {
      if (thrown.fetch_add(1) < 2) throw std::bad_alloc{};
      return Instant::max();
    };
    const auto running = executor->start(counter);
    EXPECT_EQ(executor->wait_until([&] { return counter.steps.load() == 3; },
                                   now() + (may_step_again ? kPatience : std::chrono::milliseconds{200})),
              may_step_again);
    EXPECT_EQ(counter.steps.load(), may_step_again ? 3 : 1);
  }
}

TEST(ThreadExecutor, WhatGivesWayRunsBelowTheOthers) {
  const auto nice = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
  const auto executor = make_thread_executor();
  std::atomic<int> found = INT_MIN;
  const auto nice_of_step = [&](bool is_patient) {
    Counter counter(*executor);
    counter.is_patient = is_patient;
    counter.next = [&](Instant) {
      found = nice();
      found.notify_one();
      return Instant::max();
    };
    const auto running = executor->start(counter);
    found.wait(INT_MIN);
    return found.exchange(INT_MIN);
  };
  EXPECT_EQ(nice_of_step(false), nice());
  EXPECT_EQ(nice_of_step(true), std::min(nice() + 5, 19));
}

TEST(ThreadExecutor, NoNotificationIsLostBetweenManyThreads) {
  const auto executor = make_thread_executor();
  constexpr int kRounds = 2000;
  std::atomic<int> ball{0};
  std::vector<std::thread> players;
  for (int me = 0; me < 2; ++me) {
    players.emplace_back([&, me] {
      for (int round = 0; round < kRounds; ++round) {
        const int turn = 2 * round + me;
        EXPECT_TRUE(executor->wait_until([&] { return ball.load() == turn; }, now() + kPatience));
        ball.store(turn + 1);
        executor->notify();
      }
    });
  }
  for (std::thread& player : players) player.join();
  EXPECT_EQ(ball.load(), 2 * kRounds);
}

TEST(ThreadExecutor, ActivityThreadLeavesSignalsToTheApplication) {
  const auto executor = make_thread_executor();
  Counter counter(*executor);
  std::atomic<bool> blocked{false};
  counter.next = [&](Instant) {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
    return Instant::max();
  };
  auto running = executor->start(counter);
  ASSERT_TRUE(counter.reaches(1));
  running.reset();
  EXPECT_TRUE(blocked.load());
  sigset_t mine;
  pthread_sigmask(SIG_BLOCK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGINT), 0);
}

}  // namespace
}  // namespace lungo
