// The cluster that these tests share: its address, and topics of a test's own in it.
//
// It is the fixture's, or by hand: LUNGO_KAFKA=host:port,... build/release/tests/kafka/lungo_kafka_tests
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <lungo/log/ports.hpp>
#include <lungo/log/text.hpp>

#include "client/rdk_admin.hpp"
#include "client/rdk_producer.hpp"

namespace lungo::test {

/// host:port,... of the brokers.
inline std::string kafka_address() {
  if (const char* const address = std::getenv("LUNGO_KAFKA")) return address;
  const char* const directory = std::getenv("LUNGO_KAFKA_CLUSTER");
  if (directory == nullptr) throw std::runtime_error("set LUNGO_KAFKA to the address of a Kafka cluster");
  std::ifstream file(std::string(directory) + "/address");
  return {std::istreambuf_iterator<char>(file), {}};
}

class Brokers {
 public:
  static constexpr Duration kTimeout = std::chrono::seconds{20};

  Brokers()
      : options{.hosts = kafka_address()},
        causes(std::make_shared<BrokerCauses>(options, ports.ports().clock)),
        admin(RdkAdmin::open(options, causes).value()) {}

  /// One that no other test and no run before has.
  [[nodiscard]] std::string name(std::string_view what) const {
    std::array<std::byte, 6> bits;
    ports.ports().random.fill(bits);
    return std::string(what) + "-" + to_hex(bits);
  }
  /// A topic of its own; returns its name.
  std::string topic(std::string_view what, std::int32_t partitions = 1, RdkSettings settings = {}) {
    std::string made = name(what);
    admin->create_topic({.name = made, .partitions = partitions, .settings = std::move(settings)}, kTimeout).value();
    return made;
  }
  std::unique_ptr<RdkProducer> producer() {
    std::unique_ptr<RdkProducer> made = RdkProducer::open(options, name("writer"), causes).value();
    if (const RdkOutcome begun = made->init(kTimeout); !begun.ok()) throw Exception(begun.error);
    return made;
  }

  PosixPorts ports;
  const RdkOptions options;
  const std::shared_ptr<BrokerCauses> causes;
  const std::unique_ptr<RdkAdmin> admin;
};

/// Writes records in a transaction, and commits or aborts it.
class Transaction {
 public:
  Transaction(RdkProducer& producer, TopicPartition to) : producer_(producer), to_(std::move(to)) { check(producer_.begin()); }
  Transaction& add(std::string_view key, std::string_view value) {
    return add({.timestamp = Timestamp{std::chrono::milliseconds{1'700'000'000'000}},
                .key = as_bytes(key),
                .value = as_bytes(value),
                .headers = {}});
  }
  Transaction& add(const RecordFields& record) {
    producer_.produce(to_, record, ++token_).value();
    return *this;
  }
  void commit() {
    wait();
    check(producer_.commit());
  }
  void abort() {
    wait();  // so that the brokers have what is aborted
    check(producer_.abort());
  }

 private:
  void wait() {
    if (!producer_.wait_for_acks(Brokers::kTimeout)) throw std::runtime_error("the brokers do not acknowledge");
  }
  static void check(const RdkOutcome& outcome) {
    if (!outcome.ok()) throw Exception(outcome.error);
  }
  RdkProducer& producer_;
  TopicPartition to_;
  std::uint64_t token_ = 0;
};

}  // namespace lungo::test
