// The engine on a log whose committed end lies behind its last record, as markers of transactions make it on Apache Kafka.
#include <gtest/gtest.h>

#include <lungo/projections/engine.hpp>
#include "tests/projections/shop_projections.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

/// Has one offset without a record behind the last one of each partition of `events`.
class MarkedLog : public MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;

  Result<Ends> ends(const TopicPartition& partition) override {
    Result<Ends> ends = MemoryEventLog::ends(partition);
    if (ends && partition.topic == "events") ends->committed = ends->committed.next();
    return ends;
  }
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override {
    const Result<Ends> inner = MemoryEventLog::ends(partition);
    if (!inner || partition.topic != "events" || from < inner->committed)
      return MemoryEventLog::read(partition, from, bytes_max);
    const Offset end = inner->committed.next();
    return Fetched{nullptr, {}, from, {topic("events")->id, partition.partition, end, kNoEpoch}, end};
  }
};

TEST(EngineGaps, AnEndWithoutARecordIsReached) {
  Simulation simulation{1};
  const auto log = std::make_shared<MarkedLog>(simulation.ports());
  EventStore store{log};
  store.stream_topic("events", 4).value();
  view(store, "ada", "/espresso").value();
  Engine engine{store, memory()};
  auto& top = engine.add<TopPages>();
  ASSERT_TRUE(engine.start());
  const Result<void> caught_up = engine.catch_up(5s);
  EXPECT_TRUE(caught_up) << caught_up.error();
  EXPECT_EQ(top.get("/espresso").value()->views, 1);
}

}  // namespace
}  // namespace lungo::test
