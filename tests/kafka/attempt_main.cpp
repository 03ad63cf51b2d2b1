// Connects, makes a topic, appends a record and reads it back, and says how far it came:
// attempt HOSTS APP TOPIC DIRECTORY BYTES [NAME=VALUE...]
// BYTES is the size of the record's value; NAME=VALUE are librdkafka's settings. `rights [TOPIC...]` in place of BYTES prints
// what the application needs for TOPIC, and for these. Otherwise the one line is `ok`, or `STEP: CODE: TEXT`.
#include <iostream>
#include <string>

#include <lungo/cluster/address.hpp>
#include <lungo/cluster/kafka.hpp>
#include <lungo/cluster/kafka_copy.hpp>

#include "tests/support/records.hpp"

namespace {

using namespace lungo;

int failed(std::string_view step, const Error& error) {
  std::cout << step << ": " << to_string(error) << std::endl;
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const std::string hosts = argv[1];
  const std::string app = argv[2];
  const TopicPartition partition{argv[3], PartitionId{0}};
  if (std::string_view(argv[5]) == "rights") {
    std::vector<std::string> topics(argv + 6, argv + argc);
    topics.push_back(partition.topic);
    for (const std::string& line : kafka_rights({.hosts = hosts, .app = app}, topics, true)) {
      std::cout << line << '\n';
    }
    return 0;
  }
  KafkaOptions options;
  options.directory = argv[4];
  options.append_timeout = std::chrono::seconds{12};
  options.fill_timeout = std::chrono::seconds{5};
  for (int i = 6; i < argc; ++i) {
    const std::string_view setting = argv[i];
    const std::size_t equals = setting.find('=');
    options.client.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  const Result<std::shared_ptr<EventLog>> connected = connect_kafka(hosts, app, options);
  if (!connected) return failed("connect", connected.error());
  EventLog& log = **connected;
  TopicSpec spec;
  spec.name = partition.topic;
  spec.partitions = 1;
  spec.streams = true;
  if (const Result<TopicInfo> made = log.create_topic(spec); !made) return failed("create", made.error());
  const std::string value(std::stoul(argv[5]), 'x');
  const Result<Appended> appended = append_wait(log, test::append_of(partition, "k", value), options.append_timeout);
  if (!appended) return failed("append", appended.error());
  const Result<Fetched> fetched = log.read(partition, appended->first, 1u << 20);
  if (!fetched) return failed("read", fetched.error());
  std::cout << "ok" << std::endl;
  return 0;
}
