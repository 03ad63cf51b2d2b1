// What a process that is alone is promised of its membership: membership.hpp. What holds between several is a home's own test.
#include "tests/contract/contract.hpp"

#include <algorithm>
#include <mutex>

#include <lungo/log/membership.hpp>

namespace lungo::contract {
namespace {

/// Keeps what it is told, in order.
class Listener : public MembershipListener {
 public:
  explicit Listener(Executor& executor) : executor_(executor) {}

  void opened(const std::vector<TopicPartition>& partitions) override {
    const std::lock_guard lock(mutex_);
    for (const TopicPartition& partition : partitions) opened_.push_back(to_string(partition));
    executor_.notify();
  }
  void closing(const std::vector<TopicPartition>& partitions, Instant /*deadline*/) override { taken_ += partitions.size(); }
  void lost(const std::vector<TopicPartition>& partitions) override { taken_ += partitions.size(); }

  /// Sorted; one that was opened twice is there twice.
  [[nodiscard]] std::vector<std::string> open() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> sorted = opened_;
    std::ranges::sort(sorted);
    return sorted;
  }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  Executor& executor_;
  mutable std::mutex mutex_;
  std::vector<std::string> opened_;
  std::atomic<std::size_t> taken_{0};
};

using Names = std::vector<std::string>;

class Memberships : public Contract {
 protected:
  Memberships() {
    TopicSpec three = topic_named("events", true);
    three.partitions = 3;
    log->create_topic(three).value();
    log->create_topic(topic_named("orders", true)).value();
  }
  void wait_for_all(const Listener& told, const Names& all) {
    wait_for([&] { return told.open().size() >= all.size(); });
    EXPECT_EQ(told.open(), all);
    EXPECT_EQ(told.taken(), 0u);
  }

  Ports ports = log->ports();
  std::shared_ptr<Membership> membership = log->membership();
  const Names kThree{"events-0", "events-1", "events-2"};
};

TEST_P(Memberships, GiveAProcessThatIsAloneEveryPartition) {
  Listener listener{ports.executor};
  const Membership::Token token = membership->join({"events", "orders"}, listener).value();
  wait_for_all(listener, {"events-0", "events-1", "events-2", "orders-0"});
  const std::vector<TopicPartition> mine = membership->mine().value();
  EXPECT_TRUE(std::ranges::is_sorted(mine));
  for (const std::string& name : listener.open()) {
    const auto is_it = [&](const TopicPartition& partition) { return to_string(partition) == name; };
    const auto found = std::ranges::find_if(mine, is_it);
    ASSERT_NE(found, mine.end()) << name;
    EXPECT_EQ(std::ranges::count_if(mine, is_it), 1) << name;
    const std::optional<Membership::Owner> owner = membership->owner_of(*found).value();
    ASSERT_TRUE(owner) << name;
    EXPECT_TRUE(owner->is_me) << name;
    const Result<Appended> appended = append_wait(*log, append_of(*found, "k", "v"));
    EXPECT_TRUE(appended) << name << ": " << appended.error();
  }
}

TEST_P(Memberships, TellOfTheTopicsThatWereJoinedAndOfNoOthers) {
  Listener listener{ports.executor};
  const Membership::Token token = membership->join({"events", "events"}, listener).value();
  wait_for_all(listener, kThree);
}

TEST_P(Memberships, TellEachListenerOnce) {
  Listener first{ports.executor};
  Listener second{ports.executor};
  const Membership::Token one = membership->join({"events"}, first).value();
  wait_for_all(first, kThree);
  const Membership::Token two = log->membership()->join({"events", "orders"}, second).value();
  wait_for_all(second, {"events-0", "events-1", "events-2", "orders-0"});
  EXPECT_EQ(first.open(), kThree);
}

TEST_P(Memberships, TellNobodyWhoseTokenIsGone) {
  Listener gone{ports.executor};
  Listener other{ports.executor};
  membership->join({"events"}, gone).value().reset();
  const Names told = gone.open();
  const Membership::Token token = membership->join({"events", "orders"}, other).value();
  wait_for_all(other, {"events-0", "events-1", "events-2", "orders-0"});
  EXPECT_EQ(gone.open(), told);
  EXPECT_EQ(gone.taken(), 0u) << "let go without a call";
}

TEST_P(Memberships, NameATopicThatIsNotThereAndJoinNone) {
  Listener listener{ports.executor};
  const Result<Membership::Token> token = membership->join({"events", "other"}, listener);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error(), Errc::not_found);
  EXPECT_NE(token.error().text().find("other"), std::string_view::npos) << token.error();
  EXPECT_EQ(listener.open(), Names{});
}

TEST_P(Memberships, KnowNoOwnerOfAPartitionThatIsNotThere) {
  for (const TopicPartition& nowhere :
       {TopicPartition{"events", PartitionId{3}}, TopicPartition{"events", PartitionId{-1}}, TopicPartition{"other", {}}}) {
    EXPECT_EQ(membership->owner_of(nowhere).error(), Errc::not_found) << to_string(nowhere);
  }
}

TEST_P(Memberships, TellOfPartitionsThatWereAddedWhenTheirTopicIsJoinedAgain) {
  log->create_topic(topic_named("plain")).value();
  const Result<TopicInfo> grown = log->add_partitions("plain", 2);
  if (refused(grown)) return;
  ASSERT_TRUE(grown) << grown.error();
  Listener listener{ports.executor};
  const Membership::Token token = membership->join({"plain"}, listener).value();
  wait_for_all(listener, {"plain-0", "plain-1"});
}

INSTANTIATE_TEST_SUITE_P(Homes, Memberships, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
