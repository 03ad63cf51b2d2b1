// A process that counts streams, to be killed or stopped: counting_owner HOSTS APP TOPIC NAME STREAMS DIRECTORY
// A line for each number that was answered: KEY NUMBER. Ends at SIGTERM.
// With 0 STREAMS it looks what the topic has: KEY and how many numbers its stream has, and fails where they do not count up.
#include <signal.h>
#include <unistd.h>

#include <iostream>

#include <lungo/cluster/kafka.hpp>

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

}  // namespace

int main(int argc, char** argv) {
  using namespace lungo;
  if (argc != 7) return 2;
  if (std::string_view(argv[5]) == "0") return look(argv[1], argv[2], argv[3], argv[6]);
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
