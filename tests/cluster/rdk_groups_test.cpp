#include "client/rdk_groups.hpp"

#include <thread>

#include "tests/cluster/mock_cluster.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

using Offsets = Result<std::vector<RdkGroupOffset>>;

class RdkGroupsTest : public testing::Test {
 protected:
  void SetUp() override { cluster_.create_topic("events", 2); }
  Offsets offsets(Duration timeout) { return groups_.offsets("shop.writers", {{"events", PartitionId{1}}}, true, timeout); }

  MockCluster cluster_;
  RdkGroups groups_{cluster_.options(), cluster_.causes()};
};

TEST_F(RdkGroupsTest, OneThatNeverWasHasNoOffsets) {
  const Offsets offsets = groups_.offsets("shop.writers", {{"events", PartitionId{1}}, {"events", PartitionId{0}}}, true, 5s);
  ASSERT_TRUE(offsets) << offsets.error();
  ASSERT_EQ(offsets->size(), 2u);
  EXPECT_EQ((*offsets)[0].partition, (TopicPartition{"events", PartitionId{1}}));
  for (const RdkGroupOffset& offset : *offsets) {
    EXPECT_FALSE(offset.offset);
    EXPECT_FALSE(offset.error);
  }
  EXPECT_EQ(groups_.offsets("shop.writers", {}, true, 5s).error(), Errc::invalid_argument);
}

// librdkafka's own time-out for such a request ends the process when a coordinator comes (its #4605).
TEST_F(RdkGroupsTest, AQuestionThatWasGivenUpDoesNoHarmWhenTheCoordinatorComes) {
  ASSERT_TRUE(offsets(5s));
  cluster_.all_down();
  std::this_thread::sleep_for(500ms);  // until the handle has seen it: what is asked after that waits for a coordinator
  for (int i = 0; i < 3; ++i) EXPECT_EQ(offsets(300ms).error(), Errc::timed_out);
  cluster_.all_up();
  std::this_thread::sleep_for(1500ms);  // a coordinator that is not there is looked for once a second
  for (int i = 0; i < 3; ++i) {
    const Offsets found = offsets(5s);
    EXPECT_TRUE(found) << found.error();
  }
}

// librdkafka looks for the coordinator of the handle's own group then, and reads at null where it has none.
TEST_F(RdkGroupsTest, ACoordinatorThatSaysItIsNoneIsNoEnd) {
  for (const rd_kafka_resp_err_t moved :
       {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR}) {
    cluster_.fail(MockApi::offset_fetch, {moved});
    const Offsets refused = offsets(5s);
    EXPECT_FALSE(refused);
    const Offsets found = offsets(5s);
    EXPECT_TRUE(found) << found.error();
  }
}

TEST_F(RdkGroupsTest, ACoordinatorThatHasMovedIsFound) {
  cluster_.coordinate("shop.writers", 1);
  ASSERT_TRUE(offsets(5s));
  cluster_.coordinate("shop.writers", 2);
  cluster_.deny_coordinating(1);
  EXPECT_EQ(offsets(5s).error(), Errc::timed_out);
  const Offsets found = offsets(5s);
  EXPECT_TRUE(found) << found.error();
}

TEST_F(RdkGroupsTest, AreLookedAtByManyWhileTheCoordinatorGoesAndComes) {
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i) {
    askers.emplace_back([this] {
      for (int n = 0; n < 20; ++n) {
        const Offsets found = offsets(50ms);
        EXPECT_TRUE(found || found.error() == Errc::timed_out || found.error() == Errc::io) << found.error();
      }
    });
  }
  cluster_.all_down();
  std::this_thread::sleep_for(700ms);
  cluster_.all_up();
  for (std::thread& asker : askers) asker.join();
  EXPECT_TRUE(offsets(5s));
}

TEST(RdkGroups, SettingsThatMakeNoHandleAreSaid) {
  PosixPorts ports;
  const RdkOptions options{.hosts = "127.0.0.1:1", .client = {{"group.id", "mine"}}};
  RdkGroups groups{options, std::make_shared<BrokerCauses>(options, ports.ports().clock)};
  EXPECT_EQ(groups.state("g", 1s).error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace lungo::test
