#include "client/rdk_errors.hpp"

#include <algorithm>
#include <array>

#include <lungo/log/log_text.hpp>

#include "client/rdk_handles.hpp"

namespace lungo {

namespace {

struct Row {
  rd_kafka_resp_err_t code;
  Errc errc;
  std::string_view advice;
};

constexpr std::string_view kNotReady = "it passes by itself";
constexpr std::string_view kNotThere = "there is none of that name, or no right to see it";
constexpr std::string_view kFenced =
    "another process has taken over its transactional id, or the transaction was open for longer than transaction_timeout";
constexpr std::string_view kOldGeneration = "the group has shared its partitions anew, maybe to another process";
constexpr std::string_view kOldBroker = "needs Apache Kafka 2.5 or later (group metadata in transactions)";
constexpr std::string_view kTooLarge = "message.max.bytes here and the topic's max.message.bytes bound it";
constexpr std::string_view kAborted = "its transaction was aborted";

/// What no row says is `io`, without advice. Rights and connections have texts of their own, below.
constexpr std::array kRows{
    Row{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Errc::too_large, kTooLarge},
    Row{RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, Errc::too_large, kTooLarge},
    Row{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, Errc::too_large, "segment.bytes of the topic bounds it"},
    Row{RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, Errc::too_large, "offset.metadata.max.bytes is the broker's limit"},

    Row{RD_KAFKA_RESP_ERR_INVALID_RECORD, Errc::invalid_argument,
        "a compacted topic takes no record without a key, and a topic may bound a record's time"},
    Row{RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, Errc::invalid_argument, "the topic bounds a record's time"},
    Row{RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, Errc::invalid_argument,
        "session_timeout is below the broker's group.min.session.timeout.ms (6 s unless set) or above "
        "group.max.session.timeout.ms"},
    Row{RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, Errc::invalid_argument,
        "transaction_timeout is above the broker's transaction.max.timeout.ms"},
    Row{RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, Errc::invalid_argument, "are there so many brokers?"},
    Row{RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_CONFIG, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_REQUEST, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_POLICY_VIOLATION, Errc::invalid_argument, "a policy of the brokers forbids it"},
    Row{RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, Errc::invalid_argument, ""},
    Row{RD_KAFKA_RESP_ERR__INVALID_ARG, Errc::invalid_argument, ""},

    Row{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, Errc::not_found, kNotThere},
    Row{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, Errc::not_found, kNotThere},
    Row{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, Errc::not_found, kNotThere},
    Row{RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, Errc::not_found, ""},
    Row{RD_KAFKA_RESP_ERR_RESOURCE_NOT_FOUND, Errc::not_found, ""},
    Row{RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, Errc::already_exists, ""},

    Row{RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, Errc::offset_out_of_range, ""},
    Row{RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, Errc::offset_out_of_range, ""},

    Row{RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED, Errc::unsupported, "delete.topic.enable is the broker's setting for it"},
    Row{RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, Errc::unsupported, kOldBroker},
    Row{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, Errc::unsupported, kOldBroker},
    Row{RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, Errc::unsupported,
        "the topic's message.format.version is of before 0.11"},
    Row{RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, Errc::unsupported, ""},
    Row{RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, Errc::unsupported, ""},

    Row{RD_KAFKA_RESP_ERR__FENCED, Errc::producer_fenced, kFenced},
    Row{RD_KAFKA_RESP_ERR_PRODUCER_FENCED, Errc::producer_fenced, kFenced},
    Row{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, Errc::producer_fenced, kFenced},
    Row{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, Errc::producer_fenced,
        "the brokers have forgotten its transactional id"},
    Row{RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, Errc::out_of_sequence, ""},

    Row{RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, Errc::not_owner, kOldGeneration},
    Row{RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, Errc::not_owner, kOldGeneration},
    Row{RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, Errc::not_owner, kOldGeneration},
    Row{RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, Errc::not_owner, kOldGeneration},
    Row{RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST, Errc::not_owner, kOldGeneration},
    Row{RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, Errc::not_owner, "this process was held up for longer than max.poll.interval.ms"},

    Row{RD_KAFKA_RESP_ERR__QUEUE_FULL, Errc::busy, ""},
    Row{RD_KAFKA_RESP_ERR__PURGE_QUEUE, Errc::canceled, kAborted},
    Row{RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, Errc::canceled, kAborted},
    Row{RD_KAFKA_RESP_ERR__STATE, Errc::canceled, ""},
    Row{RD_KAFKA_RESP_ERR__DESTROY, Errc::closed, ""},
    Row{RD_KAFKA_RESP_ERR__BAD_MSG, Errc::corrupt, ""},
    Row{RD_KAFKA_RESP_ERR__BAD_COMPRESSION, Errc::corrupt, ""},
    Row{RD_KAFKA_RESP_ERR_INVALID_MSG, Errc::corrupt, ""},

    Row{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Errc::timed_out, "fewer replicas are in sync than min.insync.replicas asks for"},
    Row{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, Errc::timed_out,
        "fewer replicas are in sync than min.insync.replicas asks for"},
    Row{RD_KAFKA_RESP_ERR__ISR_INSUFF, Errc::timed_out, "fewer replicas are in sync than min.insync.replicas asks for"},
    Row{RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, Errc::timed_out, "a transaction that sets it is open"},
    Row{RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, Errc::timed_out, "a new leader does not know the end yet"},
    Row{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_NOT_COORDINATOR, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, Errc::timed_out, "the transaction before is still being ended"},
    Row{RD_KAFKA_RESP_ERR_NOT_CONTROLLER, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, Errc::timed_out, "a quota of the brokers bounds it"},
    Row{RD_KAFKA_RESP_ERR__WAIT_CACHE, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR__IN_PROGRESS, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, Errc::timed_out, kNotReady},
    Row{RD_KAFKA_RESP_ERR__RETRY, Errc::timed_out, kNotReady},

    Row{RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, Errc::io, "a broker's disk fails; its log says how"},
    Row{RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, Errc::io, "another kind of program is a member of this group"},
    Row{RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED, Errc::io, "group.max.size is the broker's limit"},
};

/// What a call answers that has found nobody, or not in time.
constexpr std::array kNobody{
    RD_KAFKA_RESP_ERR__TRANSPORT,
    RD_KAFKA_RESP_ERR__RESOLVE,
    RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
    RD_KAFKA_RESP_ERR__TIMED_OUT,
    RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
    RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
    RD_KAFKA_RESP_ERR__SSL,
    RD_KAFKA_RESP_ERR__AUTHENTICATION,
    RD_KAFKA_RESP_ERR__WAIT_COORD,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
    RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
};

std::optional<RdkResource> refused_right(int code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return RdkResource::topic;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return RdkResource::group;
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return RdkResource::transactional_id;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return RdkResource::cluster;
    default:
      return std::nullopt;
  }
}

std::string_view name_of(RdkResource resource) {
  switch (resource) {
    case RdkResource::cluster:
      return "cluster";
    case RdkResource::topic:
      return "topic";
    case RdkResource::group:
      return "group";
    case RdkResource::transactional_id:
      return "transactional-id";
  }
  return "cluster";
}

/// The line for kafka-acls.sh. A call may touch more than what it is about; then librdkafka's words may have the name.
constexpr std::string_view kNoRight = "no right to ";

std::string no_right(RdkResource resource, std::string_view words, const RdkAttempt& attempt, const BrokerCauses& causes) {
  const bool is_known = resource == attempt.resource;
  std::string name = is_known ? attempt.name : "NAME";
  std::string text = std::string(kNoRight) + to_string(attempt);
  if (!is_known && !words.empty()) text += " (" + std::string(words) + ")";
  text += "; kafka-acls.sh --add --allow-principal " + causes.principal();
  if (is_known && resource == RdkResource::transactional_id) {  // the next process has another one that begins so
    text += " --resource-pattern-type prefixed";
    if (const std::size_t dot = name.find('.'); dot != std::string::npos) name.resize(dot + 1);
  }
  text += " --" + std::string(name_of(resource));
  if (resource != RdkResource::cluster) text += " " + name;
  return text + " --operation " + (is_known ? std::string(attempt.right) : "...");
}

/// librdkafka's general words without the side that says it.
std::string general_words(int code) {
  std::string words = rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code));
  for (const std::string_view side : {"Broker: ", "Local: "}) {
    if (words.starts_with(side)) words.erase(0, side.size());
  }
  return words;
}

}  // namespace

std::string to_string(const RdkAttempt& attempt) {
  std::string text(attempt.verb);
  if (attempt.resource == RdkResource::cluster) return text;
  return text + " " +
         (attempt.resource == RdkResource::transactional_id ? "transactional id" : std::string(name_of(attempt.resource))) +
         " " + attempt.name;
}

bool is_missing_right(const Error& error) { return error == Errc::io && error.text().starts_with(kNoRight); }

Error rdk_error(int code, std::string_view words, const RdkAttempt& attempt, const BrokerCauses& causes) {
  if (const std::optional<RdkResource> resource = refused_right(code)) {
    return Error{Errc::io, no_right(*resource, words, attempt, causes)};
  }
  const std::string said = words.empty() ? general_words(code) : std::string(words);
  if (std::ranges::find(kNobody, code) != kNobody.end()) {
    const std::optional<BrokerCauses::Cause> cause = causes.cause();
    if (cause && cause->nobody_answers) return Error{Errc::io, cause->text};
    std::string text = "could not " + to_string(attempt) + ": " + said;
    text += cause ? "; the last cause known: " + cause->text : "; no broker at " + causes.hosts() + " has said why";
    return Error{Errc::timed_out, text};
  }
  const auto* row = std::ranges::find(kRows, code, &Row::code);
  std::string text = "cannot " + to_string(attempt) + ": " + said;
  if (row == kRows.end()) return Error{Errc::io, text};
  if (!row->advice.empty()) text += "; " + std::string(row->advice);
  return Error{row->errc, text};
}

}  // namespace lungo
