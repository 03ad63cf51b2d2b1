// web-tracker, on a log of its own or on Apache Kafka.
#include <cstdlib>

#include <lungo/cluster/address.hpp>
#include <lungo/cluster/kafka.hpp>

#include "program.hpp"

namespace {

constexpr std::string_view kApp = "tracker";  // where the address names none
/// The read models of a new machine wait until it has a copy of all events.
constexpr lungo::Duration kFillTimeout = std::chrono::hours{24};

lungo::Result<std::shared_ptr<lungo::EventLog>> open(const tracker::RemoteLog& remote) {
  lungo::Result<lungo::KafkaAddress> address = lungo::parse_kafka_address(remote.address, kApp);
  if (!address) return address.error();
  const lungo::PosixPorts ports;
  lungo::KafkaOptions options;
  auto settings =
      lungo::load_kafka_settings(ports.ports().storage, remote.config_file, std::getenv(lungo::kKafkaConfigVariable));
  if (!settings) return settings.error();
  options.client = std::move(*settings);
  options.directory = remote.directory;
  options.endpoint = remote.endpoint;
  options.fill_timeout = kFillTimeout;
  return lungo::connect_kafka(address->hosts, address->app, std::move(options));
}

}  // namespace

int main(int argc, char** argv) { return tracker::run_program(argc, argv, open); }
