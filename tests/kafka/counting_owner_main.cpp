// A process that counts streams, to be killed or stopped: counting_owner HOSTS APP TOPIC NAME STREAMS DIRECTORY
// A line for each number that was answered: KEY NUMBER. Ends at SIGTERM.
// With 0 STREAMS it looks what the topic has: KEY and how many numbers its stream has, and fails where they do not count up.
// With the name `in-sync` as well it prints how many partitions of the cluster's topics lack a replica that is in sync.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include <lungo/cluster/kafka.hpp>

#include "client/rdk_admin.hpp"
#include "tests/kafka/counting_owner.hpp"

namespace {

volatile sig_atomic_t is_told_to_stop = 0;

int look(const std::string& hosts, const std::string& app, const std::string& topic, const std::string& directory) {
  using namespace lungo;
  KafkaOptions options;
  options.directory = directory;
  options.read_only = true;
  const std::shared_ptr<EventLog> log = connect_kafka(hosts, app, options).value();
  for (const auto& [key, stream] : test::CountingOwner::streams_of(*log, topic)) {
    std::cout << key << ' ' << stream.size() << '\n';
  }
  return 0;
}

int count_out_of_sync(const std::string& hosts) {
  using namespace lungo;
  PosixPorts ports;
  RdkOptions options;
  options.hosts = hosts;
  const auto admin = RdkAdmin::open(options, std::make_shared<BrokerCauses>(options, ports.ports().clock)).value();
  int count = 0;
  for (const RdkTopic& topic : admin->cluster(std::chrono::seconds{30}).value().topics) {
    count += static_cast<int>(std::ranges::count_if(
        topic.partitions, [](const RdkPartition& partition) { return partition.in_sync < partition.replicas; }));
  }
  std::cout << count << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace lungo;
  if (argc != 7) return 2;
  const bool only_looks = std::string_view(argv[5]) == "0";
  if (only_looks && std::string_view(argv[4]) == "in-sync") return count_out_of_sync(argv[1]);
  if (only_looks) return look(argv[1], argv[2], argv[3], argv[6]);
  ::signal(SIGTERM, [](int) { is_told_to_stop = 1; });
  KafkaOptions options;
  options.directory = argv[6];
  options.endpoint = argv[4];
  const std::shared_ptr<EventLog> log = connect_kafka(argv[1], argv[2], options).value();
  const std::string topic = argv[3];
  TopicSpec spec;
  spec.name = topic;
  spec.streams = true;
  log->create_topic(spec).value();
  test::CountingOwner owner(*log, topic, argv[4], std::stoi(argv[5]));
  while (is_told_to_stop == 0) {
    int counted = 0;
    owner.count([&counted](const std::string& key, int number) {
      std::cout << key << ' ' << number << std::endl;
      ++counted;
    });
    if (counted == 0) ::usleep(10'000);
  }
  for (const std::string& trouble : owner.troubles) std::cerr << trouble << '\n';
  return owner.troubles.empty() ? 0 : 1;
}
