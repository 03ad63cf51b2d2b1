#include "waiters.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace lungo {
namespace {

TEST(CommitWaiters, FiresOnceAndOnlyWhenTheEndHasPassed) {
  CommitWaiters waiters;
  int calls = 0;
  const auto token = waiters.add(Offset{5}, [&] { ++calls; });
  waiters.fire_above(Offset{5});
  EXPECT_EQ(calls, 0) << "5 is not above 5";
  waiters.fire_above(Offset{6});
  waiters.fire_above(Offset{7});
  EXPECT_EQ(calls, 1);
}

TEST(CommitWaiters, DestroyedTokenIsNeverCalled) {
  CommitWaiters waiters;
  int calls = 0;
  auto token = waiters.add(Offset{0}, [&] { ++calls; });
  token.reset();
  waiters.fire_all();
  EXPECT_EQ(calls, 0);
}

TEST(CommitWaiters, CallbackMayDestroyItsOwnTokenAndSubscribeAgain) {
  CommitWaiters waiters;
  int calls = 0;
  std::shared_ptr<void> token;
  const auto big = std::make_shared<std::string>(1000, 'x');  // a capture whose early death a sanitizer would see
  std::function<void()> again = [&, big] {
    ++calls;
    EXPECT_EQ(big->size(), 1000u);
    token = waiters.add(Offset{calls}, again);
  };
  token = waiters.add(Offset{0}, again);
  waiters.fire_above(Offset{1});
  waiters.fire_above(Offset{2});
  EXPECT_EQ(calls, 2);
}

TEST(CommitWaiters, TokenMayOutliveTheList) {
  std::shared_ptr<void> token;
  {
    CommitWaiters waiters;
    token = waiters.add(Offset{0}, [] {});
  }
  token.reset();
}

// Method: one thread fires without pause, another subscribes and at once destroys what the callback writes to.
TEST(CommitWaiters, DestroyingATokenWaitsForItsCallback) {
  CommitWaiters waiters;
  std::atomic<bool> stop{false};
  std::thread firing([&] {
    while (!stop) {
      waiters.fire_all();
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    auto written = std::make_unique<int>(0);
    auto token = waiters.add(Offset{0}, [&written] { ++*written; });
    if (i % 2 == 0) std::this_thread::yield();
    token.reset();
    EXPECT_LE(*written, 1);
    written.reset();
  }
  stop = true;
  firing.join();
}

}  // namespace
}  // namespace lungo
