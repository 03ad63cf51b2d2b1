#include "client/rdk_client.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <lungo/log/check.hpp>

namespace lungo::rdk {

namespace {

Error no_handle(const RdkSettings& settings, std::string words) {
  for (const RdkSetting& setting : settings) words = without_secret(std::move(words), setting);
  const bool is_system = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
  return Error{is_system ? Errc::io : Errc::invalid_argument, "librdkafka makes no handle: " + words};
}

/// By the name of the mechanism: it alone asks for tokens, again and again.
bool asks_for_tokens(const RdkSettings& settings) {
  return value_of(settings, "sasl.mechanism", "sasl.mechanisms") == "OAUTHBEARER";
}

}  // namespace

Result<std::unique_ptr<Client>> Client::open(RdkRole role, const RdkOptions& options, const std::string& id,
                                             std::shared_ptr<BrokerCauses> causes, Callbacks& callbacks) {
  const Result<RdkSettings> settings = rdk_settings(role, options, id);
  if (!settings) return settings.error();
  Result<Conf> made = make_conf(*settings);
  if (!made) return made.error();
  Conf conf = *std::move(made);
  std::unique_ptr<Client> client(new Client(std::move(causes), callbacks));
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t* rk, int level, const char* facility, const char* line) {
    of(rd_kafka_opaque(rk)).causes_->log(level, facility, line);
  });
  // Without it librdkafka would write what the log has already told into the log once more.
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int, const char*, void*) {});
  if (role == RdkRole::producer) {
    rd_kafka_conf_set_dr_msg_cb(conf.get(), [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      of(opaque).callbacks_.delivered(*message);
    });
  } else if (role == RdkRole::group) {
    rd_kafka_conf_set_rebalance_cb(
        conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
          of(opaque).callbacks_.rebalanced(what, partitions);
        });
  }
  // A token is fetched on librdkafka's thread: the calls that wait for a broker, and with it for the token, poll nothing.
  rd_kafka_conf_enable_sasl_queue(conf.get(), asks_for_tokens(*settings) ? 1 : 0);

  std::array<char, 512> words{};
  client->handle_.reset(
      rd_kafka_new(role == RdkRole::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(), words.data(), words.size()));
  if (client->handle_ == nullptr) return no_handle(*settings, words.data());
  (void)conf.release();  // the handle's now
  if (asks_for_tokens(*settings)) {
    const CallError error(rd_kafka_sasl_background_callbacks_enable(client->get()));
    if (error != nullptr) return no_handle(*settings, rd_kafka_error_string(error.get()));
  }
  if (role == RdkRole::group || role == RdkRole::tail) (void)rd_kafka_poll_set_consumer(client->get());
  return client;
}

Error Client::error(rd_kafka_resp_err_t code, std::string_view words, const RdkAttempt& attempt) const {
  if (code != RD_KAFKA_RESP_ERR__FATAL) return rdk_error(code, words, attempt, *causes_);
  std::array<char, 512> why{};
  const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(handle_.get(), why.data(), why.size());
  return rdk_error(fatal, why.data(), attempt, *causes_);
}

Error Client::error(const rd_kafka_error_t& error, const RdkAttempt& attempt) const {
  return this->error(rd_kafka_error_code(&error), rd_kafka_error_string(&error), attempt);
}

Result<Metadata> Client::cluster(const RdkAttempt& attempt, Duration timeout) const {
  return metadata(nullptr, attempt, timeout);
}

Result<Metadata> Client::topic(const std::string& name, const RdkAttempt& attempt, Duration timeout) const {
  const Topic asked(rd_kafka_topic_new(get(), name.c_str(), nullptr));
  if (asked == nullptr) return error(rd_kafka_last_error(), {}, attempt);
  Result<Metadata> found = metadata(asked.get(), attempt, timeout);
  if (!found) return found;
  check((*found)->topic_cnt == 1, "one topic was asked for");
  const rd_kafka_resp_err_t code = (*found)->topics[0].err;
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? std::move(found) : Result<Metadata>{error(code, {}, attempt)};
}

Result<Metadata> Client::metadata(rd_kafka_topic_t* topic, const RdkAttempt& attempt, Duration timeout) const {
  const struct rd_kafka_metadata* found = nullptr;
  const auto ask = [&] { return rd_kafka_metadata(get(), topic == nullptr ? 1 : 0, topic, &found, timeout_ms(timeout / 2)); };
  rd_kafka_resp_err_t code = ask();
  // It stays with the broker that it was given to, which may have died just then: the second one goes to another.
  if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT) code = ask();
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error(code, {}, attempt);
  causes_->answered();
  return Metadata(found);
}

int timeout_ms(Duration timeout) {
  const auto ms =
      std::chrono::ceil<std::chrono::milliseconds>(std::clamp(timeout, Duration::zero(), Duration(std::chrono::hours(24))));
  return static_cast<int>(ms.count());
}

PartitionList list_of(std::span<const TopicPartition> partitions) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition.value());
  }
  return list;
}

std::vector<TopicPartition> partitions_of(const rd_kafka_topic_partition_list_t& list) {
  std::vector<TopicPartition> out;
  for (const rd_kafka_topic_partition_t& element : elements_of(list)) {
    out.push_back({element.topic, PartitionId{element.partition}});
  }
  return out;
}

}  // namespace lungo::rdk
