// The settings that librdkafka's handles run with: what Lungo decides, what it only suggests, and what is a user's own.
//
//   file    = *( line LF )
//   line    = blank / "#" anything / NAME "=" VALUE      blanks around NAME and VALUE do not belong to them, nor does a CR
//
// Promise: a setting that the promises of the home rest on can't be changed (invalid_argument, with the reason); all others are
// handed on as they are, and librdkafka says in its own words what it does not know. The value of a secret appears in no error.
// Pure; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/result.hpp>

namespace lungo {

/// By librdkafka's name for it, or an alias.
struct RdkSetting {
  std::string name;
  std::string value;
  friend bool operator==(const RdkSetting&, const RdkSetting&) = default;
};
using RdkSettings = std::vector<RdkSetting>;

/// What a handle is for.
enum class RdkRole {
  producer,  // idempotent; transactional where it has an id
  group,     // is a member of a group and fetches nothing
  tail,      // reads what is committed, from offsets that it is told
  asker,     // asks for groups, and is a member of none
  admin,     // asks for topics and high watermarks
};

/// What all handles of a home have in common.
struct RdkOptions {
  std::string hosts;                                      // HOST:PORT[,HOST:PORT]
  RdkSettings client;                                     // a user's own, for every handle
  std::string client_id = "lungo";                        // unless `client` has one
  std::chrono::milliseconds session_timeout{6'000};       // a member that is silent for so long has left its group
  std::chrono::milliseconds transaction_timeout{10'000};  // a transaction that is open for so long is aborted
};

/// Those of a handle, in the order in which they count. `id` is the transactional id of a producer, which is merely idempotent
/// without one, and the group's name for `group`, `tail` and `asker`; `admin` has none.
/// Errors: invalid_argument for a setting in `options.client` that is not a user's to change, with its name and why.
Result<RdkSettings> rdk_settings(RdkRole role, const RdkOptions& options, const std::string& id);

/// Whether handles could be made with these, as far as that can be known without a broker. Errors: invalid_argument, as
/// rdk_settings(), and librdkafka's own words for a name or value that it does not know.
Result<void> check_rdk_options(const RdkOptions& options);

/// The settings of a text as above. `source` names it in errors: invalid_argument, with the line, for a line that is none of
/// these and for a name that stands twice.
Result<RdkSettings> parse_rdk_settings(std::string_view text, std::string_view source);

/// By the name alone: whether a value is kept out of texts. Rather a path too many than a password too few.
bool is_secret_setting(std::string_view name);

/// Whether the linked librdkafka is one whose logins by SCRAM are refused by brokers of Apache Kafka 4.
bool rdk_sends_wrong_scram_nonce();

/// What the last setting of this name, or of an alias that `settings` may have for it, says; empty when there is none.
std::string_view value_of(const RdkSettings& settings, std::string_view name, std::string_view alias = {});

}  // namespace lungo
