#include <lungo/framework/aggregates.hpp>

#include <gtest/gtest.h>

#include <lungo/framework/testing.hpp>
#include <lungo/log/local_event_log.hpp>
#include "tests/framework/accounts.hpp"
#include "tests/support/full_system.hpp"

namespace aggregates_tests {

const lungo::TopicPartition kSome{"events", lungo::PartitionId{0}};  // what a snapshot is of, where that does not matter

class AggregatesTest : public testing::Test {
 protected:
  AggregatesTest() : log(std::make_shared<test::MemoryEventLog>(simulation.ports())), store(log), accounts(store) {}
  std::int64_t balance(std::string_view id) { return accounts.load(id).value().state.cents; }

  test::Simulation simulation{1};
  std::shared_ptr<test::MemoryEventLog> log;
  EventStore store;
  Aggregates<Account> accounts;
};

TEST_F(AggregatesTest, ACommandBecomesEventsThatTheNextOneSees) {
  ASSERT_TRUE(accounts.execute("ada", Open{"ada"}));
  ASSERT_TRUE(accounts.execute("ada", Deposit{1000}));
  const Commit commit = accounts.execute("ada", Withdraw{300}).value();
  EXPECT_EQ(commit.end - commit.first, 1);
  EXPECT_EQ(balance("ada"), 700);
}

TEST_F(AggregatesTest, ARefusalIsAnErrorWithItsText) {
  const Result<Commit> refused = accounts.execute("ada", Withdraw{1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::rejected);
  EXPECT_EQ(refused.error().text(), "insufficient funds");
}

TEST_F(AggregatesTest, AnythingElseThrownIsAFailedHandler) {
  EXPECT_EQ(accounts.execute("ada", Break{}).error(), Errc::handler_failed);
}

TEST_F(AggregatesTest, EvenWhatIsNoStdExceptionIsAFailedHandler) {
  Aggregates<Odd> odd{store};
  const Error decided = odd.execute("ada", BreakOddly{}).error();
  EXPECT_EQ(decided, Errc::handler_failed);
  EXPECT_EQ(decided.text(), "decide of Account: an exception that is no std::exception");
  ASSERT_TRUE(accounts.execute("ada", Deposit{5}));
  const Error evolved = odd.load("ada").error();
  EXPECT_EQ(evolved, Errc::handler_failed);
  EXPECT_EQ(evolved.text(), "evolve of Account: an exception that is no std::exception");
}

TEST_F(AggregatesTest, NoEventIsACommitOfNothing) {
  ASSERT_TRUE(accounts.execute("ada", Open{"ada"}));
  const std::size_t before = log->append_calls();
  const Commit nothing = accounts.execute("ada", Open{"ada"}).value();
  EXPECT_EQ(nothing.first, nothing.end);
  EXPECT_EQ(log->append_calls(), before);
}

TEST_F(AggregatesTest, EventsOfOneCommandAreOneBatch) {
  const Commit commit = accounts.execute("ada", Move{10, 4}).value();
  EXPECT_EQ(commit.end - commit.first, 2);
  EXPECT_EQ(balance("ada"), 6);
}

TEST_F(AggregatesTest, ACommandIdIsExecutedOnce) {
  ExecuteOptions once;
  once.meta.id = "deposit-1";
  const Commit first = accounts.execute("ada", Deposit{5}, once).value();
  ASSERT_TRUE(accounts.execute("ada", Deposit{7}));
  const Commit again = accounts.execute("ada", Deposit{5}, once).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(balance("ada"), 12);
}

TEST_F(AggregatesTest, AStreamWithAForeignEventIsRefused) {
  ASSERT_TRUE(accounts.execute("ada", Deposit{5}));
  ASSERT_TRUE(store.append("events", StreamId("Account", "ada"), Audited{"bob"}));
  const Result<Commit> commit = accounts.execute("ada", Deposit{5});
  ASSERT_FALSE(commit);
  EXPECT_EQ(commit.error(), Errc::unknown_event);
}

TEST_F(AggregatesTest, ScopesAreSeparate) {
  ASSERT_TRUE(accounts.execute(in("north"), "ada", Deposit{5}));
  ASSERT_TRUE(accounts.execute(in("south"), "ada", Deposit{7}));
  EXPECT_EQ(accounts.load(in("north"), "ada").value().state.cents, 5);
  EXPECT_EQ(balance("ada"), 0);
}

TEST_F(AggregatesTest, RacingCommandsAllTakeEffect) {
  int answered = 0;
  ASSERT_TRUE(accounts.execute("ada", Deposit{100}));
  ASSERT_TRUE(store.declare<Withdrawn>());
  log->hold_commits();
  for (int command = 0; command < 5; ++command) {
    accounts.execute_async(Scope{}, "ada", Withdraw{30}, {}, [&](const Result<Commit>& commit) {
      ++answered;
      EXPECT_TRUE(commit || commit.error() == Errc::rejected);
    });
  }
  const auto all_answered = [&] {
    log->commit_held(true);
    return answered == 5;
  };
  ASSERT_TRUE(simulation.executor.wait_until(all_answered, simulation.clock.monotonic() + std::chrono::seconds{5}));
  EXPECT_EQ(balance("ada"), 10) << "three of the five fit";
}

TEST_F(AggregatesTest, CommandsLeftOverAreCanceled) {
  std::optional<Errc> code;
  {
    Aggregates<Account> leaving{store};
    leaving.execute_async(Scope{}, "ada", Deposit{1}, {}, [&](const Result<Commit>& commit) { code = commit.error().code(); });
  }
  EXPECT_EQ(code, Errc::canceled);
}

TEST_F(AggregatesTest, WhereNoThreadIsLeftACommandIsAnsweredAndTheNextOneTriesAgain) {
  test::FullSystem system{simulation.executor};
  const Ports ports{simulation.disk, simulation.clock, system, simulation.random};
  EventStore other{std::make_shared<test::MemoryEventLog>(ports)};
  Aggregates<Account> aggregates{other};
  ASSERT_TRUE(aggregates.execute("ada", Deposit{1}));
  std::vector<std::optional<Errc>> answers;
  const auto note = [&](const Result<Commit>& commit) {
    answers.push_back(commit ? std::nullopt : std::optional{commit.error().code()});
  };
  system.is_full = true;
  aggregates.execute_async(Scope{}, "ada", Deposit{1}, {}, note);
  EXPECT_EQ(answers, (std::vector<std::optional<Errc>>{Errc::io}));
  system.is_full = false;
  aggregates.execute_async(Scope{}, "ada", Deposit{1}, {}, note);
  simulation.executor.run_due();
  EXPECT_EQ(answers, (std::vector<std::optional<Errc>>{Errc::io, std::nullopt}));
}

TEST_F(AggregatesTest, SnapshotsShortenLoadsAndChangeNothing) {
  for (int count = 0; count < 25; ++count) ASSERT_TRUE(accounts.execute("ada", Deposit{1}));
  Aggregates<SnapshotAccount> fast{store};
  const auto first = fast.load("ada").value();
  EXPECT_EQ(first.events, 25);
  const auto second = fast.load("ada").value();
  EXPECT_EQ(second.events, 0);
  EXPECT_EQ(second.state.cents, 25);
  ASSERT_TRUE(fast.execute("ada", Withdraw{20}));
  EXPECT_EQ(fast.load("ada").value().state.cents, 5);
  ASSERT_FALSE(fast.execute("ada", Withdraw{6}));
}

TEST_F(AggregatesTest, CommandsThatSearchTheWholeStreamWriteNoSnapshotEach) {
  Aggregates<SnapshotAccount> fast{store};
  const auto rows = [&] { return log->ends({std::string(kSnapshotsTopic), PartitionId{0}}).value().written.value(); };
  for (int count = 0; count < 40; ++count) {
    ExecuteOptions options;
    const std::string id = "command-" + std::to_string(count);
    options.meta.id = id;
    options.since = Offset{0};
    ASSERT_TRUE(fast.execute("ada", Deposit{1}, options));
  }
  EXPECT_EQ(rows(), 3) << "one for each ten events behind the one before";
  EXPECT_EQ(fast.load("ada").value().state.cents, 40);
}

TEST_F(AggregatesTest, ASnapshotThatCantBeDecodedIsNotUsed) {
  for (int count = 0; count < 25; ++count) ASSERT_TRUE(accounts.execute("ada", Deposit{1}));
  Aggregates<SnapshotAccount> fast{store};
  ASSERT_EQ(fast.load("ada").value().events, 25);
  Snapshots snapshots{store};
  const std::string key = "decider/Account/Account-ada";
  Snapshot bad = snapshots.load(key).value().value();
  bad.state.push_back(std::byte{7});
  ASSERT_TRUE(snapshots.save_wait(key, kSome, bad));
  const auto loaded = fast.load("ada");
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->state.cents, 25);
  EXPECT_EQ(loaded->events, 25);
  EXPECT_EQ(fast.load("ada").value().events, 0) << "a good one has been written";
}

TEST_F(AggregatesTest, ASnapshotOfEventsThatTheLogLostIsNotUsed) {
  for (int count = 0; count < 25; ++count) ASSERT_TRUE(accounts.execute("ada", Deposit{1}));
  Aggregates<SnapshotAccount> fast{store};
  ASSERT_EQ(fast.load("ada").value().events, 25);
  const PartitionId partition = partition_of_stream("Account-ada", 4);
  log->cut({"events", partition}, Offset{20});
  // Other events have taken the place of the lost ones.
  for (int count = 0; count < 30; ++count) ASSERT_TRUE(accounts.execute("ada", Deposit{100}));
  const auto loaded = fast.load("ada").value();
  EXPECT_EQ(loaded.state.cents, 3020);
  EXPECT_EQ(loaded.events, 50);
  EXPECT_EQ(fast.load("ada").value().events, 0) << "there is a new snapshot";
  // Nothing has.
  log->cut({"events", partition}, Offset{30});
  EXPECT_EQ(fast.load("ada").value().state.cents, 1020);
}

TEST_F(AggregatesTest, ASnapshotOfAnotherTopicOrWithoutAnEpochIsNotUsed) {
  for (int count = 0; count < 25; ++count) ASSERT_TRUE(accounts.execute("ada", Deposit{1}));
  Aggregates<SnapshotAccount> fast{store};
  ASSERT_EQ(fast.load("ada").value().events, 25);
  Snapshots snapshots{store};
  const std::string key = "decider/Account/Account-ada";
  const Snapshot good = snapshots.load(key).value().value();
  EXPECT_EQ(good.position.offset, Offset{25});
  EXPECT_NE(good.position.epoch, kNoEpoch);
  Snapshot foreign = good;
  foreign.position.topic.bytes[5] ^= 1;
  Snapshot unchecked = good;
  unchecked.position.epoch = kNoEpoch;
  for (const Snapshot* bad : {&foreign, &unchecked}) {
    ASSERT_TRUE(snapshots.save_wait(key, kSome, *bad));
    EXPECT_EQ(fast.load("ada").value().events, 25);
    EXPECT_EQ(fast.load("ada").value().events, 0) << "a good one has been written";
  }
}

// Commits of such a topic are visible before they are on disk; its snapshots are durable.
TEST(Snapshots, APowerCutThatTakesBackEventsTakesBackTheirSnapshot) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    test::Simulation machine{seed};
    const Ports ports = machine.ports();
    const auto log = open_local("/data", {.ports = &ports}).value();
    TopicSpec spec;
    spec.name = "events";
    spec.streams = true;
    spec.ack_level = AckLevel::isr;
    log->create_topic(spec).value();
    EventStore store{log};
    Aggregates<SnapshotAccount> fast{store};
    for (int count = 0; count < 25; ++count) ASSERT_TRUE(fast.execute("ada", Deposit{1}));
    machine.executor.run_due();  // the snapshot is committed, the events wait for their flush interval

    test::Simulation after{seed, machine.disk.after_power_cut(seed)};
    const Ports after_ports = after.ports();
    EventStore recovered{open_local("/data", {.ports = &after_ports}).value()};
    Aggregates<Account> slow{recovered};
    Aggregates<SnapshotAccount> again{recovered};
    const std::int64_t cents = slow.load("ada").value().state.cents;
    const bool has_snapshot = Snapshots{recovered}.load("decider/Account/Account-ada").value().has_value();
    if (cents < 10 && has_snapshot) ++lost;
    EXPECT_EQ(again.load("ada").value().state.cents, cents) << "seed " << seed;
  }
  EXPECT_GT(lost, 0) << "no cut left a snapshot without its events";
}

TEST(Snapshots, OnlyTheNewestRowsOfAKeyAreRead) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<CountingLog>(simulation.ports());
  EventStore store{log};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  for (int row = 0; row < 5000; ++row) ASSERT_TRUE(snapshots.save_wait("busy", kSome, {{}, {}, to_bytes(std::to_string(row))}));
  EXPECT_EQ(as_text(snapshots.load("busy").value().value().state), "4999");
  EXPECT_LE(log->records, 300u);
}

TEST(Snapshots, BigStatesAreCutIntoChunks) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  EventStore store{log};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  Snapshot big{{TopicId{}, PartitionId{2}, Offset{77}, LeaderEpoch{3}}, shape_of<Opened>().hash(), Bytes(2'500'000)};
  for (std::size_t at = 0; at < big.state.size(); ++at) big.state[at] = static_cast<std::byte>(at * 31 >> 3);
  ASSERT_TRUE(snapshots.save_wait("a", kSome, big));
  ASSERT_TRUE(snapshots.save_wait("b", kSome, {big.position, big.shape, to_bytes("small")}));
  const Snapshot read = snapshots.load("a").value().value();
  EXPECT_EQ(read.state, big.state);
  EXPECT_EQ(read.position, big.position);
  EXPECT_EQ(as_text(snapshots.load("b").value().value().state), "small");
  EXPECT_FALSE(snapshots.load("c").value());
}

/// What a compaction of the topic would leave of each key, and how many records there are under it.
struct LastRecord {
  int count = 0;
  bool is_tombstone = false;
};
std::map<std::string, LastRecord> snapshot_keys(EventLog& log) {
  const TopicPartition partition{std::string(kSnapshotsTopic), PartitionId{0}};
  std::map<std::string, LastRecord> keys;
  for (Offset at{0}; at < log.ends(partition)->committed;) {
    const Fetched fetched = log.read(partition, at, 1 << 20).value();
    RecordCursor cursor = fetched.records();
    while (const RecordView* record = cursor.next()) {
      LastRecord& last = keys[std::string(as_text(record->key))];
      last = {last.count + 1, !record->has_value};
    }
    at = fetched.next().offset;
  }
  return keys;
}

// Compaction leaves the last record of each key: a chunk that had the key of one before would take that one's place while the
// row that lists it is still the last.
TEST(Snapshots, TheChunksOfASaveTakeThePlaceOfNoOthers) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  EventStore store{log};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  const Snapshot big{{}, shape_of<Opened>().hash(), Bytes(2'000'000)};
  ASSERT_TRUE(snapshots.save_wait("a", kSome, big));
  for (int chunk = 0; chunk < 4; ++chunk) {  // a crash in front of each of the next one's, and of its row
    simulation.clock.advance(std::chrono::seconds{1});
    log->fail_appends(1, Error{Errc::io, "the power is cut"}, chunk);
    EXPECT_FALSE(snapshots.save_wait("a", kSome, big));
    EXPECT_EQ(snapshots.load("a").value().value().state.size(), big.state.size());
  }
  for (const auto& [key, last] : snapshot_keys(*log)) {
    EXPECT_EQ(last.count, 1) << key;
    EXPECT_FALSE(last.is_tombstone) << key;
  }
}

TEST(Snapshots, ChunksOfARowThatWasReplacedAreGivenUpToCompaction) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  EventStore store{log};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  const Snapshot big{{}, shape_of<Opened>().hash(), Bytes(2'000'000)};
  for (int save = 0; save < 3; ++save) {
    ASSERT_TRUE(snapshots.save_wait("a", kSome, big));
    simulation.clock.advance(std::chrono::seconds{1});
  }
  int left = 0;
  for (const auto& [key, last] : snapshot_keys(*log)) {
    if (key == "a") continue;
    left += last.is_tombstone ? 0 : 1;
    EXPECT_EQ(last.count, last.is_tombstone ? 2 : 1) << key;
  }
  EXPECT_EQ(left, 3) << "those of the row in force";
  EXPECT_EQ(snapshots.load("a").value().value().state.size(), big.state.size());
}

TEST(Snapshots, OneChunkAtATimeWaitsInTheLog) {
  test::Simulation simulation{1};
  const Ports ports = simulation.ports();
  EventStore store{open_local("data", {.ports = &ports, .queued_bytes_max = 1 << 20}).value()};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  const Snapshot big{{}, shape_of<Opened>().hash(), Bytes(5'000'000)};
  const Result<void> saved = snapshots.save_wait("a", kSome, big);
  ASSERT_TRUE(saved) << saved.error();
  EXPECT_EQ(snapshots.load("a").value().value().state.size(), big.state.size());
}

TEST(Snapshots, AnOldRowIsFoundBehindManyNewOnes) {
  test::Simulation simulation{1};
  EventStore store{std::make_shared<test::MemoryEventLog>(simulation.ports())};
  Snapshots snapshots{store};
  ASSERT_TRUE(snapshots.prepare());
  ASSERT_TRUE(snapshots.save_wait("old", kSome, {{}, {}, to_bytes("first")}));
  ASSERT_TRUE(snapshots.save_wait("old", kSome, {{}, {}, to_bytes("second")}));
  for (int row = 0; row < 1000; ++row) ASSERT_TRUE(snapshots.save_wait("busy", kSome, {{}, {}, to_bytes(std::to_string(row))}));
  EXPECT_EQ(as_text(snapshots.load("old").value().value().state), "second");
  EXPECT_EQ(as_text(snapshots.load("busy").value().value().state), "999");
  EXPECT_EQ(as_text(snapshots.load_recent("old").value().value().state), "second");
  EXPECT_EQ(as_text(snapshots.load_recent("busy").value().value().state), "999");
  EXPECT_FALSE(snapshots.load_recent("none").value());
}

TEST(TestKit, DecidersAreTestedAsFunctions) {
  test::given<Account>(Opened{"ada"}, Deposited{1000}).when(Withdraw{300}).then(Withdrawn{300});
  test::given<Account>(Opened{"ada"}).when(Withdraw{1}).rejects("insufficient funds");
  test::given<Account>(Opened{"ada"}).when(Open{"ada"}).then();
  test::given<Account>().when(Move{1, 2}).then(Deposited{1}, Withdrawn{2});
}

TEST(TestKit, AnythingThatADeciderThrowsIsShown) {
  const auto shown = [](const auto& when) -> std::string {
    try {
      static_cast<void>(when());
    } catch (const test::failed& failure) {
      return failure.what();
    }
    return "nothing";
  };
  EXPECT_EQ(shown([] { return test::given<Account>().when(Break{}); }), "decide threw: a bug");
  EXPECT_EQ(shown([] { return test::given<Odd>().when(BreakOddly{}); }),
            "decide threw: an exception that is no std::exception");
}

TEST(TestKit, WhatDoesNotHoldIsShown) {
  try {
    test::given<Account>(Deposited{1000}).when(Withdraw{300}).then(Withdrawn{301});
    FAIL() << "it should have thrown";
  } catch (const test::failed& failure) {
    EXPECT_NE(std::string_view(failure.what()).find("300"), std::string_view::npos) << failure.what();
    EXPECT_NE(std::string_view(failure.what()).find("301"), std::string_view::npos) << failure.what();
  }
  EXPECT_THROW(test::given<Account>().when(Withdraw{1}).then(Withdrawn{1}), test::failed);
  EXPECT_THROW(test::given<Account>().when(Deposit{1}).rejects("no"), test::failed);
}

/// Depends on which partition comes last.
struct LastOwner {
  using Events = lungo::events<Opened>;
  using Key = std::string;
  struct State {
    std::string owner;
  };
  static Key key(const Envelope&, const Opened&) { return "all"; }
  static void evolve(State& s, const Opened& e) { s.owner = e.owner; }
};
struct Total {
  using Events = lungo::events<Deposited>;
  using Key = std::string;
  struct State {
    std::int64_t cents = 0;
  };
  static Key key(const Envelope&, const Deposited&) { return "all"; }
  static void evolve(State& s, const Deposited& e) { s.cents += e.cents; }
};

TEST(TestKit, AFoldThatDependsOnTheOrderOfPartitionsIsFound) {
  test::Interleavings<Total> sums;
  test::Interleavings<LastOwner> owners;
  for (std::int32_t event = 0; event < 6; ++event) {
    sums.add(PartitionId{event % 2}, "Account-1", Timestamp{}, Deposited{event});
    owners.add(PartitionId{event % 2}, "Account-1", Timestamp{}, Opened{std::to_string(event)});
  }
  EXPECT_NO_THROW(sums.check());
  EXPECT_THROW(owners.check(), test::failed);
}

struct MergedTotal : Total {
  static State merge(State a, const State& b) { return {a.cents + b.cents}; }
};
struct TotalThatForgets : Total {
  static State merge(State a, const State&) { return a; }
};

TEST(TestKit, AMergeThatLosesAPartitionIsFound) {
  test::Interleavings<MergedTotal> sums;
  test::Interleavings<TotalThatForgets> wrong;
  for (std::int32_t event = 0; event < 6; ++event) {
    sums.add(PartitionId{event % 2}, "Account-1", Timestamp{}, Deposited{event});
    wrong.add(PartitionId{event % 2}, "Account-1", Timestamp{}, Deposited{event});
  }
  EXPECT_NO_THROW(sums.check());
  EXPECT_THROW(wrong.check(), test::failed);
}

}  // namespace aggregates_tests
