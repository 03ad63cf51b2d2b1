#include <lungo/cluster/address.hpp>

#include <algorithm>
#include <cctype>

#include <lungo/log/text.hpp>

#include "client/kafka_names.hpp"
#include "client/rdk_settings.hpp"

namespace lungo {

namespace {

constexpr std::string_view kScheme = "kafka://";
constexpr std::string_view kRight = "; an address looks like kafka://host:9092,host2:9092/shop";
constexpr std::uint64_t kFileBytesMax = 1u << 20;

Error wrong(const std::string& what) { return Error{Errc::invalid_argument, what + std::string(kRight)}; }

/// What stands in an address and belongs into a file. Only names are said again: what stands beside them may be secret.
Result<void> refuse_settings(std::string_view text) {
  const std::string elsewhere =
      "; put it into a file as a line NAME=VALUE, and name that with --kafka-config or " + std::string(kKafkaConfigVariable);
  if (text.find('@') != std::string_view::npos) {
    return wrong("an address takes no login in front of an @" + elsewhere + " (sasl.username, sasl.password)");
  }
  const std::size_t query = text.find_first_of("?#&=");
  if (query == std::string_view::npos) return {};
  const std::string_view rest = text.substr(std::min(text.find_first_not_of("?#&", query), text.size()));
  const std::string_view name = rest.substr(0, rest.find('='));
  const bool is_name = !name.empty() && name.size() < rest.size() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  });
  if (!is_name) return wrong("an address takes no settings" + elsewhere);
  return wrong("an address does not take the setting " + std::string(name) + elsewhere);
}

/// Errors: invalid_argument.
Result<void> check_broker(std::string_view broker) {
  const std::string shown = "'" + std::string(broker) + "'";
  if (broker.empty()) return wrong("there is an empty place between two brokers, or none at all");
  const std::size_t colon = broker.rfind(':');
  const bool in_brackets = broker.front() == '[';
  if (in_brackets && broker.find(']') == std::string_view::npos) return wrong(shown + " has no ] behind its IPv6 address");
  if (!in_brackets && broker.find(':') != colon) return wrong(shown + ": an IPv6 address stands in brackets, [::1]:9092");
  if (colon == std::string_view::npos || (in_brackets && broker[colon - 1] != ']')) {
    return wrong(shown + " names no port (Kafka's is 9092 unless it was changed)");
  }
  const std::optional<std::uint16_t> port = parse_number<std::uint16_t>(broker.substr(colon + 1));
  if (!port || *port == 0) return wrong(shown + ": a port is a number from 1 to 65535");
  const std::string_view host = broker.substr(0, colon);
  const bool fits = !host.empty() && std::ranges::all_of(host, [](unsigned char c) { return c > ' ' && c < 0x7f; });
  if (!fits || host == "[]") return wrong(shown + " names no host");
  return {};
}

}  // namespace

Result<KafkaAddress> parse_kafka_address(std::string_view text, std::string_view default_app) {
  if (Result<void> plain = refuse_settings(text); !plain) return plain.error();
  if (!text.starts_with(kScheme)) return wrong("'" + std::string(text) + "' does not begin with kafka://");
  text.remove_prefix(kScheme.size());
  const std::size_t slash = text.find('/');
  const std::string_view hosts = text.substr(0, slash);
  std::string_view app = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
  for (std::size_t begin = 0; begin <= hosts.size();) {
    const std::size_t end = std::min(hosts.find(',', begin), hosts.size());
    if (Result<void> checked = check_broker(hosts.substr(begin, end - begin)); !checked) return checked.error();
    begin = end + 1;
  }
  if (app.empty()) app = default_app;
  if (app.empty()) return wrong("it names no application behind the brokers");
  const Result<KafkaNames> names = KafkaNames::of(std::string(app));
  if (!names) return wrong(std::string(names.error().text()));
  return KafkaAddress{std::string(hosts), std::string(app)};
}

Result<std::vector<std::pair<std::string, std::string>>> load_kafka_settings(Storage& storage, const std::string& given,
                                                                             const char* from_environment) {
  std::string path = given;
  if (path.empty() && from_environment != nullptr) path = from_environment;
  std::vector<std::pair<std::string, std::string>> out;
  if (path.empty()) return out;
  const Result<Bytes> bytes = read_file(storage, path, kFileBytesMax);
  if (!bytes) {
    return bytes.error().with_context("the settings for Kafka that " +
                                      std::string(given.empty() ? kKafkaConfigVariable : "--kafka-config") + " names");
  }
  Result<RdkSettings> settings = parse_rdk_settings(as_text(*bytes), path);
  if (!settings) return settings.error();
  for (RdkSetting& setting : *settings) out.emplace_back(std::move(setting.name), std::move(setting.value));
  return out;
}

}  // namespace lungo
