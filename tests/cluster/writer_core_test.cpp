// Goal: what becomes of appends and transactions, one scenario each. What fails is writer_failures_test.cpp's, conditions and
// ids writer_conditions_test.cpp's; all of it at once, on a model of the brokers, cores_model_test.cpp's.
#include "tests/cluster/writer_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using ownership::Claimed;
using ownership::LetGo;
using ownership::LetGone;
using ownership::TakeAway;
using writing::Abort;
using writing::Commit;
using writing::Foreign;
using writing::MakeHandle;
using writing::OffsetRange;
using writing::Produce;
using writing::Read;
using writing::SendCounters;

TEST_F(WriterCore, ATransactionTakesWhatQueuedDuringTheOneBefore) {
  append("a");
  EXPECT_EQ(produced(), Keys{"a"});
  append("b");
  append(append_of(kOne, "c", "v"));
  append("b");
  EXPECT_TRUE(effects.empty());
  let_through();
  EXPECT_EQ(produced(), (Keys{"b", "b", "c"}));
}

TEST_F(WriterCore, AnAppendIsAnsweredWhenItIsCommitted) {
  const std::uint64_t one = append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  done();
  take<Commit>();
  EXPECT_EQ(answer(one), "-");
  EXPECT_TRUE(committed.empty());
  done();
  EXPECT_EQ(answer(one), "ok 0-1");
  EXPECT_EQ(committed[kZero], Offset{1}) << "readers wait until the mirror is there";
  read_back();
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCore, TheTailMayBeFasterThanTheAnswerOfCommit) {
  const std::uint64_t one = append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  done();
  take<Commit>();
  read_back();
  EXPECT_EQ(answer(one), "ok 0-1") << "what is read is committed";
  append("b");
  EXPECT_TRUE(effects.empty());
  done();
  EXPECT_EQ(produced(), Keys{"b"});
}

TEST_F(WriterCore, CountersComeBehindAllRecords) {
  append("a");
  produced();
  append("b");
  append(append_of(kOne, "c", "v"));
  let_through();
  produced();
  pass(5s);
  EXPECT_TRUE(effects.empty());
  acknowledge();
  const SendCounters counters = take<SendCounters>();
  EXPECT_EQ(counters.tenure, tenure);
  ASSERT_EQ(counters.counters.size(), 2u);
  EXPECT_EQ(counters.counters[0].partition, kZero);
  EXPECT_EQ(counters.counters[0].offset, Offset{3}) << "one past the last record";
  EXPECT_EQ(counters.counters[1].partition, kOne);
  EXPECT_EQ(counters.counters[1].offset, Offset{1});
}

TEST_F(WriterCore, TheNextTransactionWaitsForTheTailOrThreeMilliseconds) {
  append("a");
  produced();
  append("b");
  commit();
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(core.wake_at(), now + 3ms);
  pass(3ms);
  EXPECT_EQ(produced(), Keys{"b"}) << "whatever the tail does";
  append("c");
  commit();
  EXPECT_TRUE(effects.empty());
  const std::vector<OffsetRange> records{{Offset{0}, Offset{1}}, {Offset{2}, Offset{3}}};
  step(Read{.partition = kZero, .from = Offset{0}, .end = ends[kZero], .records = records});
  EXPECT_EQ(produced(), Keys{"c"}) << "the tail has seen it";
}

TEST_F(WriterCore, PlainTopicsAreAnybodys) {
  step(TakeAway{tenures});
  const std::uint64_t one = append(append_of(kPlain, "a", "v"));
  EXPECT_EQ(produced(), Keys{"a"});
  acknowledge();
  take<Commit>();
  done();
  read_back();
  EXPECT_EQ(answer(one), "ok 0-1");
}

TEST_F(WriterCore, PlainTopicsAreAnybodysWhoeverOwnsTheirPartitions) {
  step(TakeAway{tenures});
  own({kPlain});
  append(append_of(kPlain, "a", "v"));
  EXPECT_EQ(produced(), Keys{"a"});
  acknowledge();
  take<Commit>();
  done();
  step(Read{.partition = kPlain, .from = Offset{0}, .end = Offset{5}, .records = {{Offset{0}, Offset{5}}}});
  EXPECT_EQ(answer(1), "ok 0-1");
  EXPECT_TRUE(effects.empty()) << "nothing is foreign there";
  append(append_of({"rows", PartitionId{0}}, "row", "v"), kPlain);
  EXPECT_EQ(produced(), Keys{"row"});
  acknowledge();
  EXPECT_EQ(take<SendCounters>().counters.at(0).partition, kPlain) << "what its owner says of it is the owner's";
  done();
  take<Commit>();
  done();
  read_back();
  step(TakeAway{tenures});
  append(append_of(kPlain, "b", "v"));
  EXPECT_EQ(produced(), Keys{"b"});
}

TEST_F(WriterCore, OnlyTheOwnerAppendsToAStream) {
  EXPECT_EQ(answer(append(append_of({"events", PartitionId{2}}, "a", "v"))), "not_owner");
  step(TakeAway{tenures});
  EXPECT_EQ(answer(append("a")), "not_owner");
  own({kOne});
  EXPECT_EQ(answer(append("a")), "not_owner");
  append(append_of(kOne, "a", "v"));
  EXPECT_EQ(produced(), Keys{"a"});
}

TEST_F(WriterCore, ANewOwnerClaimsBeforeItWrites) {
  step(TakeAway{tenures});
  ends[kZero] = mirror[kZero].end = Offset{7};
  grant({kZero});
  append("a");
  EXPECT_TRUE(take<Produce>().appends.empty());
  grant_more({kOne});
  step(writing::Acknowledged{.handle = handle, .appends = {}, .partitions = {}});
  const SendCounters claim = take<SendCounters>();
  ASSERT_EQ(claim.counters.size(), 1u);
  EXPECT_EQ(claim.counters[0].offset, Offset{7}) << "what it has read to";
  done();
  take<Commit>();
  step(writing::CallDone{handle, {}});
  EXPECT_EQ(std::get<Claimed>(effects.at(0)).partitions, std::vector{kZero});
  EXPECT_TRUE(std::get<Produce>(effects.at(1)).appends.empty()) << "the other one is claimed before anything is written";
}

TEST_F(WriterCore, ARowOnBehalfOfAPartitionGoesWhileThatIsOwnedAndCarriesItsCounter) {
  const std::uint64_t kept = append(append_of(kPlain, "row", "v"), kOne);
  EXPECT_EQ(produced(), Keys{"row"});
  acknowledge();
  const SendCounters counters = take<SendCounters>();
  ASSERT_EQ(counters.counters.size(), 1u);
  EXPECT_EQ(counters.counters[0].partition, kOne);
  const std::uint64_t waits = append(append_of(kPlain, "row", "v"), kOne);
  step(TakeAway{tenures});
  EXPECT_EQ(answer(waits), "not_owner");
  done();
  take<Abort>();
  done();
  EXPECT_EQ(answer(kept), "not_owner");
  EXPECT_EQ(answer(append(append_of(kPlain, "row", "v"), kOne)), "not_owner");
}

TEST_F(WriterCore, LettingGoEndsTheOpenTransactionAndRefusesWhatWaits) {
  const std::uint64_t open = append("a");
  produced();
  const std::uint64_t waits = append("b");
  const std::uint64_t plain = append(append_of(kPlain, "c", "v"));
  step(LetGo{tenures, now + 10s});
  EXPECT_EQ(answer(waits), "not_owner");
  EXPECT_EQ(answer(append("d")), "not_owner");
  EXPECT_TRUE(effects.empty());
  acknowledge();
  EXPECT_EQ(take<SendCounters>().tenure, tenure);
  done();
  take<Commit>();
  done();
  EXPECT_EQ(take<LetGone>().tenure, tenures);
  read_back();
  EXPECT_EQ(answer(open), "ok 0-1");
  EXPECT_EQ(produced(), Keys{"c"}) << "plain topics have no owner";
  EXPECT_EQ(answer(plain), "-");
}

TEST_F(WriterCore, LettingGoOfNothingIsDoneAtOnce) {
  append(append_of(kPlain, "a", "v"));
  produced();
  step(LetGo{tenures, now + 10s});
  EXPECT_EQ(take<LetGone>().tenure, tenures) << "the open transaction has nothing of it";
  step(LetGo{tenures, now + 10s});
  EXPECT_EQ(take<LetGone>().tenure, tenures);
}

TEST_F(WriterCore, LettingGoAbortsAtItsDeadlineAndThenMakesTheProducerAnew) {
  const std::uint64_t one = append("a");
  produced();
  acknowledge();
  step(LetGo{tenures, now + 10s});
  take<SendCounters>();
  fail(writing::CallFailure::Kind::retriable);
  EXPECT_EQ(core.wake_at() <= now + 10s, true);
  pass(10s);
  take<Abort>();
  EXPECT_EQ(answer(one), "-");
  pass(5s);
  EXPECT_EQ(answer(one), "not_owner");
  handle = take<MakeHandle>().handle;
  EXPECT_EQ(core.wake_at(), Instant::max()) << "it waits for an answer, and for no time";
  done();
  EXPECT_EQ(take<LetGone>().tenure, tenures) << "its id is initialised: nothing is open";
}

TEST_F(WriterCore, AfterItsTenureNothingIsCommitted) {
  const std::uint64_t one = append("a");
  const std::uint64_t plain = append(append_of(kPlain, "b", "v"));
  produced();
  step(TakeAway{tenures});
  handle = take<MakeHandle>().handle;
  acknowledge();
  EXPECT_TRUE(effects.empty()) << "that is of the handle before";
  done();
  EXPECT_EQ(answer(one), "not_owner");
  EXPECT_EQ(answer(plain), "-");
  EXPECT_EQ(produced(), Keys{"b"}) << "it goes again";
}

TEST_F(WriterCore, WhatIsUnderWayWhenItsTenureEndsIsAbortedBehindTheCall) {
  append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  step(TakeAway{tenures});
  EXPECT_TRUE(effects.empty());
  grant({kZero});
  EXPECT_TRUE(effects.empty());
  done();
  take<Abort>();
}

TEST_F(WriterCore, WhatWasToBeCommittedWhenItsTenureEndsIsAnsweredAsItIs) {
  const std::uint64_t one = append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  done();
  take<Commit>();
  step(TakeAway{tenures});
  EXPECT_EQ(answer(one), "-");
  done();
  read_back();
  EXPECT_EQ(answer(one), "ok 0-1");
}

/// Read in a partition; the answer to counters tells that there was no other owner.
class WriterCoreForeign : public WriterCore {
 protected:
  void read(std::int64_t from, std::int64_t end, std::vector<OffsetRange> records) {
    step(Read{.partition = kZero, .from = Offset{from}, .end = Offset{end}, .records = std::move(records)});
  }
  /// Takes the counters without records that ask.
  std::vector<Foreign> asked() {
    EXPECT_TRUE(take<Produce>().appends.empty());
    step(writing::Acknowledged{.handle = handle, .appends = {}, .partitions = {}});
    EXPECT_EQ(take<SendCounters>().tenure, tenure);
    done();
    std::vector<Foreign> told;
    for (const writing::Effect& effect : std::exchange(effects, {})) {
      if (const Foreign* foreign = std::get_if<Foreign>(&effect)) told.push_back(*foreign);
    }
    done();
    return told;
  }
};

TEST_F(WriterCoreForeign, RecordsAreToldWhenTheGroupSaysThatThereIsNoOtherOwner) {
  read(0, 3, {{Offset{1}, Offset{3}}});
  const std::vector<Foreign> told = asked();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].partition, kZero);
  EXPECT_EQ(told[0].records, (OffsetRange{Offset{1}, Offset{3}}));
  EXPECT_EQ(told[0].as_of, std::nullopt);
  EXPECT_TRUE(effects.empty()) << "once";
}

TEST_F(WriterCoreForeign, RecordsMayBeTheNextOwners) {
  read(0, 3, {{Offset{1}, Offset{3}}});
  EXPECT_TRUE(take<Produce>().appends.empty());
  step(writing::Acknowledged{.handle = handle, .appends = {}, .partitions = {}});
  take<SendCounters>();
  fail(abort, true);
  take<Abort>();
  done();
  step(TakeAway{tenures});
  own({kZero});
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCoreForeign, RecordsLieBetweenOnesOfItsOwn) {
  append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  done();
  take<Commit>();
  read(0, 6, {{Offset{0}, Offset{3}}, {Offset{4}, Offset{6}}});
  done();
  const std::vector<Foreign> told = asked();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].records, (OffsetRange{Offset{1}, Offset{3}}));
  EXPECT_EQ(told[1].records, (OffsetRange{Offset{4}, Offset{6}}));
}

TEST_F(WriterCoreForeign, RecordsNameTheConditionThatTheyMayHaveVoided) {
  ends[kZero] = Offset{3};
  append(conditional("a", "", 0));
  produced();
  read(0, 3, {{Offset{1}, Offset{2}}});
  acknowledge();
  take<SendCounters>();
  done();
  EXPECT_EQ(std::get<Foreign>(effects.at(0)).as_of, Offset{0}) << "it was decided without them";
}

TEST_F(WriterCoreForeign, RecordsBehindAnAppendHaveVoidedNothingOfIt) {
  append(conditional("a", "", 0));
  produced();
  acknowledge();
  read(0, 3, {{Offset{0}, Offset{2}}});
  take<SendCounters>();
  done();
  EXPECT_TRUE(std::holds_alternative<Commit>(effects.at(0))) << "they were read behind the counters";
  effects.clear();
  done();
  EXPECT_EQ(asked()[0].as_of, std::nullopt);
}

TEST_F(WriterCoreForeign, WhatAMirrorReadsAgainIsNobodyElses) {
  append("a");
  produced();
  let_through();
  read(0, 1, {{Offset{0}, Offset{1}}});
  read(1, 2, {});
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCoreForeign, WhatLiesBelowTheBarrierIsHistory) {
  step(TakeAway{tenures});
  read(0, 5, {{Offset{0}, Offset{5}}});
  mirror[kZero].end = Offset{7};
  own({kZero});
  read(5, 8, {{Offset{5}, Offset{8}}});
  EXPECT_EQ(asked()[0].records, (OffsetRange{Offset{7}, Offset{8}}));
}

TEST_F(WriterCore, ClosingEndsWhatIsOpenAndRefusesTheRest) {
  const std::uint64_t open = append("a");
  produced();
  const std::uint64_t waits = append("b");
  step(writing::Close{Error{Errc::closed, "the log is closed"}, now + 10s});
  EXPECT_EQ(answer(waits), "closed");
  EXPECT_EQ(answer(append("c")), "closed");
  let_through();
  EXPECT_EQ(answer(open), "ok 0-1");
  take<writing::Ended>();
  pass(1h);
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCore, ClosingEndsAtItsDeadline) {
  const std::uint64_t open = append("a");
  produced();
  step(writing::Close{Error{Errc::closed, "the log is closed"}, now + 10s});
  EXPECT_LE(core.wake_at(), now + 10s);
  pass(10s);
  EXPECT_EQ(answer(open), "timed_out");
  take<writing::Ended>();
}

TEST_F(WriterCore, ATopicThatIsDeletedTakesItsAppendsAlong) {
  const std::uint64_t open = append("a");
  produced();
  const std::uint64_t waits = append("b");
  const std::uint64_t row = append(append_of(kPlain, "row", "v"), kZero);
  step(writing::TopicGone{"events"});
  EXPECT_EQ(answer(open), "not_found");
  EXPECT_EQ(answer(waits), "not_found");
  EXPECT_EQ(answer(row), "not_owner");
  let_through();
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(answer(append("c")), "not_owner") << "one of this name is another topic";
}

TEST_F(WriterCore, AStreamTopicThatWasMadeAnewKeepsStreamsAgain) {
  step(writing::TopicGone{"events"});
  mirror.is_events_gone = true;
  grant_more({kZero});  // by the group, which has not heard of it
  claim();
  effects.clear();
  mirror.is_events_gone = false;
  own({kZero});
  EXPECT_EQ(answer(append(conditional("a", "id", 0))), "-") << "conditions are taken";
  EXPECT_EQ(produced(), Keys{"a"});
}

// ---- how much ----

class WriterCoreLimits : public WriterCore {
 protected:
  WriterCoreLimits() : WriterCore({.queued_bytes_max = 1000, .transaction_bytes_max = 300, .transaction_records_max = 3}) {}

  static AppendRequest of_bytes(std::string_view key, std::size_t bytes, const TopicPartition& to = kZero) {
    return append_of(to, key, std::string(bytes, 'v'));
  }
};

TEST_F(WriterCoreLimits, ATransactionTakesSoManyRecordsAndBytes) {
  for (int i = 0; i < 5; ++i) append("a");
  EXPECT_EQ(produced().size(), 1u);
  let_through();
  EXPECT_EQ(produced().size(), 3u);
  append(of_bytes("b", 200));
  append(of_bytes("c", 200));
  let_through();
  EXPECT_EQ(produced(), (Keys{"a", "b"}));
  let_through();
  EXPECT_EQ(produced(), Keys{"c"});
}

TEST_F(WriterCoreLimits, PartitionsTakeTurnsInAFullTransaction) {
  append("first");
  produced();
  for (int i = 0; i < 4; ++i) {
    append(append_of(kZero, "zero", "v"));
    append(append_of(kOne, "one", "v"));
  }
  let_through();
  const Keys second = produced();
  let_through();
  EXPECT_NE(second, produced()) << "the other one comes first";
}

TEST_F(WriterCoreLimits, WhatNoTransactionTakesIsTooLarge) {
  EXPECT_EQ(answer(append(of_bytes("a", 300))), "too_large");
  AppendRequest many = append_of(kZero, "a", "v");
  for (int i = 0; i < 3; ++i) many.records.add({.timestamp = {}, .key = {}, .value = {}, .headers = {}}).value();
  EXPECT_EQ(answer(append(std::move(many))), "too_large");
  EXPECT_EQ(answer(append(AppendRequest{.to = kZero, .records = {}, .condition = {}, .since = {}})), "invalid_argument");
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCoreLimits, WhatIsMoreThanMayWaitIsBusy) {
  std::vector<std::uint64_t> taken;
  for (int i = 0; i < 4; ++i) taken.push_back(append(of_bytes("a", 200)));
  EXPECT_EQ(answer(append(of_bytes("b", 200))), "busy");
  produced();
  let_through();
  EXPECT_EQ(answer(taken[0]), "ok 0-1");
  append(of_bytes("b", 200));
  EXPECT_EQ(answers.size(), 2u) << "what is answered makes room";
}

}  // namespace
}  // namespace lungo::test
