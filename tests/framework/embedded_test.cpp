// The loops of the framework on the embedded log, real threads and a real disk: what the simulated executor can't show.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/local_event_log.hpp>
#include "tests/framework/sessions.hpp"
#include "tests/support/temp_directory.hpp"

namespace embedded_tests {

using namespace lungo;
using namespace process_tests;

struct Added {
  std::int64_t amount = 0;
};
struct Add {
  std::int64_t amount = 0;
};
struct Counter {
  using Events = lungo::events<Added>;
  struct State {
    std::int64_t sum = 0;
  };
  static void evolve(State& s, const Added& e) { s.sum += e.amount; }
  static Added decide(const State& s, const Add& c) {
    if (s.sum + c.amount > 1000) throw rejected("full");
    return {c.amount};
  }
};

class Embedded : public testing::Test {
 protected:
  EventStore open() { return EventStore{open_local(directory / "data").value()}; }
  test::TempDirectory directory;
};

TEST_F(Embedded, CommandsOfManyThreadsOnOneStreamAllTakeEffect) {
  EventStore store = open();
  Aggregates<Counter> counters{store};
  constexpr int kCommands = 100;
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  for (int command = 0; command < kCommands; ++command) {
    counters.execute_async(Scope{}, "one", Add{1}, {.attempts = 1000}, [&](const Result<Commit>& commit) {
      if (!commit) ++failed;
      ++answered;
      store.log().ports().executor.notify();
    });
    if (command % 10 != 0) continue;
    ASSERT_TRUE(counters.execute("one", Add{1}, {.attempts = 1000}));
  }
  const Ports ports = store.log().ports();
  ASSERT_TRUE(ports.executor.wait_until([&] { return answered == kCommands; }, ports.clock.monotonic() + 60s));
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(counters.load("one").value().state.sum, kCommands + kCommands / 10);
}

TEST_F(Embedded, CommandsOfManyThreadsOnFewStreamsMeetWhatOthersDid) {
  EventStore store = open();
  Aggregates<Counter> counters{store, AggregatesOptions{.kept_bytes_max = 600}};  // of three streams two are kept
  constexpr int kThreads = 4;
  constexpr int kCommands = 60;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (int command = 0; command < kCommands; ++command) {
        EXPECT_TRUE(counters.execute(std::to_string(command % 3), Add{1}, {.attempts = 1000}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char* id : {"0", "1", "2"}) EXPECT_EQ(counters.load(id)->state.sum, kThreads * kCommands / 3);
}

TEST_F(Embedded, ASubscriptionSeesEachEventOnceOverRestarts) {
  std::multiset<std::int64_t> seen;
  for (int round = 0; round < 3; ++round) {
    EventStore store = open();
    ASSERT_TRUE(store.stream_topic("events"));
    Subscription subscription{store, "sums"};
    subscription.on<Added>([&](const Envelope&, const Added& e) { seen.insert(e.amount); });
    ASSERT_TRUE(subscription.start());
    for (int event = 0; event < 200; ++event) {
      const std::int64_t number = round * 200 + event;
      ASSERT_TRUE(store.append("events", StreamId("Counter", std::to_string(number % 9)), Added{number}));
    }
    ASSERT_TRUE(subscription.catch_up(30s));
    ASSERT_TRUE(subscription.stop());
  }
  EXPECT_EQ(seen.size(), 600u);
  EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), 600u);
}

TEST_F(Embedded, AProcessFollowsAnImportOverRestarts) {
  constexpr int kHits = 5000;
  for (int round = 0; round < 3; ++round) {
    EventStore store = open();
    ASSERT_TRUE(store.stream_topic("hits", 2));
    Process<StoredSessions> process{store};
    ASSERT_TRUE(process.start());
    EventBatch batch = store.batch("hits").value();
    for (int hit = 0; hit < kHits; ++hit) {
      const std::string visitor = "v" + std::to_string((round * kHits + hit) % 97);
      const EventMeta meta{.time = at(std::chrono::seconds{(round * kHits + hit) * 20}), .lane = "import"};
      ASSERT_TRUE(batch.add(StreamId("Visitor", visitor), Hit{visitor, "/"}, meta));
      if (batch.count() < 100) continue;
      ASSERT_TRUE(store.append_wait(std::move(batch)));
      batch = store.batch("hits").value();
    }
    ASSERT_TRUE(process.catch_up(60s));
    EXPECT_EQ(process.status().counts.inputs, kHits) << "a clean stop repeats nothing";
    ASSERT_TRUE(process.stop());
  }
  EventStore store = open();
  const TopicInfo topic = store.topic("sessions").value();
  std::set<std::string> ids;
  std::int64_t started = 0;
  for (std::int32_t partition = 0; partition < 2; ++partition) {
    PartitionReader reader{store.log(), topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) {
      EXPECT_TRUE(ids.insert(std::string(envelope->id)).second);
      if (envelope->type == "SessionStarted") ++started;
    }
  }
  EXPECT_EQ(started, 3 * kHits) << "97 visitors, each back after 97 * 20 s, longer than a session lasts";
}

}  // namespace embedded_tests
