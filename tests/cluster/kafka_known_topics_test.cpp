// What rows say of topics, whoever wrote them.
#include "client/kafka_known_topics.hpp"

#include <gtest/gtest.h>

#include <lungo/log/topic_text.hpp>
#include "mock_cluster.hpp"
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

class KafkaKnown : public ::testing::Test {
 protected:
  KafkaKnown() { log.create_topic({.name = std::string(kTopicsTopic), .compact = true}).value(); }

  static TopicInfo topic(std::uint8_t id, std::int32_t partitions = 4) {
    TopicInfo info{.spec = {.name = "events", .partitions = partitions, .streams = true}, .id = {}};
    info.id.bytes.fill(id);
    return info;
  }
  /// Appends a row, or ends it.
  void write(const std::optional<TopicInfo>& info) {
    const std::string text = info ? format_topic(*info) : std::string();
    AppendRequest request;
    request.to = {std::string(kTopicsTopic), PartitionId{0}};
    const std::optional<BytesView> value = info ? std::optional{as_bytes(text)} : std::nullopt;
    request.records
        .add({.timestamp = Timestamp{std::chrono::seconds{1}}, .key = as_bytes("events"), .value = value, .headers = {}})
        .value();
    log.append_wait(std::move(request), std::chrono::seconds{1}).value();
    known.take_rows(log).value();
  }

  Simulation simulation{1};
  MemoryEventLog log{simulation.ports()};
  MockCluster cluster;
  const std::unique_ptr<RdkAdmin> admin = RdkAdmin::open(cluster.options(), cluster.causes()).value();
  KafkaKnownTopics known{*admin, KafkaNames::of("shop").value(), "a-cluster"};
};

TEST_F(KafkaKnown, OfTwoThatGaveATopicAnIdTheFirstCounts) {
  write(topic(1));
  write(topic(2));
  EXPECT_EQ(known.row("events")->id, topic(1).id);
  write(topic(2, 6));
  EXPECT_EQ(known.row("events")->id, topic(1).id) << "it goes on, and has more partitions";
  EXPECT_EQ(known.row("events")->spec.partitions, 6);
  write(std::nullopt);
  EXPECT_FALSE(known.row("events"));
  write(topic(2));
  EXPECT_EQ(known.row("events")->id, topic(2).id) << "another topic of that name";
}

}  // namespace
}  // namespace lungo::test
