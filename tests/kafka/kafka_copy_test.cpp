// `lungo log copy` from a cluster, as a user runs it.
#include <gtest/gtest.h>

#include <fstream>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/event_store.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/kafka/brokers.hpp"
#include "tests/samples/program.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

class KafkaCopy : public testing::Test {
 protected:
  Finished copy(const std::string& from, const std::string& to, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{
        std::string(LUNGO_PROGRAMS) + "/lungo-log", "copy", "--from", from, "--to", to, "--mirror", scratch / "mirror"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  static std::string address() { return "kafka://" + kafka_address() + "/copies"; }

  QuietLog quiet;
  const TempDirectory scratch;
  const std::string target = scratch / "target";
  Brokers brokers;
};

TEST_F(KafkaCopy, OfATopicGoesIntoADirectory) {
  const TopicPartition first{brokers.topic("copied", 2, {{"retention.ms", "-1"}}), PartitionId{0}};
  const TopicPartition second{first.topic, PartitionId{1}};
  const std::unique_ptr<RdkProducer> producer = brokers.producer();
  Transaction(*producer, first).add("k", "a").add("k", "b").commit();
  Transaction(*producer, first).add("k", "dropped").abort();
  Transaction(*producer, second).add("j", "c").commit();
  const Finished copied = copy(address(), target, {"--topic", first.topic});
  ASSERT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.out.find("; both sides were compared"), std::string::npos) << copied.out;
  {
    const std::shared_ptr<EventLog> log = open_local(target, {.read_only = true}).value();
    EXPECT_EQ(values_of(*log, first), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(values_of(*log, second), std::vector<std::string>{"c"});
  }

  Transaction(*producer, first).add("k", "later").commit();
  const Finished again = copy(address(), target, {"--topic", first.topic});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find(" were there"), std::string::npos) << again.out;
  EXPECT_EQ(values_of(*open_local(target, {.read_only = true}).value(), first), (std::vector<std::string>{"a", "b", "later"}));
}

struct Noted {
  std::int32_t number = 0;
};
struct Answered {
  std::int32_t number = 0;
};
/// Answers each note once.
struct Answers {
  using Events = lungo::events<Noted>;
  using Emits = lungo::events<Answered>;
  static inline std::string topic;  // other ones in each run
  static inline std::string output_topic;
  struct State {};
  static std::string key(const Envelope& envelope, const Noted&) { return std::string(envelope.stream); }
  static void evolve(State&, const Noted&) {}
  static void react(const State&, const Noted& noted, Actions& actions) { actions.emit(Answered{noted.number}); }
};

void answer_all(const std::string& directory) {
  Process<Answers> process{EventStore{open_local(directory).value()}};
  ASSERT_TRUE(process.start());
  ASSERT_TRUE(process.catch_up(std::chrono::seconds{20}));
  ASSERT_TRUE(process.stop());
}

/// Streams and numbers of the events, partition by partition.
std::vector<std::string> numbers_in(EventLog& log, const std::string& topic) {
  EventStore store{std::shared_ptr<EventLog>(&log, [](EventLog*) {})};
  EventDecoder decoder{store.shapes()};
  const int noted = decoder.add<Noted>();
  decoder.add<Answered>();
  std::vector<std::string> numbers;
  const TopicInfo info = log.topic(topic).value();
  for (std::int32_t partition = 0; partition < info.spec.partitions; ++partition) {
    PartitionReader reader{log, info, {info.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
    while (const Envelope* envelope = reader.next().value()) {
      const Decoded decoded = decoder.decode(*envelope).value();
      const std::int32_t number = decoded.type == noted ? static_cast<const Noted*>(decoded.event)->number
                                                        : static_cast<const Answered*>(decoded.event)->number;
      numbers.push_back(std::string(envelope->stream) + " " + std::to_string(number));
    }
  }
  return numbers;
}

TEST_F(KafkaCopy, OfADirectoryGoesThereAndComesBack) {
  const std::string source = scratch / "source";
  Answers::topic = brokers.name("noted");
  Answers::output_topic = brokers.name("answered");
  const TopicPartition plain{brokers.name("plain"), PartitionId{0}};
  const auto note = [](const std::string& directory, int begin, int end) {
    EventStore store{open_local(directory).value()};
    ASSERT_TRUE(store.stream_topic(Answers::topic, 2));
    for (int i = begin; i < end; ++i)
      ASSERT_TRUE(store.append(Answers::topic, StreamId("Note", std::to_string(i % 5)), Noted{i}));
  };
  note(source, 0, 60);
  answer_all(source);
  {
    const std::shared_ptr<EventLog> log = open_local(source).value();
    static_cast<void>(log->create_topic({.name = plain.topic, .partitions = 1}).value());
    static_cast<void>(append_wait(*log, append_of(plain, "k", "v")).value());
  }
  const std::string there = "kafka://" + kafka_address() + "/" + brokers.name("back");
  const Finished went = copy(source, there);
  ASSERT_EQ(went.status, 0) << went.err;
  EXPECT_NE(went.out.find(": 4 topics, "), std::string::npos) << went.out;
  EXPECT_NE(went.out.find(", 2 checkpoints of processes; "), std::string::npos) << went.out;
  const Finished again = copy(source, there);
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find(" were there"), std::string::npos) << again.out;

  const Finished came = copy(there, target);
  ASSERT_EQ(came.status, 0) << came.err;
  EXPECT_NE(came.out.find(", 2 checkpoints of processes; "), std::string::npos) << came.out;
  EXPECT_NE(came.err.find(plain.topic), std::string::npos) << "which is not known to be the application's: " << came.err;
  ASSERT_EQ(copy(there, target, {"--topic", plain.topic}).status, 0);
  for (const std::string& directory : {source, target}) {
    note(directory, 60, 80);
    answer_all(directory);
  }
  const std::shared_ptr<EventLog> before = open_local(source, {.read_only = true}).value();
  const std::shared_ptr<EventLog> after = open_local(target, {.read_only = true}).value();
  for (const std::string& topic : {Answers::topic, Answers::output_topic}) {
    EXPECT_EQ(numbers_in(*after, topic), numbers_in(*before, topic));
    EXPECT_EQ(numbers_in(*after, topic).size(), 80U) << topic;
    EXPECT_EQ(after->topic(topic)->spec, before->topic(topic)->spec);
  }
  EXPECT_EQ(values_of(*after, plain), std::vector<std::string>{"v"});
}

TEST_F(KafkaCopy, NamesWhatNoBrokerTakesBeforeItMakesATopic) {
  const std::string source = scratch / "source";
  const TopicPartition plain{brokers.name("refused"), PartitionId{0}};
  {
    const std::shared_ptr<EventLog> log = open_local(source).value();
    static_cast<void>(log->create_topic({.name = plain.topic, .partitions = 1}).value());
    static_cast<void>(append_wait(*log, append_of(plain, "k", std::string(2'000'000, 'x'))).value());
  }
  const Finished refused = copy(source, address());
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_NE(refused.err.find("offset 0: it takes 2000"), std::string::npos) << refused.err;
  EXPECT_EQ(brokers.admin->topic(plain.topic, Brokers::kTimeout).error(), Errc::not_found);
}

TEST_F(KafkaCopy, LeavesWhatMayBeOthers) {
  const std::string others = brokers.topic("others");
  const Finished copied = copy(address(), target);
  ASSERT_EQ(copied.status, 0) << copied.err;
  EXPECT_NE(copied.err.find("as it may be another application's (--topic NAME copies it): "), std::string::npos) << copied.err;
  EXPECT_NE(copied.err.find(others), std::string::npos) << copied.err;
  EXPECT_EQ(open_local(target, {.read_only = true}).value()->topic(others).error(), Errc::not_found);
}

TEST_F(KafkaCopy, SaysWhatIsWrong) {
  const std::string settings = scratch / "settings";
  std::ofstream(settings) << "sasl.password=s3cr3t\nacks=1\n";
  const std::tuple<std::string, std::vector<std::string>, int, std::string> wrong[] = {
      {"kafka://localhost/shop", {}, 2, "names no port"},
      {"kafka://ada:s3cr3t@localhost:9092/shop", {}, 2, "takes no login in front of an @"},
      {"kafka://127.0.0.1:1/shop", {}, 1, "no broker answers at 127.0.0.1:1"},
      {address(), {"--kafka-config", scratch / "nowhere"}, 1, "the settings for Kafka that --kafka-config names"},
      {address(), {"--kafka-config", settings}, 2, "acks"},
      {address(), {"--topic", "nobody-made-it"}, 1, "no topic nobody-made-it"}};
  for (const auto& [from, more, status, answer] : wrong) {
    const Finished refused = copy(from, target, more);
    EXPECT_EQ(refused.status, status) << answer << refused.err;
    EXPECT_NE(refused.err.find(answer), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("s3cr3t"), std::string::npos) << refused.err;
  }
  EXPECT_FALSE(std::filesystem::exists(target));
  const Finished both = copy(address(), address());
  EXPECT_EQ(both.status, 1);
  EXPECT_NE(both.err.find("MirrorMaker"), std::string::npos) << both.err;
}

TEST_F(KafkaCopy, ExplainsTheRights) {
  static_cast<void>(open_local(target).value());
  const Finished explained = copy(target, address(), {"--explain"});
  EXPECT_EQ(explained.status, 0) << explained.err;
  EXPECT_NE(explained.out.find("kafka-acls.sh --bootstrap-server " + kafka_address()), std::string::npos) << explained.out;
  EXPECT_NE(explained.out.find("--transactional-id copies."), std::string::npos) << explained.out;
  const Finished alone = run({std::string(LUNGO_PROGRAMS) + "/lungo-log", "copy", "--to", address(), "--explain"});
  EXPECT_EQ(alone.status, 0) << alone.err;
  EXPECT_NE(alone.out.find("--operation create --operation describeconfigs --topic '*'\n"), std::string::npos) << alone.out;
  EXPECT_NE(alone.out.find("--transactional-id copies."), std::string::npos) << alone.out;
}

}  // namespace
}  // namespace lungo::test
