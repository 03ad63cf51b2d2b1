// What librdkafka says and the brokers answer, as an `Error` that names the cause and, where there is one, the fix.
//
// Promise: every code has an Errc and a text. A call that has found nobody says why, as far as librdkafka's log has said it
// (broker_causes.hpp).
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include <lungo/log/result.hpp>

#include "client/broker_causes.hpp"

namespace lungo {

/// What a broker grants rights on.
enum class RdkResource { cluster, topic, group, transactional_id };

/// What was tried: {"write to", topic, "events", "write"} reads "write to topic events", which takes the right "write" on it.
struct RdkAttempt {
  std::string_view verb;  // of a literal
  RdkResource resource = RdkResource::cluster;
  std::string name;        // empty for the cluster
  std::string_view right;  // as kafka-acls.sh has it; of a literal
};

/// `code` is a rd_kafka_resp_err_t; `words` is what came with it, empty for librdkafka's general ones.
/// The Errc of each code stands in rdk_errors.cpp; those without a row are `io`. A call that found nobody is `io` when all
/// brokers that the settings name have a cause to tell, otherwise `timed_out` with the last cause.
Error rdk_error(int code, std::string_view words, const RdkAttempt& attempt, const BrokerCauses& causes);
/// Of an error that came from there. Such a one lasts until somebody gives the right; another `io` passes, as brokers that do
/// not answer do.
bool is_missing_right(const Error& error);

/// "write to topic events"
std::string to_string(const RdkAttempt& attempt);

}  // namespace lungo
