// Goal: each of the rules by which partitions are taken and let go (docs/decisions/0007, section C), one scenario each. All of
// them at once, with everything that fails, is cores_model_test.cpp's.
#include "client/ownership_core.hpp"

#include <gtest/gtest.h>

#include "client/owner_note.hpp"

namespace lungo::ownership {
namespace {

using namespace std::chrono_literals;

const TopicPartition kZero{"events", PartitionId{0}};
const TopicPartition kOne{"events", PartitionId{1}};
const TopicPartition kOther{"payments", PartitionId{0}};
constexpr ListenerId kListener{7};

std::string note_of(const std::string& member, const std::string& id) {
  return format_owner_note({.member = member, .transactional_id = id, .endpoint = "there:1"}).value();
}

class Owning : public testing::Test {
 protected:
  /// Those of the last step.
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const Effect& effect : effects) {
      if (const T* one = std::get_if<T>(&effect)) found.push_back(*one);
    }
    return found;
  }
  template <class T>
  bool none() const {
    return all<T>().empty();
  }
  template <class T>
  T only() const {
    const std::vector<T> found = all<T>();
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? T{} : found.front();
  }

  void step(Input input) { effects = core.step(std::move(input), now); }
  void pass(Duration time) {
    now += time;
    step(Tick{});
  }
  void assign(std::vector<TopicPartition> partitions) {
    step(Assigned{.member = "me-1", .metadata = "generation", .partitions = std::move(partitions)});
    tenure = only<AskHighWatermarks>().tenure;
  }
  void watermark(const TopicPartition& partition, std::int64_t end) {
    step(HighWatermarks{tenure, {{partition, Offset{end}}}});
  }
  void owners(std::vector<Owners::Row> rows, std::vector<std::string> members) {
    step(Owners{.tenure = tenure, .outcome = {}, .rows = std::move(rows), .members = std::move(members)});
  }
  /// Assigned, read and claimed.
  void open(const std::vector<TopicPartition>& partitions) {
    assign(partitions);
    for (const TopicPartition& partition : partitions) watermark(partition, 0);
    step(Claimed{tenure, partitions});
  }

  OwnershipCore core{{.transactional_id = "shop.w.me", .endpoint = "here:1"}};
  Instant now{1h};
  Effects effects;
  std::uint64_t tenure = 0;
};

using OwnershipCoreStanding = Owning;

TEST_F(OwnershipCoreStanding, WhatIsJoinedWhileOthersAreHeldIsComingUntilItIsShared) {
  using Standing = OwnershipCore::Standing;
  const TopicPartition order{"orders", PartitionId{0}};
  step(Joined{ListenerId{1}, {kZero.topic}});
  EXPECT_EQ(core.standing(kZero), Standing::coming);
  EXPECT_EQ(core.standing(order), Standing::away) << "nobody here has joined it";
  step(Assigned{.member = "me-1", .metadata = "first", .partitions = {kZero}, .topics = {kZero.topic}});
  EXPECT_EQ(core.standing(kOne), Standing::away) << "it was shared, and is another's";
  step(Joined{ListenerId{2}, {order.topic}});
  EXPECT_EQ(core.standing(order), Standing::coming) << "the group is not told yet";
  EXPECT_EQ(core.standing(kOne), Standing::away);
  step(Revoked{});
  step(Assigned{.member = "me-1", .metadata = "second", .partitions = {kZero}, .topics = {kZero.topic, order.topic}});
  EXPECT_EQ(core.standing(order), Standing::away);
}

using OwnershipCoreBarrier = Owning;

TEST_F(OwnershipCoreBarrier, IsAskedForAfterEachAssignment) {
  assign({kZero, kOne});
  EXPECT_EQ(only<AskHighWatermarks>().partitions, (std::vector{kZero, kOne}));
  watermark(kZero, 0);
  EXPECT_EQ(only<Grant>().partitions.size(), 1u);
  step(Lost{});
  assign({kZero});
  EXPECT_EQ(only<AskHighWatermarks>().partitions, std::vector{kZero}) << "others may have written since";
  EXPECT_TRUE(none<Grant>());
}

TEST_F(OwnershipCoreBarrier, OpensWhatTheMirrorHasReadTo) {
  assign({kZero});
  step(MirrorEnd{kZero, Offset{9}});
  watermark(kZero, 10);
  EXPECT_TRUE(none<Grant>());
  step(MirrorEnd{kZero, Offset{10}});
  const Grant grant = only<Grant>();
  ASSERT_EQ(grant.partitions.size(), 1u);
  EXPECT_EQ(grant.partitions[0].partition, kZero);
  EXPECT_EQ(grant.partitions[0].barrier, Offset{10});
  EXPECT_EQ(grant.tenure->metadata, "generation");
  EXPECT_EQ(parse_owner_note(grant.tenure->note).value(), (OwnerNote{"me-1", "shop.w.me", "here:1"}));
  EXPECT_TRUE(core.mine().empty()) << "it is not claimed yet";
}

TEST_F(OwnershipCoreBarrier, TakesNoAnswerOfAnEarlierTenure) {
  assign({kZero});
  step(Lost{});
  const std::uint64_t earlier = tenure;
  assign({kZero});
  ASSERT_NE(tenure, earlier);
  step(HighWatermarks{earlier, {{kZero, Offset{0}}}});
  EXPECT_TRUE(none<Grant>());
  step(Claimed{earlier, {kZero}});
  EXPECT_TRUE(core.mine().empty());
}

TEST_F(OwnershipCoreBarrier, IsAskedForAgainWhereABrokerDoesNotKnowIt) {
  assign({kZero});
  step(HighWatermarks{tenure, {{kZero, Error{Errc::io, "not available"}}}});
  EXPECT_TRUE(none<AskHighWatermarks>()) << "not at once";
  now = core.wake_at();
  step(Tick{});
  EXPECT_EQ(only<AskHighWatermarks>().partitions, std::vector{kZero});
  watermark(kZero, 0);
  EXPECT_FALSE(none<Grant>());
}

TEST_F(OwnershipCoreBarrier, StandsWhereAMirrorIsMadeAnew) {
  step(MirrorEnd{kZero, Offset{10}});
  assign({kZero});
  step(MirrorEnd{kZero, Offset{0}});
  watermark(kZero, 10);
  EXPECT_TRUE(none<Grant>());
  step(MirrorEnd{kZero, Offset{10}});
  EXPECT_FALSE(none<Grant>());
}

TEST_F(OwnershipCoreBarrier, SaysOnceWhereItStandsStill) {
  assign({kZero});
  watermark(kZero, 10);
  owners({{.partition = kZero, .note = {}}}, {"me-1"});
  EXPECT_EQ(core.wake_at(), now + 15s);
  pass(15s - 1ms);
  EXPECT_TRUE(none<Warn>());
  pass(1ms);
  EXPECT_NE(only<Warn>().text.find("events-0 can't be taken over: it is read to 0 of 10"), std::string::npos);
  pass(1h);
  EXPECT_TRUE(none<Warn>());
  step(MirrorEnd{kZero, Offset{1}});
  pass(15s);
  EXPECT_FALSE(none<Warn>()) << "it went on, and stands still again";
}

using OwnershipCoreFence = Owning;

TEST_F(OwnershipCoreFence, EndsWhatAnOwnerThatIsGoneHasOpen) {
  assign({kZero, kOne});
  EXPECT_FALSE(only<AskOwners>().require_stable) << "the owner's claim is decided, what it has open may not be";
  const std::string note = note_of("gone-1", "shop.w.gone");
  owners({{.partition = kZero, .note = note}, {.partition = kOne, .note = note}}, {"me-1", "other-1"});
  EXPECT_EQ(only<Fence>().transactional_id, "shop.w.gone") << "once for both partitions";
  step(Fenced{"shop.w.gone", {}});
  const AskOwners again = only<AskOwners>();
  EXPECT_EQ(again.partitions, (std::vector{kZero, kOne}));
  EXPECT_TRUE(again.require_stable);
  owners({{.partition = kZero, .note = note}, {.partition = kOne, .note = note_of("gone-2", "shop.w.gone2")}}, {"me-1"});
  EXPECT_EQ(only<Fence>().transactional_id, "shop.w.gone2") << "its claim was not decided before";
}

TEST_F(OwnershipCoreFence, OpensNothing) {
  assign({kZero});
  owners({{.partition = kZero, .note = note_of("gone-1", "shop.w.gone")}}, {"me-1"});
  watermark(kZero, 10);
  step(Fenced{"shop.w.gone", {}});
  EXPECT_TRUE(none<Grant>()) << "what it had committed before is not read yet";
}

TEST_F(OwnershipCoreFence, IsNeededByNobodyWhereTheBarrierHasPassed) {
  assign({kZero});
  watermark(kZero, 0);
  EXPECT_FALSE(none<Grant>());
  owners({{.partition = kZero, .note = note_of("gone-1", "shop.w.gone")}}, {"me-1"});
  pass(1s);
  EXPECT_TRUE(none<Fence>());
}

TEST_F(OwnershipCoreFence, LeavesMembersOfTheGroupAlone) {
  assign({kZero, kOne, kOther});
  owners({{.partition = kZero, .note = note_of("other-1", "shop.w.other")},
          {.partition = kOne, .note = note_of("me-0", "shop.w.me")},
          {.partition = kOther, .note = {}}},
         {"me-1", "other-1"});
  EXPECT_TRUE(none<Fence>()) << "nor this process, whatever it was called before";
  EXPECT_TRUE(none<AskOwners>());
}

TEST_F(OwnershipCoreFence, IsTriedAgainUntilItHolds) {
  assign({kZero});
  owners({{.partition = kZero, .note = note_of("gone-1", "shop.w.gone")}}, {"me-1"});
  EXPECT_FALSE(none<Fence>());
  pass(1s);
  EXPECT_TRUE(none<Fence>()) << "it is under way";
  step(Fenced{"shop.w.gone", Error{Errc::timed_out, "no coordinator"}});
  EXPECT_TRUE(none<Fence>());
  now = core.wake_at();
  step(Tick{});
  EXPECT_FALSE(none<Fence>());
}

TEST_F(OwnershipCoreFence, AsksAgainForAnOwnerThatIsNotDecided) {
  assign({kZero});
  owners({{.partition = kZero, .note = note_of("gone-1", "shop.w.gone")}}, {"me-1"});
  step(Fenced{"shop.w.gone", {}});
  owners({{.partition = kZero, .note = {}, .is_pending = true}}, {"me-1"});
  EXPECT_TRUE(none<AskOwners>());
  now = core.wake_at();
  step(Tick{});
  EXPECT_TRUE(only<AskOwners>().require_stable);
  step(Owners{.tenure = tenure, .outcome = Error{Errc::timed_out, "no coordinator"}, .rows = {}, .members = {}});
  pass(1s);
  EXPECT_FALSE(none<AskOwners>());
}

TEST_F(OwnershipCoreFence, TellsOfANoteThatItCannotRead) {
  assign({kZero});
  owners({{.partition = kZero, .note = "lungo2 something new"}}, {"me-1"});
  EXPECT_NE(only<Warn>().text.find("newer"), std::string::npos);
  EXPECT_TRUE(none<Fence>());
}

using OwnershipCoreListeners = Owning;

TEST_F(OwnershipCoreListeners, AreToldWhatWasClaimedOfTheirTopics) {
  step(Joined{kListener, {"events"}});
  EXPECT_EQ(only<Subscribe>().topics, std::vector<std::string>{"events"});
  step(Joined{ListenerId{8}, {"payments", "events"}});
  EXPECT_EQ(only<Subscribe>().topics, (std::vector<std::string>{"events", "payments"}));
  open({kZero, kOther});
  const std::vector<TellOpened> told = all<TellOpened>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].listener, kListener);
  EXPECT_EQ(told[0].partitions, std::vector{kZero});
  EXPECT_EQ(told[1].partitions, (std::vector{kZero, kOther}));
  EXPECT_EQ(core.mine(), (std::vector{kZero, kOther}));
  step(Claimed{tenure, {kZero}});
  EXPECT_TRUE(none<TellOpened>()) << "claimed again: that is between the writer and the coordinator";
}

TEST_F(OwnershipCoreListeners, ThatComeLaterAreToldAtOnce) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Joined{ListenerId{8}, {"events"}});
  EXPECT_EQ(only<TellOpened>().listener, ListenerId{8});
  EXPECT_TRUE(none<Subscribe>()) << "the group knows that topic";
  step(Joined{ListenerId{9}, {"payments"}});
  EXPECT_TRUE(none<TellOpened>());
}

TEST_F(OwnershipCoreListeners, ThatHaveGoneAreToldNothing) {
  step(Joined{kListener, {"events"}});
  step(Joined{ListenerId{8}, {"events"}});
  step(Left{kListener});
  EXPECT_TRUE(none<Subscribe>());
  open({kZero});
  EXPECT_EQ(only<TellOpened>().listener, ListenerId{8});
  step(Left{ListenerId{8}});
  EXPECT_TRUE(only<Subscribe>().topics.empty()) << "nobody shares anything any more";
}

using OwnershipCoreLettingGo = Owning;

TEST_F(OwnershipCoreLettingGo, IsForListenersFirstThenForTheOpenTransaction) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Revoked{});
  EXPECT_EQ(only<TellClosing>().partitions, std::vector{kZero});
  EXPECT_EQ(only<TellClosing>().deadline, now + 5s);
  EXPECT_TRUE(none<LetGo>()) << "the listener may still append";
  EXPECT_EQ(core.mine(), std::vector{kZero});
  step(ClosingDone{kListener});
  EXPECT_EQ(only<LetGo>().deadline, now + 10s);
  EXPECT_TRUE(none<Unassign>()) << "a transaction may be open";
  EXPECT_TRUE(core.mine().empty());
  step(LetGone{tenure});
  EXPECT_FALSE(none<Unassign>());
}

TEST_F(OwnershipCoreLettingGo, WaitsForNobodyForEver) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Revoked{});
  EXPECT_EQ(core.wake_at(), now + 5s);
  pass(5s);
  EXPECT_FALSE(none<LetGo>()) << "the listener had its time";
  EXPECT_EQ(core.wake_at(), now + 20s);
  pass(20s - 1ms);
  EXPECT_TRUE(none<Unassign>());
  pass(1ms);
  EXPECT_EQ(only<TakeAway>().tenure, tenure);
  EXPECT_FALSE(none<Unassign>()) << "or the group throws this member out";
  step(LetGone{tenure});
  EXPECT_TRUE(none<Unassign>());
}

TEST_F(OwnershipCoreLettingGo, WaitsForNoListenerThatHasGone) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Revoked{});
  step(Left{kListener});
  EXPECT_FALSE(none<LetGo>());
}

TEST_F(OwnershipCoreLettingGo, OfWhatWasNeverGrantedIsDoneAtOnce) {
  step(Revoked{});
  EXPECT_FALSE(none<Unassign>()) << "before anything was assigned";
  assign({kZero});
  step(Revoked{});
  EXPECT_FALSE(none<Unassign>());
  EXPECT_TRUE(none<LetGo>());
}

TEST_F(OwnershipCoreLettingGo, GrantsNothingMore) {
  assign({kZero, kOne});
  watermark(kZero, 0);
  step(Revoked{});
  EXPECT_FALSE(none<LetGo>());
  watermark(kOne, 0);
  EXPECT_TRUE(none<Grant>());
  step(Claimed{tenure, {kZero}});
  EXPECT_TRUE(core.mine().empty());
}

TEST_F(OwnershipCoreLettingGo, OfWhatIsLostWaitsForNothing) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Lost{});
  EXPECT_EQ(only<TellLost>().partitions, std::vector{kZero});
  EXPECT_EQ(only<TakeAway>().tenure, tenure);
  EXPECT_FALSE(none<Unassign>());
  EXPECT_TRUE(core.mine().empty());
}

TEST_F(OwnershipCoreLettingGo, MayTurnIntoALoss) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(Revoked{});
  step(Lost{});
  EXPECT_TRUE(none<TellLost>()) << "the listener works on its closing already";
  EXPECT_EQ(only<TakeAway>().tenure, tenure);
  EXPECT_FALSE(none<Unassign>());
  step(ClosingDone{kListener});
  EXPECT_TRUE(effects.empty());
}

TEST_F(OwnershipCoreLettingGo, ForGoodWaitsForAMoment) {
  open({kZero});
  step(GiveBack{});
  step(Revoked{});
  EXPECT_FALSE(none<LetGo>());
  pass(1s);
  EXPECT_EQ(only<TakeAway>().tenure, tenure);
  EXPECT_FALSE(none<Unassign>());
}

TEST_F(OwnershipCoreLettingGo, ForGoodLeavesTheGroup) {
  step(Joined{kListener, {"events"}});
  open({kZero});
  step(GiveBack{});
  EXPECT_TRUE(only<Subscribe>().topics.empty());
  step(Joined{ListenerId{8}, {"payments"}});
  EXPECT_TRUE(none<Subscribe>());
}

}  // namespace
}  // namespace lungo::ownership
