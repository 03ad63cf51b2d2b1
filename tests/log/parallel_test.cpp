// Goal: each piece of work is done once, several at a time and no more than asked for, and a failure comes out where it is
// waited for. On threads and in the simulation.
#include "parallel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "runner_posix.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

TEST(Parallel, EachJobRunsOnce) {
  const std::unique_ptr<Executor> executor = make_thread_executor();
  for (const std::size_t count : {0, 1, 3, 4, 1'000}) {
    std::vector<std::atomic<int>> runs(count);
    run_in_parallel(*executor, 4, count, [&](std::size_t job) { runs[job].fetch_add(1); });
    for (const std::atomic<int>& times : runs) EXPECT_EQ(times.load(), 1);
  }
}

TEST(Parallel, AsManyRunAtATimeAsAskedFor) {
  constexpr int kWidth = 3;
  const std::unique_ptr<Executor> executor = make_thread_executor();
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  run_in_parallel(*executor, kWidth, 60, [&](std::size_t job) {
    const int now = running.fetch_add(1) + 1;
    for (int before = most.load(); before < now && !most.compare_exchange_weak(before, now);) continue;
    // The first ones wait for each other.
    while (job < kWidth && most.load() < kWidth) std::this_thread::yield();
    running.fetch_sub(1);
  });
  EXPECT_EQ(most.load(), kWidth);
}

TEST(Parallel, TheFirstExceptionIsThrownWhenTheOthersAreDone) {
  const std::unique_ptr<Executor> executor = make_thread_executor();
  for (const std::size_t width : {1, 4}) {
    std::atomic<int> running{0};
    std::atomic<int> begun{0};
    const auto job = [&](std::size_t number) {
      running.fetch_add(1);
      begun.fetch_add(1);
      if (number == 5) {
        running.fetch_sub(1);
        throw std::runtime_error("the sixth");
      }
      running.fetch_sub(1);
    };
    EXPECT_THROW(run_in_parallel(*executor, width, 1'000'000, job), std::runtime_error);
    EXPECT_EQ(running.load(), 0);
    EXPECT_LT(begun.load(), 1'000'000);
  }
}

TEST(Parallel, InASimulationTheSeedDrawsTheOrder) {
  const auto order_of = [](std::uint64_t seed) {
    Simulation simulation(seed);
    std::vector<std::size_t> order;
    run_in_parallel(simulation.executor, 4, 20, [&](std::size_t job) { order.push_back(job); });
    return order;
  };
  std::set<std::vector<std::size_t>> orders;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::vector<std::size_t> order = order_of(seed);
    EXPECT_EQ(order, order_of(seed));
    orders.insert(order);
    std::ranges::sort(order);
    for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
    EXPECT_EQ(order.size(), 20u);
  }
  EXPECT_GT(orders.size(), 5u);
}

}  // namespace
}  // namespace lungo::test
