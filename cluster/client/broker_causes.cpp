#include "client/broker_causes.hpp"

#include <algorithm>

#include <lungo/log/log_text.hpp>

namespace lungo {

namespace {

using std::chrono_literals::operator""s;

constexpr Duration kAgeMax = 60s;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// What stands in front of `mark`, which goes too; nothing, and `text` stays, where there is none.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view out = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return out;
}

std::string_view without_thread(std::string_view line) {
  if (line.starts_with("[")) (void)take_until(line, "]: ");
  return line;
}

std::string_view behind_last(std::string_view text, std::string_view mark) {
  const std::size_t at = text.rfind(mark);
  return at == std::string_view::npos ? text : text.substr(at + mark.size());
}

/// "Connection refused" as part of a sentence. What is no word of that form, e.g. "SSL", stays.
std::string in_sentence(std::string_view words) {
  std::string out(words);
  if (out.size() > 1 && out[0] >= 'A' && out[0] <= 'Z' && out[1] >= 'a' && out[1] <= 'z') out[0] += 'a' - 'A';
  return out;
}

std::string principal_of(std::string_view protocol, std::string_view user) {
  if (!user.empty()) return "User:" + std::string(user);
  return protocol.empty() || protocol == "plaintext" ? "User:ANONYMOUS" : "User:...";
}

Severity severity_of(int level, std::string_view facility, std::string_view line) {
  // A user's settings go to every handle, also to one of the kind that has no use for them.
  if (facility == "CONFWARN" && has(line, "property and will be ignored by this")) return Severity::debug;
  // What a call has told its caller, who knows what it means.
  if (facility == "TXNERR" || facility == "FATAL" || facility == "ADDPARTS") return Severity::debug;
  if (level <= 3) return Severity::error;
  if (level == 4) return Severity::warn;
  return level <= 6 ? Severity::info : Severity::debug;
}

}  // namespace

std::optional<BrokerFailure> parse_broker_failure(std::string_view line) {
  line = without_thread(line);
  std::optional<std::string_view> broker = take_until(line, ": ");
  if (broker && !has(*broker, "/")) broker = take_until(line, ": ");  // it was a role
  const std::size_t after = line.rfind(" (after ");
  if (!broker || after == std::string_view::npos) return std::nullopt;
  if (const std::size_t protocol = broker->find("://"); protocol != std::string_view::npos) broker->remove_prefix(protocol + 3);
  const std::string_view host = broker->substr(0, broker->find('/'));
  if (!has(host, ":")) return std::nullopt;
  std::string_view state = line.substr(after);
  if (!take_until(state, " in state ")) return std::nullopt;
  return BrokerFailure{.host = std::string(host),
                       .is_configured = broker->substr(host.size()) == "/bootstrap",
                       .reason = std::string(line.substr(0, after)),
                       .state = std::string(state.substr(0, state.find_first_of(",)")))};
}

BrokerCauses::BrokerCauses(const RdkOptions& options, Clock& clock)
    : hosts_(options.hosts),
      host_count_(static_cast<std::size_t>(std::ranges::count(hosts_, ',')) + 1),
      mechanism_(value_of(options.client, "sasl.mechanism", "sasl.mechanisms")),
      user_(value_of(options.client, "sasl.username")),
      sends_wrong_scram_nonce_(rdk_sends_wrong_scram_nonce()),
      principal_(principal_of(value_of(options.client, "security.protocol"), user_)),
      clock_(clock) {}

void BrokerCauses::log(int level, std::string_view facility, std::string_view line) noexcept {
  if (is_silent_) return;
  try {
    Severity severity = severity_of(level, facility, line);
    if (const std::optional<BrokerFailure> failure = parse_broker_failure(line); failure && facility == "FAIL") {
      if (const std::optional<std::string> news = news_of(*failure)) {
        // One that is closed for want of use, say, is no trouble: it is made again when it is needed.
        log_text("kafka", failure->reason == "Disconnected" ? Severity::info : Severity::warn, *news);
      }
      severity = Severity::debug;
    }
    log_text("kafka", severity, "librdkafka " + std::string(facility) + ": " + std::string(without_thread(line)));
  } catch (...) {
    // Out of memory: the line is lost, and librdkafka goes on.
  }
}

/// What to tell of it, unless the same was told in the last minute.
std::optional<std::string> BrokerCauses::news_of(const BrokerFailure& failure) {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.monotonic();
  Known& known = last_[failure.host];
  known = Known{.failure = failure, .at = now, .was_up = known.was_up || failure.state == "UP"};
  std::erase_if(told_at_, [&](const auto& told) { return now - told.second > kAgeMax; });
  std::string text = explain(known);
  if (!told_at_.emplace(text, now).second) return std::nullopt;
  return text;
}

void BrokerCauses::answered() {
  const std::lock_guard lock(mutex_);
  std::erase_if(last_, [](const auto& known) { return known.second.failure.is_configured; });
}

std::optional<BrokerCauses::Cause> BrokerCauses::cause() const {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.monotonic();
  const Known* latest = nullptr;
  std::size_t configured = 0;
  for (const auto& [host, known] : last_) {
    if (now - known.at > kAgeMax) continue;
    if (latest == nullptr || known.at > latest->at) latest = &known;
    if (known.failure.is_configured) ++configured;
  }
  if (latest == nullptr) return std::nullopt;
  return Cause{.text = explain(*latest), .nobody_answers = configured >= host_count_};
}

std::string BrokerCauses::explain(const Known& known) const {
  const std::string& host = known.failure.host;
  const std::string& reason = known.failure.reason;
  if (has(reason, "Failed to resolve")) {
    return "'" + host.substr(0, host.rfind(':')) + "' has no address (" + in_sentence(behind_last(reason, ": ")) +
           "); is the name of the host right?";
  }
  if (has(reason, "connecting to a SSL listener?")) {
    return host + " closed the connection at once; if it speaks TLS, set security.protocol=ssl";
  }
  if (has(reason, "might require SASL")) {
    return host +
           " closed the connection; if it wants a login, set security.protocol=sasl_ssl or sasl_plaintext, and sasl.mechanism";
  }
  if (has(reason, "SASL authentication error: ")) {
    return host + " refused the login of '" + user_ + "' (" + mechanism_ + "): " + std::string(behind_last(reason, ": ")) +
           "; are sasl.username and sasl.password right?" + advice_on_scram();
  }
  if (has(reason, "mechanism handshake failed")) {
    return host + " takes no login by " + mechanism_ + " (" + std::string(behind_last(reason, "Broker: ")) +
           "); sasl.mechanism is the setting for it";
  }
  if (has(reason, "certificate")) {
    return "the certificate of " + host + " is not trusted (" + std::string(behind_last(reason, "SSL routines::")) +
           "); ssl.ca.location names a file with the certificate of who signed it, and it has to be made out to that host";
  }
  if (has(reason, "unexpected eof") || has(reason, "wrong version number") || has(reason, "PLAINTEXT listener")) {
    return host + " speaks no TLS; if that is meant, set security.protocol=plaintext or sasl_plaintext";
  }
  if (has(reason, "Invalid response size")) return "what answers at " + host + " is no Kafka broker";
  if (has(reason, "Connect to ")) return explain_no_connection(known, in_sentence(behind_last(reason, "failed: ")));
  if (has(reason, "Connection setup timed out")) return explain_no_connection(known, "no answer");
  return "the connection to " + host + " ended: " + in_sentence(reason);
}

/// The client's last message has its nonce twice (librdkafka #4895), which brokers take note of since CVE-2024-56128.
std::string BrokerCauses::advice_on_scram() const {
  if (!mechanism_.starts_with("SCRAM-") || !sends_wrong_scram_nonce_) return {};
  return " Brokers of Apache Kafka 4 refuse every SCRAM login of librdkafka before 2.6.1, which this is: sasl.mechanism=PLAIN "
         "with security.protocol=sasl_ssl, and certificates, work";
}

std::string BrokerCauses::explain_no_connection(const Known& known, const std::string& why) const {
  const std::string& host = known.failure.host;
  if (known.failure.is_configured) {
    return "no broker answers at " + host + " (" + why + "); is Kafka running, and is that its port?";
  }
  if (known.was_up || has(hosts_, host)) return "the broker at " + host + " no longer answers (" + why + ")";
  return "a broker is to be reached at " + host + ", say those at " + hosts_ + ", and nobody answers there (" + why +
         "); it is down, or advertised.listeners, the broker's setting for it, is wrong";
}

}  // namespace lungo
