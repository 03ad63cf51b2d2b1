#include <algorithm>
#include <atomic>
#include <thread>

#include "broker_test.hpp"
#include "tests/cluster/recording_listener.hpp"

namespace lungo::test {
namespace {

using Told = std::vector<std::string>;

class KafkaGroups : public BrokerTest {
 protected:
  struct Member {
    RecordingListener listener;
    std::unique_ptr<RdkGroup> group;
  };
  std::unique_ptr<Member> join(const std::string& group, const std::string& topic) {
    auto member = std::make_unique<Member>();
    member->group = RdkGroup::open(options, group, member->listener, causes).value();
    EXPECT_TRUE(member->group->subscribe({topic}));
    return member;
  }
  std::unique_ptr<Member> join_alone(const std::string& group, const std::string& topic, std::size_t partitions) {
    auto member = join(group, topic);
    EXPECT_TRUE(member->listener.poll_until(*member->group, [&] { return member->listener.owned.size() == partitions; }));
    return member;
  }
  RdkGroupOffset offset_of(const std::string& group, const TopicPartition& partition, bool require_stable) {
    return groups->offsets(group, {partition}, require_stable, 10s).value().at(0);
  }
};

TEST_F(KafkaGroups, AreSeenWithTheirMembers) {
  const std::string group = name("g");
  const std::string events = topic(2);
  const auto member = join_alone(group, events, 2);
  const RdkGroupState state = groups->state(group, 10s).value();
  EXPECT_EQ(state.state, "Stable");
  ASSERT_EQ(state.members.size(), 1u);
  EXPECT_EQ(state.members[0].id, member->group->member_id());
  EXPECT_EQ(state.members[0].client_id, "lungo");
  EXPECT_EQ(state.members[0].partitions, member->listener.owned);
  ASSERT_TRUE(member->group->close());
  EXPECT_TRUE(groups->state(group, 10s).value().members.empty()) << "it has left, at once";
}

TEST_F(KafkaGroups, AreLeftWhileSomebodyWakesTheirMembers) {
  const std::string group = name("g");
  const std::string events = topic(2);
  for (int i = 0; i < 5; ++i) {
    const auto member = join_alone(group, events, 2);
    std::atomic<bool> is_over{false};
    std::thread wakes([&] {
      while (!is_over) member->group->wake();
    });
    EXPECT_TRUE(member->group->close());
    is_over = true;
    wakes.join();
    EXPECT_TRUE(groups->state(group, 10s).value().members.empty());
  }
}

TEST_F(KafkaGroups, OneThatNeverWasHasNoMembers) {
  Result<RdkGroupState> state = groups->state(name("g"), 10s);
  while (!state && state.error() == Errc::timed_out)
    state = groups->state(name("g"), 10s);  // a new cluster's coordinator loads
  ASSERT_TRUE(state) << state.error();
  EXPECT_EQ(state->state, "Dead");
  EXPECT_TRUE(state->members.empty());
}

TEST_F(KafkaGroups, KeepOffsetsWithTheirMetadata) {
  const std::string group = name("g");
  const TopicPartition first{topic(), PartitionId{0}};
  const TopicPartition never{first.topic, PartitionId{1}};
  const auto member = join_alone(group, first.topic, 1);
  const auto writer = producer(name("w"));
  const std::string note(4'000, 'n');
  ASSERT_TRUE(writer->begin().ok());
  const RdkOutcome sent =
      writer->send_offsets({{.partition = first, .offset = Offset{17}, .metadata = note}}, member->listener.metadata);
  ASSERT_TRUE(sent.ok()) << sent.error;

  EXPECT_EQ(offset_of(group, first, true).error, Errc::timed_out) << "who sets it is not done";
  EXPECT_FALSE(offset_of(group, first, false).offset) << "as before";
  ASSERT_TRUE(writer->commit().ok());
  while (offset_of(group, first, true).error) {
  }
  const RdkGroupOffset offset = offset_of(group, first, true);
  EXPECT_EQ(offset.offset, Offset{17});
  EXPECT_EQ(offset.metadata, note);
  EXPECT_FALSE(offset_of(group, never, true).offset);
}

TEST_F(KafkaGroups, ANoteThatIsTooLongForTheBrokerIsAborted) {
  const TopicPartition partition{topic(), PartitionId{0}};
  const auto member = join_alone(name("g"), partition.topic, 1);
  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  const RdkOutcome outcome = writer->send_offsets(
      {{.partition = partition, .offset = Offset{1}, .metadata = std::string(4'097, 'n')}}, member->listener.metadata);
  EXPECT_EQ(outcome.next, RdkNext::abort);
  EXPECT_EQ(outcome.error, Errc::too_large) << outcome.error;
  EXPECT_TRUE(writer->abort().ok());
}

// What the owner's safety rests on: the coordinator refuses an old generation, and a member that has left.
TEST_F(KafkaGroups, OffsetsOfAnOldGenerationAreRefusedAndTheProducerGoesOn) {
  const std::string group = name("g");
  const TopicPartition partition{topic(2), PartitionId{0}};
  const auto first = join_alone(group, partition.topic, 2);
  const RdkGroupMetadata before = first->listener.metadata;
  const auto second = join(group, partition.topic);
  ASSERT_TRUE(first->listener.poll_until(*first->group, [&] {
    (void)second->group->poll(20ms);
    return first->listener.owned.size() == 1 && second->listener.owned.size() == 1;
  }));
  EXPECT_EQ(first->listener.told, (Told{"assigned 2", "revoked 2", "assigned 1"}));

  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  const RdkOutcome old = writer->send_offsets({{.partition = partition, .offset = Offset{1}}}, before);
  EXPECT_EQ(old.next, RdkNext::abort);
  EXPECT_EQ(old.error, Errc::not_owner) << old.error;
  ASSERT_TRUE(writer->abort().ok());
  ASSERT_TRUE(writer->begin().ok());
  const RdkOutcome now = writer->send_offsets({{.partition = partition, .offset = Offset{1}}}, first->listener.metadata);
  EXPECT_TRUE(now.ok()) << now.error;
  ASSERT_TRUE(writer->commit().ok());

  ASSERT_TRUE(first->group->close());
  ASSERT_TRUE(writer->begin().ok());
  const RdkOutcome left = writer->send_offsets({{.partition = partition, .offset = Offset{1}}}, first->listener.metadata);
  EXPECT_EQ(left.next, RdkNext::abort);
  EXPECT_EQ(left.error, Errc::not_owner) << left.error;
}

TEST_F(KafkaGroups, ASessionThatIsTooShortForTheBrokerIsSaid) {
  options.session_timeout = 100ms;
  options.client.push_back({"heartbeat.interval.ms", "50"});
  const auto member = join(name("g"), topic());
  const auto is_said = [&] {  // maybe behind a word of a broker that has not heard of the topic yet
    return std::ranges::any_of(member->listener.errors, [](const Error& error) {
      return error == Errc::invalid_argument && error.text().find("group.min.session.timeout.ms") != std::string_view::npos;
    });
  };
  EXPECT_TRUE(member->listener.poll_until(*member->group, is_said));
}

// A member whose topic has records, and offsets that are out of range for it, is told nothing of either.
TEST_F(KafkaGroups, AMemberFetchesNothing) {
  const TopicPartition partition{topic(), PartitionId{0}};
  const auto writer = producer(name("w"));
  ASSERT_TRUE(writer->begin().ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(writer->produce(partition, record_of("v"), 0));
  ASSERT_TRUE(writer->commit().ok());
  ASSERT_TRUE(admin->delete_records(partition, Offset{2}, 10s));
  const auto member = join_alone(name("g"), partition.topic, 1);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(member->group->poll(50ms));
  EXPECT_EQ(member->listener.told, Told{"assigned 1"});
}

}  // namespace
}  // namespace lungo::test
