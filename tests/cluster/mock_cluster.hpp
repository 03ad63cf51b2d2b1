// librdkafka's own cluster for tests: brokers in this process, on ports of their own, whose answers can be made to fail. It
// keeps transactions open and closed, but shows all their records at once: no last stable offset, no aborts. And no admin
// requests.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <lungo/log/ports.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/broker_causes.hpp"
#include "client/rdk_handles.hpp"
#include "client/rdk_settings.hpp"

namespace lungo::test {

/// Kafka's numbers of requests.
enum class MockApi : std::int16_t {
  produce = 0,
  fetch = 1,
  list_offsets = 2,
  metadata = 3,
  offset_fetch = 9,
  find_coordinator = 10,
  join_group = 11,
  heartbeat = 12,
  init_producer_id = 22,
  add_partitions_to_txn = 24,
  add_offsets_to_txn = 25,
  end_txn = 26,
  txn_offset_commit = 28,
};

class MockCluster {
 public:
  explicit MockCluster(int brokers = 3) {
    Result<rdk::Conf> conf = rdk::make_conf({{"client.id", "mock"}, {"log_level", "0"}});
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf->get(), nullptr, 0));
    (void)conf->release();
    cluster_.reset(rd_kafka_mock_cluster_new(handle_.get(), brokers));
  }

  [[nodiscard]] RdkOptions options() const {
    // Warnings are of what the mock can't do.
    return {.hosts = rd_kafka_mock_cluster_bootstraps(cluster_.get()), .client = {{"log_level", "3"}}};
  }
  /// Of the real clock.
  [[nodiscard]] std::shared_ptr<BrokerCauses> causes() {
    return std::make_shared<BrokerCauses>(options(), ports_.ports().clock);
  }

  void create_topic(const std::string& name, int partitions) {
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_.get(), name.c_str(), partitions, 3), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// The next requests of this kind are answered with these, one after the other. _TRANSPORT: the connection is cut.
  void fail(MockApi api, const std::vector<rd_kafka_resp_err_t>& answers) {
    rd_kafka_mock_push_request_errors_array(cluster_.get(), static_cast<std::int16_t>(api), answers.size(), answers.data());
  }
  void fail_topic(const std::string& name, rd_kafka_resp_err_t answer) {
    rd_kafka_mock_topic_set_error(cluster_.get(), name.c_str(), answer);
  }
  void lead(const TopicPartition& partition, std::int32_t broker) {
    ASSERT_EQ(rd_kafka_mock_partition_set_leader(cluster_.get(), partition.topic.c_str(), partition.partition.value(), broker),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// The broker is the coordinator of the group.
  void coordinate(const std::string& group, std::int32_t broker) {
    ASSERT_EQ(rd_kafka_mock_coordinator_set(cluster_.get(), "group", group.c_str(), broker), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  /// The broker says three times that it is not the group's coordinator.
  void deny_coordinating(std::int32_t broker) {
    ASSERT_EQ(
        rd_kafka_mock_broker_push_request_error_rtts(cluster_.get(), broker, static_cast<std::int16_t>(MockApi::offset_fetch),
                                                     3, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 0, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                                     0, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, 0),
        RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void down(std::int32_t broker) {
    ASSERT_EQ(rd_kafka_mock_broker_set_down(cluster_.get(), broker), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void all_down() { ASSERT_EQ(rd_kafka_mock_broker_set_down(cluster_.get(), -1), RD_KAFKA_RESP_ERR_NO_ERROR); }
  void all_up() { ASSERT_EQ(rd_kafka_mock_broker_set_up(cluster_.get(), -1), RD_KAFKA_RESP_ERR_NO_ERROR); }

 private:
  PosixPorts ports_;
  rdk::Handle handle_;
  rdk::Owned<rd_kafka_mock_cluster_t, rd_kafka_mock_cluster_destroy> cluster_;
};

}  // namespace lungo::test
