// Goal: what becomes of appends when a call of the producer fails: docs/decisions/0007, section E.
#include "tests/cluster/writer_fixture.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;
using ownership::LetGo;
using ownership::LetGone;
using ownership::TakeAway;
using writing::Abort;
using writing::CallDone;
using writing::CallFailure;
using writing::Commit;
using writing::MakeHandle;
using writing::Produce;
using writing::ProduceFailed;
using writing::Read;
using writing::SendCounters;

class WriterCoreFailures : public WriterCore {
 protected:
  /// The open transaction is produced and acknowledged, and its counters are taken.
  void come_to_commit() {
    produced();
    acknowledge();
    take<SendCounters>();
    done();
    take<Commit>();
  }
  void fail_to_produce(CallFailure::Kind kind, std::vector<ProduceFailed::Refused> refused = {}) {
    step(ProduceFailed{handle, {kind, Error{Errc::timed_out, "message timed out"}, false}, std::move(refused)});
  }
  /// A broker, a batch of partition 0.
  void refuse() {
    fail_to_produce(CallFailure::Kind::abort, {{kZero, Error{Errc::invalid_argument, "no key"}, false, std::nullopt}});
    take<Abort>();
    done();
  }
  /// The pause before the next try, if there is one.
  void wait() {
    now = std::max(now, core.wake_at());
    step(writing::Tick{});
  }
};

TEST_F(WriterCoreFailures, ARetriableCallIsMadeAgain) {
  append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  fail(retriable);
  EXPECT_TRUE(effects.empty()) << "not at once";
  wait();
  EXPECT_EQ(take<SendCounters>().tenure, tenure);
  done();
  take<Commit>();
  fail(retriable);
  wait();
  take<Commit>();
  done();
  read_back();
  EXPECT_EQ(answer(1), "ok 0-1");
}

TEST_F(WriterCoreFailures, WhatWasNotToBeCommittedGoesAgain) {
  append("a");
  produced();
  append("b");
  fail_to_produce(abort);
  take<Abort>();
  done();
  EXPECT_EQ(produced(), (Keys{"a", "b"})) << "in order";
  acknowledge();
  take<SendCounters>();
  fail(abort);
  take<Abort>();
  done();
  wait();
  EXPECT_EQ(produced(), (Keys{"a", "b"}));
  let_through();
  EXPECT_EQ(answer(1), "ok 5-6") << "behind those that were aborted";
  EXPECT_EQ(answer(2), "ok 6-7");
}

TEST_F(WriterCoreFailures, AppendsWithAnIdAreWrittenOnceAfterAnUnknownOutcome) {
  append("a", "id");
  come_to_commit();
  fail(abort);
  take<Abort>();
  append("b");
  append(append_of(kOne, "c", "v"));
  done();
  EXPECT_EQ(answer(1), "-");
  wait();
  const auto first = acknowledgement;
  const auto first_written = written;
  EXPECT_EQ(produced(), Keys{"c"}) << "what becomes of b depends on a";
  let_through();
  EXPECT_TRUE(effects.empty());
  acknowledgement = first;
  written = first_written;
  read_back();
  EXPECT_EQ(answer(1), "ok 0-1") << "it was committed";
  EXPECT_EQ(produced(), Keys{"b"});
  let_through();
  EXPECT_EQ(answer(append("a", "id")), "repeated 0-1");
}

TEST_F(WriterCoreFailures, WhatWasAbortedAfterAnUnknownOutcomeGoesAgain) {
  append("a", "id");
  append("a");
  come_to_commit();
  fail(fatal);
  handle = take<MakeHandle>().handle;
  done();
  claim_again();
  EXPECT_TRUE(effects.empty()) << "nothing goes to that partition";
  read_back(false);
  EXPECT_EQ(produced(), (Keys{"a", "a"}));
  let_through();
  EXPECT_EQ(answer(1), "ok 2-3");
  EXPECT_EQ(answer(2), "ok 3-4");
}

// Brokers confirm a record whose number they know, and do not write it: see rule 6.
TEST_F(WriterCoreFailures, WhatIsAcknowledgedWhereTheTailHasPassedIsNotThere) {
  append(append_of(kPlain, "a", "v"));
  produced();
  step(Read{.partition = kPlain, .from = Offset{0}, .end = Offset{2}, .records = {}});
  acknowledge();
  handle = take<MakeHandle>().handle;
  done();
  claim_again();
  EXPECT_EQ(produced(), Keys{"a"});
}

TEST_F(WriterCoreFailures, WhatIsGoneBeforeItWasReadIsUnknown) {
  append("a");
  come_to_commit();
  fail(fatal);
  take<MakeHandle>();
  step(Read{.partition = kZero, .from = Offset{5}, .end = Offset{5}, .records = {}});
  EXPECT_EQ(answer(1), "timed_out");
}

// Nobody can mend that, but somebody has to hear of it.
TEST_F(WriterCoreFailures, WhatWasConfirmedAndIsNotThereIsTold) {
  append("a");
  come_to_commit();
  done();
  EXPECT_EQ(answer(1), "ok 0-1");
  step(Read{.partition = kZero, .from = Offset{0}, .end = Offset{2}, .records = {}});
  const writing::Missing missing = take<writing::Missing>();
  EXPECT_EQ(missing.partition, kZero);
  EXPECT_EQ(missing.records.begin, Offset{0});
  EXPECT_EQ(missing.records.end, Offset{1});
}

TEST_F(WriterCoreFailures, WhatIsConfirmedWhenItIsKnownNotToBeThereIsUnknown) {
  append("a");
  come_to_commit();
  step(Read{.partition = kZero, .from = Offset{0}, .end = Offset{2}, .records = {}});
  EXPECT_TRUE(effects.empty()) << "it may have been aborted";
  done();
  take<writing::Missing>();
  EXPECT_EQ(answer(1), "timed_out");
}

TEST_F(WriterCoreFailures, AFatalOneMakesTheHandleAnewAndClaimsAgain) {
  append("a");
  produced();
  fail_to_produce(fatal);
  handle = take<MakeHandle>().handle;
  done();
  claim_again();
  EXPECT_EQ(produced(), Keys{"a"});
  let_through();
  EXPECT_EQ(answer(1), "ok 2-3");
}

TEST_F(WriterCoreFailures, AHandleThatCannotBeMadeIsTriedAgainMoreAndMoreSeldom) {
  append("a");
  produced();
  fail_to_produce(fatal);
  std::vector<Duration> pauses;
  for (int i = 0; i < 9; ++i) {
    handle = take<MakeHandle>().handle;
    fail(retriable);
    const Instant failed_at = now;
    while (effects.empty()) pass(100ms);
    pauses.push_back(now - failed_at);
  }
  EXPECT_EQ(pauses, (std::vector<Duration>{100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5s, 5s, 5s}));
}

TEST_F(WriterCoreFailures, AnAbortThatFailsMakesTheHandleAnew) {
  append("a");
  produced();
  fail_to_produce(abort);
  take<Abort>();
  fail(retriable);
  wait();
  take<Abort>();
  fail(abort);
  wait();
  take<MakeHandle>();
}

TEST_F(WriterCoreFailures, ACallThatDoesNotEndMakesTheHandleAnew) {
  append("a");
  come_to_commit();
  const Instant begin = now;
  while (true) {
    fail(retriable);
    if (!effects.empty()) break;
    wait();
    take<Commit>();
    pass(1s);
  }
  take<MakeHandle>();
  EXPECT_GT(now - begin, 14s);
  EXPECT_LT(now - begin, 17s);
  EXPECT_EQ(answer(1), "-") << "the mirror will tell";
}

TEST_F(WriterCoreFailures, ACommitThatIsToBeResumedIsNotAborted) {
  append("a");
  come_to_commit();
  fail(retriable);
  step(LetGo{tenures, now + 50ms});
  pass(50ms);
  EXPECT_TRUE(effects.empty()) << "its handle takes no other call";
  wait();
  take<Commit>();
  done();
  take<LetGone>();
}

TEST_F(WriterCoreFailures, BehindTheEndNothingIsCalled) {
  append("a");
  come_to_commit();
  step(writing::Close{Error{Errc::closed, "the log is closed"}, now + 10s});
  pass(10s);
  EXPECT_EQ(answer(1), "timed_out");
  take<writing::Ended>();
  fail(abort);
  step(TakeAway{tenures});
  pass(1h);
  EXPECT_TRUE(effects.empty());
}

TEST_F(WriterCoreFailures, BehindTheEndWhatHasNothingOpenIsLetGo) {
  step(writing::Close{Error{Errc::closed, "the log is closed"}, now + 10s});
  take<writing::Ended>();
  step(LetGo{tenures, now + 10s});
  take<LetGone>();
}

TEST_F(WriterCoreFailures, AnswersOfAnEarlierHandleArePassedOver) {
  append("a");
  come_to_commit();
  const CallDone late{handle, {}};
  fail(fatal);
  handle = take<MakeHandle>().handle;
  step(late);
  EXPECT_TRUE(effects.empty());
  append(append_of(kPlain, "b", "v"));
  EXPECT_TRUE(effects.empty()) << "the handle is not ready by that";
}

TEST_F(WriterCoreFailures, WhatTheGroupRefusesWaitsForTheNextTenure) {
  append("a");
  append(append_of(kOne, "b", "v"));
  produced();
  acknowledge();
  take<SendCounters>();
  fail(abort, true);
  take<Abort>();
  done();
  const std::uint64_t plain = append(append_of(kPlain, "c", "v"));
  EXPECT_EQ(produced(), Keys{"c"}) << "plain topics go on";
  acknowledge();
  take<Commit>();
  done();
  read_back();
  EXPECT_NE(answer(plain), "-");
  pass(1s);
  EXPECT_TRUE(effects.empty());
  step(LetGo{tenures, now + 10s});
  take<LetGone>();
  EXPECT_EQ(answer(1), "not_owner");
  EXPECT_EQ(answer(2), "not_owner");
}

TEST_F(WriterCoreFailures, ARefusalOfAnEarlierTenureIsNoneOfThisOne) {
  append("a");
  produced();
  acknowledge();
  take<SendCounters>();
  step(TakeAway{tenures});
  grant({kZero});
  fail(abort, true);
  take<Abort>();
  done();
  EXPECT_TRUE(take<Produce>().appends.empty()) << "the claim of the next tenure";
}

// Its numbers would be given to other records.
TEST_F(WriterCoreFailures, WhatIsNotAcknowledgedEndsWithItsHandle) {
  append("a");
  produced();
  step(LetGo{tenures, now + 10s});
  pass(10s);
  take<MakeHandle>();
}

TEST_F(WriterCoreFailures, AnAbortIsNotHurriedWhileLettingGo) {
  append("a");
  produced();
  acknowledge();
  step(LetGo{tenures, now + 10s});
  take<SendCounters>();
  fail(retriable);
  pass(10s);
  take<Abort>();
  fail(retriable);
  EXPECT_TRUE(effects.empty());
  wait();
  take<Abort>();
}

TEST_F(WriterCoreFailures, AProducerThatWasFencedWhileLettingGoIsMadeAnewFirst) {
  append("a");
  produced();
  step(LetGo{tenures, now + 10s});
  fail_to_produce(fatal);
  EXPECT_EQ(answer(1), "not_owner");
  handle = take<MakeHandle>().handle;
  done();
  take<LetGone>();
}

TEST_F(WriterCoreFailures, WhatABrokerRefusesIsAnsweredAndTheRestGoesAgain) {
  append("a");
  produced();
  append("b");
  append(append_of(kOne, "c", "v"));
  let_through();
  EXPECT_EQ(produced(), (Keys{"b", "c"}));
  refuse();
  EXPECT_EQ(answer(2), "invalid_argument");
  EXPECT_EQ(produced(), Keys{"c"});
  let_through();
  EXPECT_NE(answer(append("d")), "invalid_argument") << "the next one may be better";
}

// A broker says of which batch it is, not of which record.
TEST_F(WriterCoreFailures, TheOneThatIsRefusedIsFoundAmongMany) {
  append("a");
  produced();
  for (const char* const key : {"b", "c", "d", "e"}) append(key);
  let_through();
  EXPECT_EQ(produced(), (Keys{"b", "c", "d", "e"}));
  refuse();
  EXPECT_EQ(produced(), (Keys{"b", "c"}));
  refuse();
  EXPECT_EQ(produced(), Keys{"b"});
  let_through();
  EXPECT_EQ(produced(), (Keys{"c", "d"}));
  refuse();
  EXPECT_EQ(produced(), Keys{"c"}) << "at once";
  refuse();
  EXPECT_EQ(answer(3), "invalid_argument");
  EXPECT_EQ(produced(), Keys{"d"});
  let_through();
  EXPECT_EQ(produced(), Keys{"e"});
  let_through();
  for (const std::uint64_t ticket : {2, 4, 5}) EXPECT_NE(answer(ticket), "-");
  // And many go together again.
  std::size_t most = 0;
  for (int round = 0; round < 40; ++round) {
    for (const char* const key : {"f", "g", "h", "i"}) append(key);
    while (!effects.empty()) {
      most = std::max(most, produced().size());
      let_through();
    }
  }
  EXPECT_EQ(most, 3u) << "all but the one that found nothing open";
}

TEST_F(WriterCoreFailures, WhatTheClientRefusesIsAnsweredAloneAtOnce) {
  append("a");
  produced();
  for (const char* const key : {"b", "c", "d"}) append(key);
  let_through();
  produced();
  fail_to_produce(abort, {{kZero, Error{Errc::too_large, "too large"}, false, 1}});
  take<Abort>();
  done();
  EXPECT_EQ(answer(3), "too_large");
  EXPECT_EQ(produced(), (Keys{"b", "d"}));
}

TEST_F(WriterCoreFailures, WhatABrokerRefusesForGoodIsNotTriedAgainForAWhile) {
  append("a");
  produced();
  append("b");
  fail_to_produce(abort, {{kZero, Error{Errc::io, "no right to write to topic events"}, true, std::nullopt}});
  EXPECT_EQ(answer(2), "io") << "before it was tried";
  take<Abort>();
  done();
  EXPECT_EQ(answer(1), "io");
  EXPECT_EQ(answer(append("c")), "io");
  append(append_of(kOne, "d", "v"));
  produced();
  let_through();
  now += 10s;
  append("e");
  EXPECT_EQ(produced(), Keys{"e"});
}

TEST_F(WriterCoreFailures, ADeadlineAnswersWhatWaitsAndWhatIsUnderWay) {
  append("a");
  produced();
  append("b");
  pass(30s);
  for (const std::uint64_t ticket : {1, 2}) ASSERT_EQ(answer(ticket), "timed_out");
  EXPECT_NE(answers.at(1).error().text().find("unknown"), std::string_view::npos);
  EXPECT_NE(answers.at(2).error().text().find("it is not written"), std::string_view::npos);
  let_through();
  EXPECT_EQ(answer(1), "timed_out") << "a second answer is none";
  append("c");
  EXPECT_EQ(produced(), Keys{"c"}) << "b is gone";
}

TEST_F(WriterCoreFailures, ADeadlineNamesWhatFailedLast) {
  append("a");
  produced();
  fail_to_produce(fatal);
  handle = take<MakeHandle>().handle;
  fail(fatal);
  pass(30s);
  EXPECT_NE(answers.at(1).error().text().find("it is not written; what failed last: io: failed"), std::string_view::npos);
}

TEST_F(WriterCoreFailures, WhatIsAnsweredDoesNotGoAgain) {
  append("a");
  produced();
  pass(30s);
  fail_to_produce(abort);
  take<Abort>();
  done();
  EXPECT_TRUE(effects.empty());
}

// The shell looks at what it has produced until it is told not to, and what was answered here is gone.
TEST_F(WriterCoreFailures, WhatIsUnderWayIsGivenUpAlsoWhereItsHandleIsMadeAnewLater) {
  append("a");
  produced();
  fail_to_produce(CallFailure::Kind::abort);
  take<Abort>();
  done();
  wait();
  EXPECT_EQ(produced(), Keys{"a"});
  EXPECT_FALSE(given_up);
  step(TakeAway{tenures});
  EXPECT_TRUE(effects.empty()) << "the next handle has to wait";
  EXPECT_EQ(answer(1), "not_owner");
  EXPECT_EQ(given_up, handle);
}

// A transaction over two topics, whose commit nobody has confirmed: of the one that was deleted nothing is read any more.
TEST_F(WriterCoreFailures, ATopicThatGoesHoldsUpNoOtherTopic) {
  append("x");
  produced();
  append("a");
  append(append_of(kPlain, "p", "v"));
  let_through();
  come_to_commit();
  fail(CallFailure::Kind::fatal);
  make_handle();
  claim_again();
  EXPECT_TRUE(effects.empty()) << "what became of it is not known";
  step(writing::TopicGone{kPlain.topic});
  step(Read{.partition = kZero, .from = Offset{1}, .end = Offset{3}, .records = {}});
  wait();
  EXPECT_EQ(produced(), Keys{"a"}) << "it was aborted";
}

}  // namespace
}  // namespace lungo::test
