// A handle of librdkafka with what its callbacks need, and the calls that producer, consumers and admin have in common. For
// rdk_*.cpp alone.
//
// Threads: librdkafka's own write the log; a Callbacks is called by who polls, closes or flushes. Both outlive the handle.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

#include "client/broker_causes.hpp"
#include "client/rdk_errors.hpp"
#include "client/rdk_handles.hpp"

namespace lungo::rdk {

/// What librdkafka calls back. Nothing may be thrown into it.
class Callbacks {
 public:
  virtual ~Callbacks() = default;
  virtual void delivered(const rd_kafka_message_t& /*message*/) noexcept {}
  virtual void rebalanced(rd_kafka_resp_err_t /*what*/, rd_kafka_topic_partition_list_t* /*partitions*/) noexcept {}
};

class Client {
 public:
  /// `callbacks` outlives it. Errors: invalid_argument, for settings; io, when the system has no thread left.
  static Result<std::unique_ptr<Client>> open(RdkRole role, const RdkOptions& options, const std::string& id,
                                              std::shared_ptr<BrokerCauses> causes, Callbacks& callbacks);

  [[nodiscard]] rd_kafka_t* get() const { return handle_.get(); }
  [[nodiscard]] BrokerCauses& causes() const { return *causes_; }

  [[nodiscard]] Error error(rd_kafka_resp_err_t code, std::string_view words, const RdkAttempt& attempt) const;
  /// Where the code is only "fatal", with what was fatal.
  [[nodiscard]] Error error(const rd_kafka_error_t& error, const RdkAttempt& attempt) const;

  /// The brokers and all topics, as a broker knows them now.
  [[nodiscard]] Result<Metadata> cluster(const RdkAttempt& attempt, Duration timeout) const;
  /// One topic of it, as the only one. librdkafka keeps who leads its partitions. Errors: not_found.
  [[nodiscard]] Result<Metadata> topic(const std::string& name, const RdkAttempt& attempt, Duration timeout) const;

 private:
  /// nullptr: all topics.
  Result<Metadata> metadata(rd_kafka_topic_t* topic, const RdkAttempt& attempt, Duration timeout) const;

  Client(std::shared_ptr<BrokerCauses> causes, Callbacks& callbacks) : causes_(std::move(causes)), callbacks_(callbacks) {}

  static Client& of(void* opaque) { return *static_cast<Client*>(opaque); }

  const std::shared_ptr<BrokerCauses> causes_;
  Callbacks& callbacks_;
  Handle handle_;
};

/// As librdkafka takes it: rounded up, nothing below 0, and what does not fit is the largest.
int timeout_ms(Duration timeout);

PartitionList list_of(std::span<const TopicPartition> partitions);
std::vector<TopicPartition> partitions_of(const rd_kafka_topic_partition_list_t& list);
inline std::span<const rd_kafka_topic_partition_t> elements_of(const rd_kafka_topic_partition_list_t& list) {
  return {list.elems, static_cast<std::size_t>(list.cnt)};
}

}  // namespace lungo::rdk
