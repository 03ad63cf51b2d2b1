// What an append's completion may touch: the appends can be destroyed on another thread as soon as nothing is in flight.
#include "import/batched_appends.hpp"

#include <gtest/gtest.h>

#include "model/events.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace tracker {
namespace {

class CountingLog final : public lungo::test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  lungo::Ports ports() override {
    ++asked;
    return MemoryEventLog::ports();
  }
  int asked = 0;
};

TEST(BatchedAppends, CompletionLooksForItsExecutorBeforeTheAppendsMayBeGone) {
  lungo::test::Simulation simulation{1};
  const auto log = std::make_shared<CountingLog>(simulation.ports());
  lungo::EventStore store{log};
  ASSERT_TRUE(store.stream_topic(kFailedTopic, 1));
  EventAppends ways{store};
  const auto appends = BatchedAppends::open(ways, {std::string{kFailedTopic}}).value();
  const FailedLine big{.file = "file", .original = lungo::Bytes(300u << 10)};
  ASSERT_TRUE(appends->add(0, "failed-1", big, {}));
  log->hold_commits();
  ASSERT_TRUE(appends->add(0, "failed-1", big, {}));  // submits the one before
  const int asked = log->asked;
  log->commit_held();
  EXPECT_EQ(log->asked, asked) << "the way to it leads through the appends";
  ASSERT_TRUE(appends->flush());
  EXPECT_EQ(log->ends({std::string{kFailedTopic}, lungo::PartitionId{0}})->committed, lungo::Offset{2});
}

}  // namespace
}  // namespace tracker
