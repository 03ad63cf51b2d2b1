// Why brokers can't be reached: the last cause of each, from librdkafka's log.
//
// A call that reaches nobody fails with "timed out" or "transport", long after a line of the log has said why; librdkafka's own
// error callback runs on who polls, and nobody does during that call. So the lines are read, and each broker's last cause is
// kept for a minute: librdkafka repeats one every 30 s. One object for all handles of a home.
//
//   line   = [ "[" THREAD "]: " ] BROKER ": " REASON " (after " MS "ms in state " STATE [ ", " ... ] ")"
//   BROKER = [ PROTOCOL "://" ] HOST ":" PORT "/" ( "bootstrap" / NUMBER )     NUMBER: another broker named this one
//          / ROLE ": " HOST ":" PORT                                           ROLE: "GroupCoordinator", "TxnCoordinator"
//
// Threads: any. log() is called by librdkafka's own; nothing is thrown into them.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <lungo/log/clock.hpp>

#include "client/rdk_settings.hpp"

namespace lungo {

/// A connection that failed.
struct BrokerFailure {
  std::string host;           // HOST:PORT
  bool is_configured = true;  // the settings name it; otherwise a broker did
  std::string reason;         // librdkafka's words
  std::string state;          // what the connection was in, as librdkafka calls it: CONNECT, UP
  friend bool operator==(const BrokerFailure&, const BrokerFailure&) = default;
};

/// Nothing for a line that has not the form above.
std::optional<BrokerFailure> parse_broker_failure(std::string_view line);

class BrokerCauses {
 public:
  /// `clock` outlives it.
  BrokerCauses(const RdkOptions& options, Clock& clock);

  /// A line of librdkafka's log, with its level as syslog has it. Goes to the logger "kafka"; that a connection failed, in our
  /// words and once a minute, librdkafka's own lines of it as level debug.
  void log(int level, std::string_view facility, std::string_view line) noexcept;

  /// Writes nothing more to the log, also of threads that may run while the process ends.
  void be_silent() { is_silent_ = true; }

  /// A broker has answered: whatever was the matter with those that the settings name is over.
  void answered();

  struct Cause {
    std::string text;             // "no broker answers at 127.0.0.1:1 (connection refused); is Kafka running, and ..."
    bool nobody_answers = false;  // all brokers that the settings name have failed
  };
  /// The latest; nothing when none is younger than a minute.
  [[nodiscard]] std::optional<Cause> cause() const;

  [[nodiscard]] const std::string& hosts() const { return hosts_; }
  /// As whom the brokers know this process, e.g. "User:app"; "User:..." where its certificate says it.
  [[nodiscard]] const std::string& principal() const { return principal_; }

 private:
  struct Known {
    BrokerFailure failure;
    Instant at;
    bool was_up = false;  // a connection to it has stood before
  };

  [[nodiscard]] std::optional<std::string> news_of(const BrokerFailure& failure);
  [[nodiscard]] std::string explain(const Known& known) const;
  [[nodiscard]] std::string advice_on_scram() const;
  [[nodiscard]] std::string explain_no_connection(const Known& known, const std::string& why) const;

  const std::string hosts_;
  const std::size_t host_count_;
  const std::string mechanism_;
  const std::string user_;
  const bool sends_wrong_scram_nonce_;
  const std::string principal_;
  Clock& clock_;
  std::atomic<bool> is_silent_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Known> last_;       // by host
  std::map<std::string, Instant> told_at_;  // by text
};

}  // namespace lungo
