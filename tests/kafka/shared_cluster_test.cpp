// What others do to a cluster that Lungo's topics live on: who operates it changes settings, another application wants the same
// name.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <atomic>
#include <map>
#include <thread>

#include <lungo/cluster/kafka.hpp>

#include "client/rdk_handles.hpp"
#include "tests/kafka/brokers.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/records.hpp"
#include "tests/support/temp_directory.hpp"

namespace lungo::test {
namespace {

using namespace std::chrono_literals;

class KafkaSharedCluster : public testing::Test {
 protected:
  std::shared_ptr<EventLog> open(const std::string& app) {
    KafkaOptions options;
    options.directory = scratch / app;
    return connect_kafka(kafka_address(), app, options).value();
  }
  [[nodiscard]] TopicSpec spec(bool streams) const {
    TopicSpec spec;
    spec.name = topic;
    spec.partitions = 2;
    spec.streams = streams;
    return spec;
  }
  /// As kafka-configs.sh would, all at once: what is not named has the brokers' default again.
  void configure(const RdkSettings& settings) {
    rdk::Conf conf = rdk::make_conf({{"bootstrap.servers", kafka_address()}}).value();
    const rdk::Handle handle(rd_kafka_new(RD_KAFKA_PRODUCER, conf.release(), nullptr, 0));
    const rdk::ConfigResource resource(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    for (const RdkSetting& setting : settings) {
      ASSERT_EQ(rd_kafka_ConfigResource_set_config(resource.get(), setting.name.c_str(), setting.value.c_str()),
                RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    const rdk::Queue queue(rd_kafka_queue_new(handle.get()));
    rd_kafka_ConfigResource_t* resources[] = {resource.get()};
    rd_kafka_AlterConfigs(handle.get(), resources, 1, nullptr, queue.get());
    const rdk::Event done(rd_kafka_queue_poll(queue.get(), 20'000));
    ASSERT_NE(done, nullptr);
    ASSERT_EQ(rd_kafka_event_error(done.get()), RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_event_error_string(done.get());
    std::this_thread::sleep_for(1s);  // each broker hears of it a little later
  }

  QuietLog quiet;
  TempDirectory scratch;
  Brokers brokers;
  const std::string topic = brokers.name("events");
};

TEST_F(KafkaSharedCluster, AStreamTopicThatLosesRecordsByNowIsRefusedByName) {
  const std::string app = brokers.name("shop");
  {
    const std::shared_ptr<EventLog> log = open(app);
    log->create_topic(spec(true)).value();
    append_wait(*log, append_of({topic, PartitionId{0}}, "k", "a")).value();
  }
  configure({{"retention.ms", "86400000"}, {"min.insync.replicas", "2"}, {"unclean.leader.election.enable", "false"}});
  const std::shared_ptr<EventLog> log = open(app);
  const Result<Appended> refused = append_wait(*log, append_of({topic, PartitionId{0}}, "k", "b"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::already_exists);
  EXPECT_NE(refused.error().text().find("retention.ms=86400000, not -1"), std::string::npos) << refused.error();
  EXPECT_NE(refused.error().text().find("kafka-configs.sh"), std::string::npos) << refused.error();
  configure({{"retention.ms", "-1"}, {"min.insync.replicas", "2"}, {"unclean.leader.election.enable", "false"}});
  const Instant deadline = log->ports().clock.monotonic() + 20s;
  Result<Appended> taken = refused;
  while (!taken && log->ports().clock.monotonic() < deadline) {
    taken = append_wait(*log, append_of({topic, PartitionId{0}}, "k", "b"));
  }
  EXPECT_TRUE(taken) << taken.error();
}

TEST_F(KafkaSharedCluster, ATopicThatWasChangedThereMayBeAskedForAsItIs) {
  const std::string app = brokers.name("shop");
  const std::shared_ptr<EventLog> log = open(app);
  const TopicInfo made = log->create_topic(spec(false)).value();
  TopicSpec changed = spec(false);
  changed.retention_age = 24h;
  const Result<TopicInfo> early = log->create_topic(changed);
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().text().find("retention.ms=-1, not 86400000; kafka-configs.sh"), std::string::npos) << early.error();
  configure({{"retention.ms", "86400000"}, {"min.insync.replicas", "2"}, {"unclean.leader.election.enable", "false"}});
  const Result<TopicInfo> followed = log->create_topic(changed);
  ASSERT_TRUE(followed) << followed.error();
  EXPECT_EQ(followed->spec.retention_age, 24h);
  EXPECT_EQ(followed->id, made.id) << "the same topic";
  EXPECT_EQ(log->create_topic(spec(false)).error(), Errc::already_exists) << "as it was before";
  changed.partitions = 3;
  EXPECT_EQ(log->create_topic(changed).error(), Errc::already_exists);
}

TEST_F(KafkaSharedCluster, ALimitThatWasRaisedThereIsTaken) {
  const std::string app = brokers.name("shop");
  std::shared_ptr<EventLog> log = open(app);
  log->create_topic(spec(false)).value();
  const std::string large(2'000'000, 'x');
  const TopicPartition to{topic, PartitionId{0}};
  EXPECT_EQ(append_wait(*log, append_of(to, "k", large)).error(), Errc::too_large);
  configure({{"max.message.bytes", "4000000"},
             {"retention.ms", "-1"},
             {"min.insync.replicas", "2"},
             {"unclean.leader.election.enable", "false"}});
  TopicSpec changed = spec(false);
  changed.batch_bytes_max = 4'000'000;
  log->create_topic(changed).value();
  EXPECT_TRUE(append_wait(*log, append_of(to, "k", large)));
  log.reset();
  log = open(app);
  log->create_topic(changed).value();
  const Result<Appended> again = append_wait(*log, append_of(to, "k", large));
  EXPECT_TRUE(again) << again.error();
}

// The limit was lowered behind the application's back: it is found out by what a broker refuses.
TEST_F(KafkaSharedCluster, FewThatABrokerRefusesDoNotHoldUpMany) {
  const std::shared_ptr<EventLog> log = open(brokers.name("shop"));
  log->create_topic(spec(false)).value();
  append_wait(*log, append_of({topic, PartitionId{0}}, "k", "first")).value();
  configure({{"max.message.bytes", "600000"},
             {"retention.ms", "-1"},
             {"min.insync.replicas", "2"},
             {"unclean.leader.election.enable", "false"}});
  constexpr int kSmall = 4'000;
  std::atomic<int> written = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> others = 0;
  const auto count = [&](const Result<Appended>& appended) {
    ++(appended ? written : appended.error() == Errc::too_large ? refused : others);
    log->ports().executor.notify();
  };
  for (int i = 0; i < kSmall; ++i) {
    if (i % 2'000 == 1'000) log->append(append_of({topic, PartitionId{0}}, "k", std::string(700'000, 'x')), count);
    log->append(append_of({topic, PartitionId{i % 2}}, "k", std::string(100, 'x')), count);
  }
  const Instant begin = log->ports().clock.monotonic();
  log->ports().executor.wait_until([&] { return written + refused + others == kSmall + 2; }, begin + 40s);
  EXPECT_EQ(written, kSmall);
  EXPECT_EQ(refused, 2);
  EXPECT_LT(log->ports().clock.monotonic() - begin, 25s);
}

TEST_F(KafkaSharedCluster, ATopicThatAnotherProcessMakesAnewIsWrittenToAndLetsTheLogEnd) {
  const std::string app = brokers.name("shop");
  const std::shared_ptr<EventLog> maker = open(app);
  maker->create_topic(spec(true)).value();
  KafkaOptions options;
  options.directory = scratch / "other";
  std::shared_ptr<EventLog> other = connect_kafka(kafka_address(), app, options).value();
  other->create_topic(spec(true)).value();
  int keys = 0;
  const auto append_by_somebody = [&](std::int32_t partition) {
    const std::string key = "k" + std::to_string(++keys);
    AppendRequest request = append_of({topic, PartitionId{partition}}, key, "v");
    request.condition = Condition{.key = key, .as_of = Offset{0}};
    Result<Appended> appended = append_wait(*other, request, 30s);
    if (!appended && appended.error() == Errc::not_owner) appended = append_wait(*maker, request, 30s);
    return appended;
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append_by_somebody(i % 2));
  std::this_thread::sleep_for(3s);  // librdkafka's handles know the topic well by now
  maker->delete_topic(topic).value();
  maker->create_topic(spec(true)).value();
  for (const std::int32_t partition : {0, 1}) {
    Result<Appended> appended = append_by_somebody(partition);
    for (int i = 0; i < 20 && !appended && appended.error() == Errc::not_found; ++i) {  // before it hears of the new one
      std::this_thread::sleep_for(500ms);
      appended = append_by_somebody(partition);
    }
    ASSERT_TRUE(appended) << appended.error();
    EXPECT_LT(appended->first, Offset{5}) << "in the new one";
  }
  const Instant begin = maker->ports().clock.monotonic();
  other.reset();
  EXPECT_LT(maker->ports().clock.monotonic() - begin, 8s);
  EXPECT_TRUE(connect_kafka(kafka_address(), app, options)) << "its directory is free";
}

// By kafka-topics.sh, of which no row tells: offsets begin at 0 again below a writer that knows what lay there.
TEST_F(KafkaSharedCluster, ATopicThatIsMadeAnewBelowItsOwnerIsWrittenTo) {
  const std::shared_ptr<EventLog> log = open(brokers.name("shop"));
  log->create_topic(spec(true)).value();
  const TopicPartition to{topic, PartitionId{0}};
  for (int i = 0; i < 20; ++i) append_wait(*log, append_of(to, "k", "before")).value();
  const Result<std::map<std::string, RdkTopicSetting>> settings = brokers.admin->topic_settings(topic, Brokers::kTimeout);
  RdkSettings same;
  for (const auto& [name, setting] : settings.value()) {
    if (name == "retention.ms" || name == "min.insync.replicas" || name == "unclean.leader.election.enable") {
      same.push_back({name, setting.value});
    }
  }
  brokers.admin->delete_topic(topic, Brokers::kTimeout).value();
  const auto made_again = [&] {
    return brokers.admin->create_topic({.name = topic, .partitions = 2, .replication = 3, .settings = same}, Brokers::kTimeout)
        .has_value();
  };
  Ports ports = log->ports();
  ASSERT_TRUE(ports.executor.wait_until(made_again, ports.clock.monotonic() + Brokers::kTimeout));
  AppendRequest conditional = append_of(to, "new", "behind", "id-1");
  conditional.condition = Condition{.key = "new", .as_of = Offset{0}};
  Result<Appended> appended = append_wait(*log, conditional, 10s);
  const Instant deadline = ports.clock.monotonic() + 60s;
  while (!appended && ports.clock.monotonic() < deadline) appended = append_wait(*log, conditional, 10s);
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_LT(appended->first, Offset{5}) << "in the new one";
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(append_wait(*log, append_of(to, "k", "behind")));
}

TEST_F(KafkaSharedCluster, AStreamTopicIsOneApplications) {
  const std::string shop = brokers.name("shop");
  const std::shared_ptr<EventLog> first = open(shop);
  first->create_topic(spec(true)).value();
  append_wait(*first, append_of({topic, PartitionId{0}}, "k", "a")).value();
  const std::shared_ptr<EventLog> second = open(brokers.name("crm"));
  const Result<TopicInfo> refused = second->create_topic(spec(true));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::already_exists);
  EXPECT_NE(refused.error().text().find("streams of application " + shop), std::string::npos) << refused.error();
  EXPECT_TRUE(append_wait(*first, append_of({topic, PartitionId{0}}, "k", "b")));
}

}  // namespace
}  // namespace lungo::test
