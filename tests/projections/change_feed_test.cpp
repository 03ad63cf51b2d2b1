// The change feed: who watches a projection is told each committed change once it can be read, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <lungo/projections/engine.hpp>
#include "tests/projections/faulty_store.hpp"
#include "tests/projections/shop_projections.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

/// What a watcher was told, kept as text: "3: /a=1 /b=2", "4: replaced".
using Told = std::vector<std::string>;

std::string text_of(const Projection<TopPages>::Changes& changes) {
  std::string text = std::to_string(changes.sequence) + ":";
  if (changes.replaced) text += " replaced";
  for (const auto& row : changes.rows) text += " " + row.key + "=" + std::to_string(row.state.views);
  return text;
}

class ChangeFeed : public testing::Test {
 protected:
  ChangeFeed() { store.stream_topic("events", 4).value(); }

  void add() {
    engine.reset();
    engine.emplace(store, std::make_unique<FaultyStore>(sqlite(directory / "views.db"), faults));
    top = &engine->add<TopPages>();
    counts = &engine->add<EventCounts>();
  }
  void open() {
    add();
    engine->start().value();
  }
  [[nodiscard]] WatchToken watch(Told& told) {
    return top->watch([&told](const Projection<TopPages>::Changes& changes) { told.push_back(text_of(changes)); });
  }
  /// Appends one view and waits until it is committed and told.
  void view_page(const std::string& url) {
    const Commit commit = view(store, "v", url).value();
    ASSERT_TRUE(top->wait_for(at_least(commit, 5s)));
    ASSERT_TRUE(counts->wait_for(at_least(commit, 5s)));
  }

  Simulation sim{test_seed(41)};
  TempDirectory directory;
  PosixPorts posix;
  Ports ports{posix.ports().storage, sim.clock, sim.executor, sim.random};
  std::shared_ptr<MemoryEventLog> log = std::make_shared<MemoryEventLog>(ports);
  EventStore store{log};
  StoreFaults faults;
  std::optional<Engine> engine;
  Projection<TopPages>* top = nullptr;
  Projection<EventCounts>* counts = nullptr;
};

TEST_F(ChangeFeed, TellsOfEachCommitTheRowsItChangedWholeAndInKeyOrder) {
  view(store, "v", "/b").value();
  open();
  Told told;
  const WatchToken token = watch(told);
  ASSERT_TRUE(engine->catch_up(5s));
  for (const char* url : {"/c", "/a", "/c"}) view(store, "v", url).value();
  sim.executor.run_for(1s);
  view_page("/b");
  EXPECT_EQ(told, (Told{"1: /b=1", "2: /a=1 /c=2", "3: /b=2"}));
  EXPECT_EQ(engine->change_sequence(), 3u);
}

TEST_F(ChangeFeed, ACommitWithoutARowOfTheProjectionTellsNothing) {
  open();
  Told told;
  const WatchToken token = watch(told);
  const Commit commit = end_visit(store, "v").value();
  ASSERT_TRUE(top->wait_for(at_least(commit, 5s)));
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(engine->change_sequence(), 0u);
}

TEST_F(ChangeFeed, ProjectionsThatOneCommitChangesShareItsSequence) {
  open();
  std::vector<std::uint64_t> of_top;
  std::vector<std::uint64_t> of_counts;
  const WatchToken first = top->watch([&](const auto& changes) { of_top.push_back(changes.sequence); });
  const WatchToken second = counts->watch([&](const auto& changes) { of_counts.push_back(changes.sequence); });
  view_page("/a");
  const Commit commit = end_visit(store, "v").value();
  ASSERT_TRUE(counts->wait_for(at_least(commit, 5s)));
  view_page("/a");
  EXPECT_EQ(of_top, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(of_counts, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(ChangeFeed, NothingIsCountedForAnEngineThatNobodyWatches) {
  Engine other{store, memory()};
  other.add<TopPages>();
  ASSERT_TRUE(other.start());
  open();
  view_page("/a");
  EXPECT_EQ(engine->change_sequence(), 0u);
  Told told;
  WatchToken token = watch(told);
  view_page("/a");
  token.reset();
  view_page("/a");
  ASSERT_TRUE(engine->rebuild());
  ASSERT_TRUE(other.catch_up(5s));
  EXPECT_EQ(told, Told{"1: /a=2"});
  EXPECT_EQ(engine->change_sequence(), 1u);
  EXPECT_EQ(other.change_sequence(), 0u);
}

TEST_F(ChangeFeed, ACommitThatFailedIsToldOnceWhenItSucceeds) {
  open();
  Told told;
  const WatchToken token = watch(told);
  view_page("/a");
  int refused = 0;
  faults.on_commit = [&]() -> std::optional<Error> {
    ++refused;
    return Error{Errc::no_space, "the disk is full"};
  };
  for (const char* url : {"/b", "/a"}) view(store, "v", url).value();
  sim.executor.run_for(5s);
  EXPECT_GE(refused, 3);
  EXPECT_EQ(told, Told{"1: /a=1"});
  EXPECT_EQ(engine->change_sequence(), 1u);
  faults.on_commit = [] { return std::nullopt; };
  sim.executor.run_for(5s);
  EXPECT_EQ(told, (Told{"1: /a=1", "2: /a=2 /b=1"}));
}

// A row of a later event can't be read: what was applied before it is dropped and applied again.
TEST_F(ChangeFeed, RowsThatWereAppliedTwiceAreToldAsTheyWereCommitted) {
  open();
  for (const char* url : {"/a", "/b"}) view_page(url);
  open();  // no row is held: each is read first
  Told told;
  const WatchToken token = watch(told);
  int reads = 0;
  faults.on_get = [&]() -> std::optional<Error> {
    return ++reads == 3 ? std::optional{Error{Errc::busy, "not now"}} : std::nullopt;
  };
  for (const char* url : {"/a", "/b", "/a"}) view(store, "v", url).value();
  sim.executor.run_for(5s);
  EXPECT_GE(reads, 3);
  EXPECT_EQ(told, Told{"1: /a=3 /b=2"});
}

// The narrow moment: rows are written and not committed when somebody begins to watch and reads everything.
TEST_F(ChangeFeed, WhoBeginsWhileACommitIsMadeMissesNothing) {
  open();
  Told early;
  const WatchToken first = watch(early);
  Told told;
  WatchToken token;
  std::uint64_t sequence = 0;
  std::map<std::string, std::int64_t> copy;
  faults.on_commit = [&]() -> std::optional<Error> {
    if (token) return std::nullopt;
    token = watch(told);
    sequence = engine->change_sequence();
    top->for_each([&](const std::string& url, const TopPages::State& state) { copy[url] = state.views; }).value();
    return std::nullopt;
  };
  view_page("/a");
  EXPECT_TRUE(copy.empty());
  EXPECT_EQ(sequence, 0u) << "a sequence whose rows can't be read yet";
  EXPECT_EQ(told, Told{"1: /a=1"});
  EXPECT_EQ(early, told);
}

// The other side of it: from the sequence on that a call has, its rows are there for everybody.
TEST_F(ChangeFeed, ACallMayReadAndWatchAndFindsItsRowsCommitted) {
  open();
  Told told;
  WatchToken second;
  int calls = 0;
  const WatchToken first = top->watch([&](const Projection<TopPages>::Changes& changes) {
    ++calls;
    EXPECT_EQ(engine->change_sequence(), changes.sequence);
    for (const auto& row : changes.rows) EXPECT_EQ(top->get(row.key).value()->views, row.state.views);
    EXPECT_EQ(counts->scan().value().size(), 1u);
    if (!second) second = watch(told);
  });
  for (int round = 1; round <= 3; ++round) view_page("/a");
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(told, (Told{"2: /a=2", "3: /a=3"}));
}

TEST_F(ChangeFeed, ReadingOnesOwnWriteGivesASequenceThatCoversIt) {
  open();
  Told told;
  const WatchToken token = watch(told);
  for (std::uint64_t round = 1; round <= 10; ++round) {
    const Commit commit = view(store, "v", "/a").value();
    ASSERT_TRUE(top->get("/a", at_least(commit, 5s)));
    EXPECT_EQ(engine->change_sequence(), round);
  }
}

TEST_F(ChangeFeed, ARebuildTellsThatAllRowsWereReplacedAndNothingOfItsShadow) {
  Random random{1};
  append_random(store, random, 20000);
  open();
  ASSERT_TRUE(engine->catch_up(60s));
  Told told;
  int others = 0;
  std::string at_call;
  const WatchToken token = watch(told);
  const WatchToken reader = top->watch([&](const auto& changes) {
    if (changes.replaced) at_call = top->fingerprint().value();
  });
  const WatchToken other = counts->watch([&](const auto&) { ++others; });
  ASSERT_TRUE(engine->rebuild({.projections = {"TopPages"}, .from = ReplayFrom::offset(Offset{1000})}));
  EXPECT_EQ(told, Told{"1: replaced"});
  EXPECT_EQ(others, 0);
  EXPECT_EQ(at_call, top->fingerprint().value()) << "the new rows can be read when it is told";
  view_page("/after");
  EXPECT_EQ(told, (Told{"1: replaced", "2: /after=1"}));
  EXPECT_EQ(others, 1);
}

TEST_F(ChangeFeed, ChangesThatASwapCommitsAreToldToOthersAsRows) {
  Random random{2};
  append_random(store, random, 20000);
  open();
  ASSERT_TRUE(engine->catch_up(60s));
  const auto total = [&] {
    std::int64_t sum = 0;
    counts->for_each([&sum](std::int32_t, const EventCounts::State& state) { sum += state.count; }).value();
    return sum;
  };
  std::map<std::int32_t, std::int64_t> copy;
  Told told;
  const WatchToken replaced = watch(told);
  const WatchToken token = counts->watch([&](const Projection<EventCounts>::Changes& changes) {
    EXPECT_FALSE(changes.replaced);
    for (const auto& row : changes.rows) copy[row.key] = row.state.count;
  });
  counts->for_each([&](std::int32_t key, const EventCounts::State& state) { copy[key] = state.count; }).value();
  class Append : public Activity {
   public:
    Append(EventStore& store, Random& random) : store_(store), random_(random) {}
    Instant step(Instant now) override {
      append_random(store_, random_, 50);
      return ++steps_ < 20 ? now : Instant::max();
    }
    [[nodiscard]] std::string_view name() const override { return "append"; }

   private:
    EventStore& store_;
    Random& random_;
    int steps_ = 0;
  } append{store, random};
  const auto running = sim.executor.start(append);
  const auto copied = [&copy] {
    std::int64_t sum = 0;
    for (const auto& [key, count] : copy) sum += count;
    return sum;
  };
  ASSERT_TRUE(engine->rebuild({.projections = {"TopPages"}}));
  EXPECT_GT(total(), 20000);
  EXPECT_EQ(copied(), total()) << "what the swap's commit wrote of others";
  sim.executor.run_for(1s);
  EXPECT_EQ(copied(), 21000);
  EXPECT_EQ(copied(), total());
  EXPECT_EQ(std::count_if(told.begin(), told.end(), [](const std::string& text) { return text.ends_with("replaced"); }), 1);
}

struct TopPagesVersionTwo : TopPages {
  static constexpr std::string_view projection_name = "TopPages";
  static constexpr int version = 2;
};

TEST_F(ChangeFeed, WhoWatchesBeforeTheStartIsToldOfRowsThatItDropped) {
  add();
  {
    Told told;
    const WatchToken token = watch(told);
    EXPECT_EQ(engine->change_sequence(), 0u);
    ASSERT_TRUE(engine->start());
    sim.executor.run_for(1s);
    EXPECT_TRUE(told.empty()) << "a new table replaces nothing";
    view_page("/a");
    EXPECT_EQ(told, Told{"1: /a=1"});
  }
  open();
  {
    Told told;
    const WatchToken token = watch(told);
    sim.executor.run_for(1s);
    EXPECT_TRUE(told.empty()) << "rows that stay are not told";
  }
  engine.reset();
  const auto started_with = [this]<class P>(std::type_identity<P>, bool stop_at_once) {
    Told told;
    Engine changed{store, sqlite(directory / "views.db")};
    auto& of_new_code = changed.add<P>();
    const WatchToken token = of_new_code.watch([&](const auto& changes) {
      told.push_back(std::to_string(changes.sequence) + (changes.replaced ? ": replaced" : ": rows"));
    });
    EXPECT_TRUE(changed.start());
    EXPECT_TRUE(told.empty()) << "the engine's thread tells, not the one that starts it";
    EXPECT_TRUE(stop_at_once ? changed.stop() : changed.catch_up(5s));
    return told;
  };
  EXPECT_EQ(started_with(std::type_identity<TopPagesVersionTwo>{}, false), (Told{"1: replaced", "2: rows"}));
  EXPECT_EQ(started_with(std::type_identity<TopPages>{}, true), Told{"1: replaced"});
}

TEST_F(ChangeFeed, TheLastCommitOfAStopIsTold) {
  open();
  Told told;
  WatchToken token = watch(told);
  view(store, "v", "/a").value();
  sim.executor.run_for(10ms);  // applied, not committed
  ASSERT_TRUE(engine->stop());
  EXPECT_EQ(told, Told{"1: /a=1"});
  engine.reset();
  token.reset();  // it may outlive the engine
}

TEST_F(ChangeFeed, ACallMayEndItsOwnWatchingAndAnothers) {
  open();
  const auto held = std::make_shared<int>(7);
  WatchToken own;
  WatchToken other;
  int calls = 0;
  int others = 0;
  own = top->watch([&, held](const auto&) {
    ++calls;
    own.reset();
    other.reset();
    EXPECT_EQ(*held, 7) << "what it holds lives until it returns";
  });
  other = top->watch([&](const auto&) { ++others; });
  view_page("/a");
  view_page("/a");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(others, 0) << "it began to watch later, so it would have been told later";
  EXPECT_EQ(held.use_count(), 1) << "what it held is released";
}

TEST_F(ChangeFeed, OneThatThrowsIsLoggedOnceAndToldOn) {
  const LogLines lines{"projections"};
  open();
  int calls = 0;
  Told told;
  const WatchToken throws = top->watch([&](const auto&) {
    ++calls;
    throw std::runtime_error("no browser listens");
  });
  const WatchToken token = watch(told);
  for (int round = 0; round < 3; ++round) view_page("/a");
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(told, (Told{"1: /a=1", "2: /a=2", "3: /a=3"}));
  EXPECT_EQ(lines.count("error", "no browser listens"), 1);
  EXPECT_EQ(lines.count("error", "watcher of projection TopPages"), 1);
  EXPECT_EQ(top->status().phase, ProjectionPhase::live);
}

}  // namespace
}  // namespace lungo::test
