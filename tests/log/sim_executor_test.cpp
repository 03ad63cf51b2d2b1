#include "tests/support/sim_executor.hpp"

#include <gtest/gtest.h>

namespace lungo::test {
namespace {

using std::chrono::milliseconds;

/// Wants a step every `period`, and notes when it got one.
class Ticker : public Activity {
 public:
  Ticker(std::string name, Duration period) : name_(std::move(name)), period_(period) {}
  Instant step(Instant now) override {
    ++steps;
    return period_ == Duration::max() ? Instant::max() : now + period_;
  }
  std::string_view name() const override { return name_; }
  int steps = 0;

 private:
  std::string name_;
  Duration period_;
};

TEST(SimExecutor, WaitStepsDueActivitiesAndMovesTime) {
  ManualClock clock;
  SimExecutor executor(clock, 1);
  Ticker ticker("tick", milliseconds{10});
  const auto running = executor.start(ticker);
  const Instant begin = clock.monotonic();
  EXPECT_TRUE(executor.wait_until([&] { return ticker.steps == 5; }, begin + std::chrono::seconds{1}));
  EXPECT_GE(clock.monotonic() - begin, milliseconds{40});
  EXPECT_LT(clock.monotonic() - begin, milliseconds{41});
}

TEST(SimExecutor, DeadlineEndsTheWait) {
  ManualClock clock;
  SimExecutor executor(clock, 1);
  const Instant deadline = clock.monotonic() + milliseconds{3};
  EXPECT_FALSE(executor.wait_until([] { return false; }, deadline));
  EXPECT_EQ(clock.monotonic(), deadline);
}

TEST(SimExecutor, WakeBringsAStepToASleeper) {
  ManualClock clock;
  SimExecutor executor(clock, 1);
  Ticker sleeper("sleeper", Duration::max());
  const auto running = executor.start(sleeper);
  executor.run_due();
  EXPECT_EQ(sleeper.steps, 1);
  running->wake();
  executor.run_due();
  EXPECT_EQ(sleeper.steps, 2);
}

TEST(SimExecutor, HopelessWaitIsReported) {
  ManualClock clock;
  SimExecutor executor(clock, 1);
  EXPECT_THROW(executor.wait_until([] { return false; }, Instant::max()), std::logic_error);
}

TEST(SimExecutor, SameSeedGivesTheSameHistory) {
  const auto history = [](std::uint64_t seed) {
    ManualClock clock;
    SimExecutor executor(clock, seed);
    Ticker one("one", milliseconds{2});
    Ticker two("two", milliseconds{2});
    const auto running_one = executor.start(one);
    const auto running_two = executor.start(two);
    executor.run_for(milliseconds{100});
    return executor.history();
  };
  EXPECT_EQ(history(7), history(7));
  EXPECT_NE(history(7), history(8));
}

TEST(ManualClock, WallClockJumpsAlone) {
  ManualClock clock;
  const Instant before = clock.monotonic();
  clock.set_wall(clock.now() - std::chrono::hours{1});
  EXPECT_EQ(clock.monotonic(), before);
  const Timestamp wall = clock.now();
  clock.advance(milliseconds{1500});
  EXPECT_EQ(clock.now() - wall, milliseconds{1500});
}

}  // namespace
}  // namespace lungo::test
