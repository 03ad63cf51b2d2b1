// Processes over logs that fail for a moment, or take their time.
#include <lungo/framework/process.hpp>

#include <gtest/gtest.h>

#include "tests/framework/process_outputs.hpp"
#include "tests/framework/sessions.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace process_tests {

/// A log whose appends to `sessions` wait in a queue of their own, not written yet, while it is told so.
class QueueingLog : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  void append(AppendRequest request, Completion completion) override {
    if (!queueing || request.to.topic != "sessions") return MemoryEventLog::append(std::move(request), std::move(completion));
    queue.emplace_back(std::move(request), std::move(completion));
  }
  void write_queued() {
    queueing = false;
    for (auto& [request, completion] : std::exchange(queue, {})) {
      MemoryEventLog::append(std::move(request), std::move(completion));
    }
  }
  bool queueing = false;
  std::vector<std::pair<AppendRequest, Completion>> queue;
};

/// A log whose reads of one topic can be made to fail.
class FailingShapes : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
    if (partition.topic == kShapesTopic && failures > 0) {
      --failures;
      return Error{code, "the disk is away"};
    }
    return MemoryEventLog::read(partition, from, bytes_max);
  }
  int failures = 0;
  Errc code = Errc::timed_out;
};

TEST(ProcessReads, ShapesThatCantBeReadForAMomentParkNothing) {
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<FailingShapes>(simulation.ports());
  EventStore writer{log};
  EventStore store{log};
  ASSERT_TRUE(writer.stream_topic("hits", 1));
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  ASSERT_TRUE(writer.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
  log->failures = 3;
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(process.status().parked, 0);
  EXPECT_EQ(process.status().counts.outputs, 1);
}

TEST(ProcessRestart, AnAppendOfTheEarlierRunIsAwaited) {
  test::Simulation simulation{1};
  simulation.clock.set_wall(at(0min));
  const auto log = std::make_shared<QueueingLog>(simulation.ports());
  EventStore store{log};
  ASSERT_TRUE(store.stream_topic("hits", 1));
  Process<StoredSessions> process{store};
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  log->queueing = true;
  ASSERT_TRUE(store.append("hits", StreamId("Visitor", "ada"), Hit{"ada", "/"}));
  simulation.executor.run_due();
  ASSERT_EQ(log->queue.size(), 1u);
  EXPECT_EQ(process.stop(1s).error(), Errc::timed_out);
  for (int restart = 0; restart < 2; ++restart) {
    ASSERT_TRUE(process.start());
    simulation.executor.run_due();
    EXPECT_EQ(log->queue.size(), 1u) << "what is on its way is not written again";
    static_cast<void>(process.stop(1s));
  }
  ASSERT_TRUE(process.start());
  simulation.executor.run_due();
  log->write_queued();
  ASSERT_TRUE(process.catch_up(60s));
  EXPECT_EQ(outputs_in<StoredSessions>(*log, 0).size(), 1u);
}

}  // namespace process_tests
