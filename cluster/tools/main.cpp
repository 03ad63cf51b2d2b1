// lungo-log: topics and records of a data directory, and copies to and from Apache Kafka; `lungo log` runs it.
#include <cstdlib>

#include <lungo/cluster/address.hpp>
#include <lungo/cluster/kafka.hpp>
#include <lungo/cluster/kafka_copy.hpp>
#include <lungo/framework/moved_checkpoints.hpp>

#include "log/tools/log_cli.hpp"

namespace {

using namespace lungo;

/// A mirror of a whole cluster's topics may take long to be filled, and who copies waits for it.
constexpr Duration kFillTimeout = std::chrono::hours{24};

Result<std::shared_ptr<EventLog>> open(const RemoteAddress& remote) {
  Result<KafkaAddress> address = parse_kafka_address(remote.address);
  if (!address) return address.error();
  const PosixPorts ports;
  Result<std::vector<std::pair<std::string, std::string>>> settings =
      load_kafka_settings(ports.ports().storage, remote.config_file, std::getenv(kKafkaConfigVariable));
  if (!settings) return settings.error();
  KafkaOptions options;
  options.directory = remote.mirror;
  options.read_only = !remote.to_write;
  options.client = std::move(*settings);
  options.fill_timeout = kFillTimeout;
  return connect_kafka(address->hosts, address->app, std::move(options));
}

Result<std::vector<std::string>> rights(const RemoteAddress& remote, const std::vector<std::string>& topics) {
  const Result<KafkaAddress> address = parse_kafka_address(remote.address);
  if (!address) return address.error();
  return kafka_rights(*address, topics, remote.to_write);
}

}  // namespace

int main(int argc, char** argv) {
  return run_log_tool(argc, argv, {.open = open, .refuses = kafka_refusal, .rights = rights, .move_offsets = move_checkpoints});
}
