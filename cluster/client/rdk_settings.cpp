#include "client/rdk_settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "client/rdk_handles.hpp"

namespace lungo {

namespace {

struct Refusal {
  std::string_view name;
  std::string_view why;
};

constexpr std::string_view kHosts = "the address names the brokers";
constexpr std::string_view kPromise = "what Lungo promises of appends and reads rests on it";
constexpr std::string_view kOffsets = "positions are kept beside what is made of the records, not in the group";
constexpr std::string_view kGroup = "groups and members are the application's, by its name";
constexpr std::string_view kTransactionTimeout = "KafkaOptions::transaction_timeout sets it";
constexpr std::string_view kSessionTimeout = "KafkaOptions::session_timeout sets it";
constexpr std::string_view kQueue = "a transaction is bounded well below it";
constexpr std::string_view kEvents = "Lungo takes librdkafka's events and lines itself";

/// Each name with its aliases: librdkafka takes either.
constexpr std::array kRefused{
    Refusal{"bootstrap.servers", kHosts},
    Refusal{"metadata.broker.list", kHosts},
    Refusal{"transactional.id", "each process has one of its own, made when it starts"},
    Refusal{"transaction.timeout.ms", kTransactionTimeout},
    Refusal{"message.timeout.ms", kTransactionTimeout},
    Refusal{"delivery.timeout.ms", kTransactionTimeout},
    Refusal{"enable.idempotence", kPromise},
    Refusal{"enable.gapless.guarantee", "a record that fails ends its transaction, not the producer"},
    Refusal{"acks", kPromise},
    Refusal{"request.required.acks", kPromise},
    Refusal{"delivery.report.only.error", "an append is answered with the offset that the broker reports"},
    Refusal{"message.max.bytes", "max.message.bytes of each topic bounds its records"},
    Refusal{"queue.buffering.max.messages", kQueue},
    Refusal{"queue.buffering.max.kbytes", kQueue},
    Refusal{"isolation.level", kPromise},
    Refusal{"check.crcs", kPromise},
    Refusal{"enable.partition.eof", kPromise},
    Refusal{"auto.offset.reset", kPromise},
    Refusal{"enable.auto.commit", kOffsets},
    Refusal{"auto.commit.enable", kOffsets},
    Refusal{"enable.auto.offset.store", kOffsets},
    Refusal{"allow.auto.create.topics", "no topic is made by reading it"},
    Refusal{"group.id", kGroup},
    Refusal{"group.instance.id", kGroup},
    Refusal{"group.protocol.type", kGroup},
    Refusal{"partition.assignment.strategy", "the members of a group agree on one"},
    Refusal{"session.timeout.ms", kSessionTimeout},
    Refusal{"max.poll.interval.ms", "it bounds how long a rebalance takes"},
    Refusal{"enabled_events", kEvents},
    Refusal{"log.queue", kEvents},
    Refusal{"internal.termination.signal", "a library leaves the process's signals alone"},
};

std::string text_of(std::chrono::milliseconds time) { return std::to_string(time.count()); }

/// What a user's own settings may change. They come first, so that an alias of one wins, too.
RdkSettings suggested(RdkRole role, const RdkOptions& options) {
  RdkSettings out{
      {"client.id", options.client_id},
      {"socket.nagle.disable", "true"},
      {"connections.max.idle.ms", "540000"},  // below the brokers' 10 minutes: who closes first loses no request
  };
  if (role == RdkRole::producer) {
    // The markers of the transaction before are still being written when the next one begins: 100 ms is far too long to wait.
    out.push_back({"retry.backoff.ms", "3"});
    out.push_back({"linger.ms", "1"});
  } else {
    out.push_back({"fetch.wait.max.ms", "100"});
  }
  if (role == RdkRole::tail) out.push_back({"queued.max.messages.kbytes", "16384"});
  if (role == RdkRole::group) out.push_back({"heartbeat.interval.ms", "1000"});
  return out;
}

void add_producer(const RdkOptions& options, const std::string& transactional_id, RdkSettings& out) {
  out.push_back({"enable.idempotence", "true"});
  out.push_back({"acks", "all"});
  out.push_back({"message.timeout.ms", text_of(options.transaction_timeout)});
  out.push_back({"message.max.bytes", "16777216"});  // of one record: above what an append takes. batch.size bounds batches.
  if (transactional_id.empty()) return;
  out.push_back({"transactional.id", transactional_id});
  out.push_back({"transaction.timeout.ms", text_of(options.transaction_timeout)});
}

void add_consumer(RdkRole role, const RdkOptions& options, const std::string& group, RdkSettings& out) {
  if (role != RdkRole::admin) out.push_back({"group.id", group});
  out.push_back({"enable.auto.commit", "false"});
  out.push_back({"enable.auto.offset.store", "false"});
  out.push_back({"auto.offset.reset", "error"});
  out.push_back({"allow.auto.create.topics", "false"});
  out.push_back({"check.crcs", "true"});
  // Who asks a handle for the end of a partition gets the last stable offset or the high watermark, by this.
  out.push_back({"isolation.level", role == RdkRole::tail ? "read_committed" : "read_uncommitted"});
  out.push_back({"enable.partition.eof", role == RdkRole::tail ? "true" : "false"});
  if (role != RdkRole::group) return;
  out.push_back({"partition.assignment.strategy", "range"});
  out.push_back({"session.timeout.ms", text_of(options.session_timeout)});
  out.push_back({"max.poll.interval.ms", "30000"});
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

Result<RdkSettings> rdk_settings(RdkRole role, const RdkOptions& options, const std::string& id) {
  for (const RdkSetting& setting : options.client) {
    const auto* refused = std::ranges::find(kRefused, setting.name, &Refusal::name);
    if (refused != kRefused.end()) {
      return Error{Errc::invalid_argument,
                   "the setting " + setting.name + " is not to be changed: " + std::string(refused->why)};
    }
  }
  RdkSettings out = suggested(role, options);
  out.insert(out.end(), options.client.begin(), options.client.end());
  out.push_back({"bootstrap.servers", options.hosts});
  if (role == RdkRole::producer) {
    add_producer(options, id, out);
  } else {
    add_consumer(role, options, id, out);
  }
  return out;
}

Result<void> check_rdk_options(const RdkOptions& options) {
  for (const RdkRole role : {RdkRole::producer, RdkRole::group}) {
    const Result<RdkSettings> settings = rdk_settings(role, options, "any");
    if (!settings) return settings.error();
    const Result<rdk::Conf> conf = rdk::make_conf(*settings);
    if (!conf) return conf.error();
  }
  return {};
}

Result<RdkSettings> parse_rdk_settings(std::string_view text, std::string_view source) {
  RdkSettings out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string where = std::string(source) + ":" + std::to_string(number) + ": ";
    const std::size_t equals = line.find('=');
    const std::string name(trimmed(line.substr(0, equals)));
    // The line itself stays out of the text: what is no setting may be a password that lost its name.
    if (equals == std::string_view::npos || name.empty()) {
      return Error{Errc::invalid_argument, where + "a line is name=value, or a comment that begins with #"};
    }
    if (std::ranges::find(out, name, &RdkSetting::name) != out.end()) {
      return Error{Errc::invalid_argument, where + name + " stands here for the second time"};
    }
    out.push_back({name, std::string(trimmed(line.substr(equals + 1)))});
  }
  return out;
}

bool is_secret_setting(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const std::string_view word : {"password", "key", "secret", "token", "jaas"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

bool rdk_sends_wrong_scram_nonce() { return rd_kafka_version() < 0x020601ff; }

std::string_view value_of(const RdkSettings& settings, std::string_view name, std::string_view alias) {
  std::string_view out;
  for (const RdkSetting& setting : settings) {
    if (setting.name == name || (!alias.empty() && setting.name == alias)) out = setting.value;
  }
  return out;
}

namespace rdk {

std::string without_secret(std::string text, const RdkSetting& setting) {
  constexpr std::string_view kMask = "***";
  if (!is_secret_setting(setting.name) || setting.value.empty()) return text;
  for (std::size_t at = 0; (at = text.find(setting.value, at)) != std::string::npos; at += kMask.size()) {
    text.replace(at, setting.value.size(), kMask);
  }
  return text;
}

Result<Conf> make_conf(const RdkSettings& settings) {
  Conf conf(rd_kafka_conf_new());
  for (const RdkSetting& setting : settings) {
    std::array<char, 512> words{};
    if (rd_kafka_conf_set(conf.get(), setting.name.c_str(), setting.value.c_str(), words.data(), words.size()) !=
        RD_KAFKA_CONF_OK) {
      return Error{Errc::invalid_argument, "librdkafka refuses a setting: " + without_secret(words.data(), setting)};
    }
  }
  return conf;
}

}  // namespace rdk

}  // namespace lungo
