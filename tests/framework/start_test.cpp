// What happens while a process or a subscription is being started: its first step may be over before start() has its handle.
#include <gtest/gtest.h>

#include <functional>

#include <lungo/framework/process.hpp>
#include <lungo/framework/subscription.hpp>
#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

/// Steps what it starts, and lets something happen, before the caller has its handle: as a thread may be that runs at once.
class EagerExecutor : public Executor {
 public:
  explicit EagerExecutor(test::SimExecutor& executor) : executor_(executor) {}
  std::unique_ptr<RunningActivity> start(Activity& activity) override {
    std::unique_ptr<RunningActivity> handle = executor_.start(activity);
    executor_.run_due();
    if (meanwhile) meanwhile();
    return handle;
  }
  bool wait_until(const std::function<bool()>& predicate, Instant deadline) override {
    return executor_.wait_until(predicate, deadline);
  }
  void notify() override { executor_.notify(); }
  std::shared_ptr<Parker> parker() override { return nullptr; }  // nobody waits

  std::function<void()> meanwhile;

 private:
  test::SimExecutor& executor_;
};

class StartTest : public testing::Test {
 protected:
  StartTest()
      : executor(simulation.executor),
        log(std::make_shared<test::MemoryEventLog>(Ports{simulation.disk, simulation.clock, executor, simulation.random})),
        store(log) {
    EXPECT_TRUE(store.stream_topic("hits", 1));
    executor.meanwhile = [this] { EXPECT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"})); };
  }

  test::Simulation simulation{1};
  EagerExecutor executor;
  std::shared_ptr<test::MemoryEventLog> log;
  EventStore store;
};

TEST_F(StartTest, AProcessMissesNothingThatCameBehindItsFirstStep) {
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  EXPECT_EQ(outputs_in<StoredSessions>(*log, 0).size(), 1u);
}

TEST_F(StartTest, ASubscriptionMissesNothingThatCameBehindItsFirstStep) {
  int handled = 0;
  Subscription subscription{store, "mails", {.topics = {"hits"}}};
  subscription.on<Hit>([&handled](const Envelope&, const Hit&) { ++handled; });
  ASSERT_TRUE(subscription.start());
  simulation.executor.run_due();
  EXPECT_EQ(handled, 1);
}

}  // namespace process_tests
