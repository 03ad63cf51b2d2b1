// Goal: whoever opens an embedded log, to write or to read, has all of it, and asking costs nothing.
#include <lungo/log/membership.hpp>

#include <gtest/gtest.h>

#include <lungo/log/local_event_log.hpp>

#include "tests/support/records.hpp"
#include "tests/support/simulation.hpp"

namespace lungo {
namespace {

class CountingListener : public MembershipListener {
 public:
  void opened(const std::vector<TopicPartition>& partitions) override { opened_.push_back(partitions); }
  void closing(const std::vector<TopicPartition>& /*partitions*/, Instant /*deadline*/) override { FAIL(); }
  void lost(const std::vector<TopicPartition>& /*partitions*/) override { FAIL(); }
  [[nodiscard]] const std::vector<std::vector<TopicPartition>>& calls() const { return opened_; }

 private:
  std::vector<std::vector<TopicPartition>> opened_;
};

class WholeMembershipOfALog : public testing::Test {
 protected:
  std::shared_ptr<EventLog> open(bool read_only = false) {
    return open_local("/data", {.ports = &ports, .read_only = read_only}).value();
  }
  test::Simulation machine{1};
  const Ports ports = machine.ports();
  const TopicPartition first{"events", PartitionId{0}};
  const TopicPartition second{"events", PartitionId{1}};
};

TEST_F(WholeMembershipOfALog, TellsOfEverythingInOneCallAndReadersToo) {
  const auto log = open();
  log->create_topic({.name = "events", .partitions = 2}).value();
  for (const auto& one : {log, open(true)}) {
    CountingListener listener;
    const Membership::Token token = one->membership()->join({"events"}, listener).value();
    EXPECT_EQ(listener.calls(), (std::vector<std::vector<TopicPartition>>{{first, second}}));
    EXPECT_EQ(one->membership()->mine().value(), (std::vector<TopicPartition>{first, second}));
    EXPECT_TRUE(one->membership()->owner_of(second).value()->is_me);
  }
}

TEST_F(WholeMembershipOfALog, TellsNothingWhereNothingIsJoined) {
  const auto log = open();
  CountingListener listener;
  const Membership::Token token = log->membership()->join({}, listener).value();
  EXPECT_TRUE(listener.calls().empty());
  EXPECT_TRUE(log->membership()->mine()->empty());
}

TEST_F(WholeMembershipOfALog, ReadsNoPartition) {
  {
    const auto log = open();
    log->create_topic({.name = "events", .partitions = 2}).value();
    append_wait(*log, test::append_of(second, "k", "v")).value();
  }
  const auto log = open();
  const std::uint64_t before = machine.disk.reads();
  CountingListener listener;
  const Membership::Token token = log->membership()->join({"events"}, listener).value();
  EXPECT_TRUE(log->membership()->owner_of(second).value()->is_me);
  EXPECT_EQ(log->membership()->mine()->size(), 2u);
  EXPECT_EQ(machine.disk.reads(), before) << "they are opened by whoever uses them";
}

}  // namespace
}  // namespace lungo
