// Goal: conditions and ids hold against what is in the mirror, in the open transaction, and between the two.
#include "tests/cluster/writer_fixture.hpp"

namespace lungo::test {
namespace {

using writing::Abort;
using writing::Commit;
using writing::ProduceFailed;
using writing::SendCounters;

class WriterCoreConditions : public WriterCore {
 protected:
  void SetUp() override {
    WriterCore::SetUp();
    mirror[kZero] = {.start = Offset{2}, .end = Offset{5}, .records = {{Offset{3}, {"a", "once", "v"}}}};
    ends[kZero] = Offset{5};
  }
};

TEST_F(WriterCoreConditions, AreCheckedWhenTheAppendComes) {
  EXPECT_EQ(answer(append(conditional("a", "", 3))), "conflict");
  EXPECT_EQ(answers.at(1).error().offset(), Offset{3});
  EXPECT_EQ(answer(append(conditional("a", "", 1))), "history_trimmed");
  EXPECT_EQ(answer(append(conditional("a", "", 6))), "invalid_argument") << "nobody has read so far";
  EXPECT_TRUE(effects.empty());
  append(conditional("a", "", 4));
  EXPECT_EQ(produced(), Keys{"a"});
  append(conditional("b", "", 2));
  let_through();
  EXPECT_EQ(produced(), Keys{"b"});
}

TEST_F(WriterCoreConditions, NeedAStreamTopic) {
  AppendRequest request = append_of(kPlain, "a", "v");
  request.since = Offset{0};
  EXPECT_EQ(answer(append(std::move(request))), "unsupported");
}

TEST_F(WriterCore, AConditionWaitsForTheOpenTransaction) {
  append("a");
  produced();
  const std::uint64_t waits = append(conditional("a", "", 0));
  const std::uint64_t other = append(conditional("b", "", 0));
  EXPECT_EQ(answer(waits), "-");
  let_through();
  EXPECT_EQ(answer(waits), "conflict");
  EXPECT_EQ(answers.at(waits).error().offset(), Offset{0});
  EXPECT_EQ(produced(), Keys{"b"});
  EXPECT_EQ(answer(other), "-");
}

TEST_F(WriterCore, AConditionHoldsWhereTheOpenTransactionIsAborted) {
  append("a");
  produced();
  const std::uint64_t waits = append(conditional("a", "", 0));
  step(ProduceFailed{handle, {abort, Error{Errc::io, "failed"}, false}, {{kZero, Error{Errc::io, "failed"}, false}}});
  take<Abort>();
  done();
  EXPECT_EQ(answer(1), "io");
  EXPECT_EQ(produced(), Keys{"a"});
  let_through();
  EXPECT_EQ(answer(waits), "ok 2-3");
}

TEST_F(WriterCoreConditions, WaitForWhatIsCommittedAndNotReadBack) {
  append("b");
  produced();
  append(conditional("b", "", 5));
  append("c");
  commit();
  pass(std::chrono::milliseconds{3});
  EXPECT_EQ(produced(), Keys{"c"});
  EXPECT_EQ(answer(2), "-") << "the mirror does not know of b yet";
}

// Who was answered decides the next one on it: it would wait a turn otherwise.
TEST_F(WriterCoreConditions, ThatHaveSeenWhatIsCommittedDoNotWaitForTheMirror) {
  append("b");
  produced();
  commit();
  EXPECT_EQ(answer(1), "ok 5-6");
  append(conditional("b", "", 6));
  append(conditional("c", "", 6));
  EXPECT_EQ(answer(append(conditional("b", "", 7))), "invalid_argument") << "the log ends there";
  pass(std::chrono::milliseconds{3});
  EXPECT_EQ(produced(), (Keys{"b", "c"}));
}

TEST_F(WriterCoreConditions, OfOneTransactionAreCheckedOneAfterTheOther) {
  append("x");
  produced();
  const std::uint64_t first = append(conditional("b", "", 5));
  const std::uint64_t second = append(conditional("b", "", 5));
  const std::uint64_t third = append("b");
  let_through();
  EXPECT_EQ(produced(), Keys{"b"}) << "the third waits behind the second, under whose key it writes";
  let_through();
  EXPECT_EQ(answer(first), "ok 7-8");
  EXPECT_EQ(answer(second), "conflict");
  EXPECT_EQ(produced(), Keys{"b"});
  let_through();
  EXPECT_EQ(answer(third), "ok 9-10");
}

TEST_F(WriterCoreConditions, AreCheckedAgainWithWhatTheMirrorHasGotSince) {
  append("x");
  produced();
  const std::uint64_t waits = append(conditional("b", "", 5));
  mirror[kZero].records.emplace(Offset{5}, MirrorModel::Record{"b", {}, "foreign"});
  mirror[kZero].end = ends[kZero] = Offset{6};
  acknowledgement.partitions[0].records = {{Offset{6}, Offset{7}}};
  acknowledgement.appends = {{Offset{6}, Offset{7}}};
  written[kZero] = {{Offset{6}, {"x", {}, "v"}}};
  ends[kZero] = Offset{8};
  let_through();
  EXPECT_EQ(answer(waits), "conflict");
}

TEST_F(WriterCoreConditions, WaitWhileTheMirrorIsMadeAnew) {
  append("x");
  produced();
  let_through();
  mirror[kZero] = {.start = Offset{2}, .end = Offset{2}, .records = {}};
  const std::uint64_t waits = append(conditional("a", "", 2));
  EXPECT_TRUE(effects.empty());
  mirror[kZero] = {.start = Offset{2}, .end = Offset{7}, .records = {{Offset{3}, {"a", {}, "v"}}}};
  step(writing::Read{.partition = kZero, .from = Offset{2}, .end = Offset{7}, .records = {{Offset{3}, Offset{4}}}});
  EXPECT_EQ(answer(waits), "conflict");
}

TEST_F(WriterCoreConditions, WaitWhereTheMirrorIsMadeAnewRightAfterTheGrant) {
  step(ownership::TakeAway{tenures});
  own({kZero});
  mirror[kZero] = {.start = Offset{0}, .end = Offset{0}, .records = {}};
  const std::uint64_t waits = append(conditional("a", "", 0));
  EXPECT_TRUE(effects.empty()) << "it was read up to the barrier once";
  mirror[kZero] = {.start = Offset{2}, .end = Offset{5}, .records = {{Offset{3}, {"a", {}, "v"}}}};
  step(writing::Read{.partition = kZero, .from = Offset{0}, .end = Offset{5}, .records = {{Offset{3}, Offset{4}}}});
  EXPECT_EQ(answer(waits), "history_trimmed");
}

class WriterCoreIds : public WriterCoreConditions {};

TEST_F(WriterCoreIds, AreFoundInTheMirror) {
  EXPECT_EQ(answer(append("a", "once")), "repeated 3-4");
  EXPECT_EQ(answer(append(conditional("a", "once", 3))), "repeated 3-4") << "it is its own record that is in the way";
  AppendRequest larger = append_of(kZero, "a", "v", "once");
  larger.records.add({.timestamp = {}, .key = {}, .value = {}, .headers = {}}).value();
  EXPECT_EQ(answer(append(std::move(larger))), "invalid_argument");
  AppendRequest since = append_of(kZero, "a", "v", "once");
  since.since = Offset{4};
  append(std::move(since));
  EXPECT_EQ(produced(), Keys{"a"}) << "not since then";
}

TEST_F(WriterCoreIds, InTheOpenTransactionAreWaitedFor) {
  append("b", "id");
  produced();
  const std::uint64_t again = append("b", "id");
  const std::uint64_t other_key = append("c", "id");
  let_through();
  EXPECT_EQ(answer(again), "repeated 5-6");
  EXPECT_EQ(produced(), Keys{"c"}) << "an id belongs to its key";
  EXPECT_EQ(answer(other_key), "-");
}

TEST_F(WriterCoreIds, OfOneTransactionAreWrittenOnce) {
  append("x");
  produced();
  for (int i = 0; i < 3; ++i) append("b", "id");
  let_through();
  EXPECT_EQ(produced(), Keys{"b"});
  let_through();
  EXPECT_EQ(answer(2), "ok 7-8");
  EXPECT_EQ(answer(3), "repeated 7-8");
  EXPECT_EQ(answer(4), "repeated 7-8");
}

TEST_F(WriterCoreIds, MayHaveRecordsWithoutKey) {
  AppendRequest request{.to = kPlain, .records = {}, .condition = {}, .since = {}};
  const HeaderView id{.name = kIdHeader, .value = as_bytes("id")};
  request.records.add({.timestamp = {}, .key = {}, .value = as_bytes("v"), .headers = {&id, 1}}).value();
  AppendRequest again{.to = kPlain, .records = {}, .condition = {}, .since = {}};
  again.records = request.records;
  append(std::move(request));
  EXPECT_EQ(produced(), Keys{"-"});
  const std::uint64_t waits = append(std::move(again));
  acknowledge();
  take<Commit>();
  done();
  read_back();
  EXPECT_EQ(answer(waits), "repeated 0-1");
}

}  // namespace
}  // namespace lungo::test
