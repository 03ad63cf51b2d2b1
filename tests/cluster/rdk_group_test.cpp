#include "client/rdk_group.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "mock_cluster.hpp"
#include "recording_listener.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

using Told = std::vector<std::string>;

/// A join takes the mock three seconds.
class RdkGroupTest : public testing::Test {
 protected:
  RdkGroupTest() { cluster.create_topic("events", 4); }

  struct Member {
    RecordingListener listener;
    std::unique_ptr<RdkGroup> group;
    [[nodiscard]] std::size_t owns() const { return listener.owned.size(); }
  };
  std::unique_ptr<Member> join(const RdkOptions& options) {
    auto member = std::make_unique<Member>();
    member->group = RdkGroup::open(options, "shop.writers", member->listener, cluster.causes()).value();
    EXPECT_TRUE(member->group->subscribe({"events"}));
    return member;
  }
  std::unique_ptr<Member> join() { return join(cluster.options()); }

  MockCluster cluster;
};

TEST_F(RdkGroupTest, ALoneMemberGetsAllUntilItCloses) {
  const auto member = join();
  EXPECT_EQ(member->owns(), 0u);
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return member->owns() == 4; }));
  EXPECT_EQ(member->listener.told, Told{"assigned 4"});
  EXPECT_EQ(member->listener.owned[3], (TopicPartition{"events", PartitionId{3}}));
  EXPECT_FALSE(member->listener.metadata.empty());
  EXPECT_EQ(member->listener.metadata, member->group->metadata()) << "what the listener got is that of now";
  EXPECT_FALSE(member->group->member_id().empty());
  ASSERT_TRUE(member->group->close());
  EXPECT_EQ(member->listener.told, (Told{"assigned 4", "revoked 4"}));
  member->group.reset();
  EXPECT_EQ(member->listener.told.size(), 2u);
}

TEST_F(RdkGroupTest, WhoIsDestroyedIsToldNothing) {
  const auto member = join();
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return member->owns() == 4; }));
  member->group.reset();
  EXPECT_EQ(member->listener.told, Told{"assigned 4"});
}

// Goal: it ends. A wake inside librdkafka's close made that return too early, and the destructor wait for ever.
TEST_F(RdkGroupTest, MayBeWokenWhileItCloses) {
  const auto member = join();
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return member->owns() == 4; }));
  member->listener.on_call = [&] { member->group->wake(); };
  ASSERT_TRUE(member->group->close());
  EXPECT_EQ(member->listener.told, (Told{"assigned 4", "revoked 4"}));
  member->group.reset();
}

TEST_F(RdkGroupTest, ASecondMemberGetsHalfAfterTheFirstHasLetGo) {
  const auto first = join();
  ASSERT_TRUE(first->listener.poll_until(*first->group, [&] { return first->owns() == 4; }));
  const RdkGroupMetadata before = first->listener.metadata;
  const auto second = join();
  // One thread polls both: the first lets go in its poll, and the second gets nothing until it has.
  ASSERT_TRUE(first->listener.poll_until(*first->group, [&] {
    EXPECT_TRUE(second->owns() == 0 || first->listener.told.size() > 1);
    (void)second->group->poll(20ms);
    return first->owns() == 2 && second->owns() == 2;
  }));
  // A broker may balance once more before it hears that all have joined: then both let two go and get them again.
  const Told& told = first->listener.told;
  ASSERT_GE(told.size(), 3u);
  EXPECT_EQ((Told{told.begin(), told.begin() + 3}), (Told{"assigned 4", "revoked 4", "assigned 2"}));
  EXPECT_EQ(told.back(), "assigned 2");
  EXPECT_EQ(second->listener.told.back(), "assigned 2");
  EXPECT_NE(first->listener.metadata, before) << "another generation";
  EXPECT_NE(first->group->member_id(), second->group->member_id());
}

TEST_F(RdkGroupTest, AMemberThatTheGroupDoesNotKnowAnyMoreHasLostThem) {
  RdkOptions options = cluster.options();
  options.client.push_back({"heartbeat.interval.ms", "50"});
  const auto member = join(options);
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return member->owns() == 4; }));
  cluster.fail(MockApi::heartbeat, {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID});
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return member->listener.told.size() > 1; }));
  EXPECT_EQ(member->listener.told, (Told{"assigned 4", "lost 4"}));
}

TEST_F(RdkGroupTest, WhatTheListenerThrowsComesOutOfTheCall) {
  const auto member = join();
  member->listener.on_call = [] { throw std::runtime_error("no"); };
  EXPECT_THROW((void)member->listener.poll_until(*member->group, [] { return false; }), std::runtime_error);
  EXPECT_EQ(member->listener.told, Told{"assigned 4"});
  EXPECT_THROW((void)member->group->close(), std::runtime_error);
  EXPECT_EQ(member->listener.told, (Told{"assigned 4", "revoked 4"}));
}

TEST_F(RdkGroupTest, ATopicThatIsNotThereIsSaid) {
  const auto member = join();
  cluster.fail_topic("nothing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  ASSERT_TRUE(member->group->subscribe({"nothing"}));
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return !member->listener.errors.empty(); }));
  EXPECT_EQ(member->listener.errors[0], Errc::not_found) << member->listener.errors[0];
  EXPECT_NE(member->listener.errors[0].text().find("nothing"), std::string_view::npos) << member->listener.errors[0];
}

TEST_F(RdkGroupTest, AMissingRightIsALineForTheTool) {
  cluster.fail(MockApi::join_group, {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED});
  const auto member = join();
  ASSERT_TRUE(member->listener.poll_until(*member->group, [&] { return !member->listener.errors.empty(); }));
  EXPECT_EQ(to_string(member->listener.errors[0]),
            "io: no right to take part in group shop.writers; kafka-acls.sh --add --allow-principal User:ANONYMOUS --group "
            "shop.writers --operation Read");
}

TEST_F(RdkGroupTest, SubscribesToSomethingOnce) {
  const auto member = join();
  EXPECT_EQ(member->group->subscribe({}).error(), Errc::invalid_argument);
  EXPECT_EQ(member->group->subscribe({"events", "events"}).error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace lungo::test
