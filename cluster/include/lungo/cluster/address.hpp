// How the user of a command-line tool names an application's log on a Kafka cluster, and where its settings come from.
//
//   address = "kafka://" broker *( "," broker ) "/" APP      APP: [a-z0-9][a-z0-9-]{0,40}
//   broker  = HOST ":" PORT                                  HOST: a name, an IPv4 address, or an IPv6 address in brackets
//
// Promise: nothing secret stands in an address, which shells and process lists show: what looks like a login or a setting is
// refused by its name, and never repeated. A wrong address is answered with what is wrong and how it looks right.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <lungo/log/ports.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

struct KafkaAddress {
  std::string hosts;  // HOST:PORT[,HOST:PORT], as connect_kafka() takes them
  std::string app;
  friend bool operator==(const KafkaAddress&, const KafkaAddress&) = default;
};

/// `default_app` is that of an address that ends behind its brokers; empty: each has to name its own.
/// Errors: invalid_argument.
Result<KafkaAddress> parse_kafka_address(std::string_view text, std::string_view default_app = {});

/// Names the file of settings where the command line names none.
inline constexpr const char* kKafkaConfigVariable = "LUNGO_KAFKA_CONFIG";

/// librdkafka's settings (KafkaOptions::client) out of the file `given`, otherwise out of the one that `from_environment`
/// names, which is std::getenv(kKafkaConfigVariable); none where neither names one. The file has a line `name=value` for each,
/// and comments that begin with #. Errors: invalid_argument for a line that is no setting, with its number, and for a name that
/// stands twice; not_found, too_large, io for the file.
Result<std::vector<std::pair<std::string, std::string>>> load_kafka_settings(Storage& storage, const std::string& given,
                                                                             const char* from_environment);

}  // namespace lungo
