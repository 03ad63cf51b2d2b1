#include "client/rdk_group.hpp"

#include <exception>
#include <mutex>
#include <utility>

#include "client/rdk_client.hpp"

namespace lungo {

namespace {

std::string serialized(const rd_kafka_consumer_group_metadata_t& metadata) {
  void* bytes = nullptr;
  std::size_t size = 0;
  const rdk::CallError error(rd_kafka_consumer_group_metadata_write(&metadata, &bytes, &size));
  const rdk::Memory owner(bytes);
  return error != nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

}  // namespace

struct RdkGroup::Parts : rdk::Callbacks {
  std::string name;
  RdkGroupListener* listener = nullptr;  // null once nobody is to be told any more
  std::exception_ptr thrown;             // by the listener, since the last call; goes on from there
  std::optional<Error> failed;           // of an assignment, since the last call
  bool is_closed = false;
  std::mutex waking;
  bool may_wake = true;  // under waking
  std::unique_ptr<rdk::Client> client;

  [[nodiscard]] rd_kafka_t* handle() const { return client->get(); }
  [[nodiscard]] RdkAttempt attempt() const {
    return {.verb = "take part in", .resource = RdkResource::group, .name = name, .right = "Read"};
  }
  [[nodiscard]] RdkGroupMetadata metadata() const {
    RdkGroupMetadata out;
    const rdk::ConsumerGroupMetadata metadata(rd_kafka_consumer_group_metadata(handle()));
    if (metadata != nullptr) out = RdkGroupMetadata(serialized(*metadata));
    return out;
  }

  void note(rd_kafka_resp_err_t code) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !failed) failed = client->error(code, {}, attempt());
  }

  void take(rd_kafka_topic_partition_list_t& partitions) {
    // 0 is asked of nobody, as a partition that is paused is not fetched; without an offset the committed ones would be.
    for (int i = 0; i < partitions.cnt; ++i) partitions.elems[i].offset = 0;
    note(rd_kafka_assign(handle(), &partitions));
    note(rd_kafka_pause_partitions(handle(), &partitions));
    if (listener != nullptr) listener->assigned(rdk::partitions_of(partitions), metadata());
  }

  void let_go(const rd_kafka_topic_partition_list_t& partitions) {
    if (listener == nullptr) return;
    if (rd_kafka_assignment_lost(handle()) != 0) {
      listener->lost(rdk::partitions_of(partitions));
    } else {
      listener->revoked(rdk::partitions_of(partitions));
    }
  }

  void rebalanced(rd_kafka_resp_err_t what, rd_kafka_topic_partition_list_t* partitions) noexcept override {
    try {
      if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take(*partitions);
        return;
      }
      let_go(*partitions);
    } catch (...) {
      thrown = std::current_exception();
      if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) return;
    }
    // Whatever the listener has done: without it the group would wait for this member for ever.
    if (rd_kafka_assign(handle(), nullptr) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  }

  /// What the callbacks of the last call have left.
  Result<void> outcome() {
    if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
    if (failed) return *std::exchange(failed, std::nullopt);
    return {};
  }
};

RdkGroup::RdkGroup(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RdkGroup::~RdkGroup() {
  parts_->listener = nullptr;
  if (!parts_->is_closed) (void)rd_kafka_consumer_close(parts_->handle());
}

Result<std::unique_ptr<RdkGroup>> RdkGroup::open(const RdkOptions& options, const std::string& group,
                                                 RdkGroupListener& listener, std::shared_ptr<BrokerCauses> causes) {
  auto parts = std::make_unique<Parts>();
  parts->name = group;
  parts->listener = &listener;
  Result<std::unique_ptr<rdk::Client>> client = rdk::Client::open(RdkRole::group, options, group, std::move(causes), *parts);
  if (!client) return client.error();
  parts->client = *std::move(client);
  return std::unique_ptr<RdkGroup>(new RdkGroup(std::move(parts)));
}

Result<void> RdkGroup::subscribe(const std::vector<std::string>& topics) {
  std::vector<TopicPartition> names;
  for (const std::string& topic : topics) names.push_back({topic, PartitionId{RD_KAFKA_PARTITION_UA}});
  const rdk::PartitionList list = rdk::list_of(names);
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(parts_->handle(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return parts_->client->error(code, {}, parts_->attempt());
  return {};
}

Result<void> RdkGroup::poll(Duration timeout) {
  const rdk::Message message(rd_kafka_consumer_poll(parts_->handle(), rdk::timeout_ms(timeout)));
  Result<void> outcome = parts_->outcome();
  if (!outcome || message == nullptr) return outcome;
  // A record is one that was fetched between the assignment and its pause.
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) return {};
  return parts_->client->error(message->err, rd_kafka_message_errstr(message.get()), parts_->attempt());
}

// rd_kafka_consumer_close() takes a queue that yields for one that has timed out: it returns with its work half done, and the
// handle's end waits for the other half for ever (librdkafka 2.0.2).
void RdkGroup::wake() {
  const std::lock_guard lock(parts_->waking);
  if (!parts_->may_wake) return;
  const rdk::Queue queue(rd_kafka_queue_get_consumer(parts_->handle()));
  rd_kafka_queue_yield(queue.get());
}

RdkGroupMetadata RdkGroup::metadata() const { return parts_->metadata(); }

std::string RdkGroup::member_id() const {
  const rdk::Text id(rd_kafka_memberid(parts_->handle()));
  return id == nullptr ? std::string() : std::string(id.get());
}

Result<void> RdkGroup::close() {
  {
    const std::lock_guard lock(parts_->waking);
    parts_->may_wake = false;
  }
  const rd_kafka_resp_err_t code = rd_kafka_consumer_close(parts_->handle());
  parts_->is_closed = true;
  Result<void> outcome = parts_->outcome();
  if (!outcome || code == RD_KAFKA_RESP_ERR_NO_ERROR) return outcome;
  return parts_->client->error(code, {}, parts_->attempt());
}

}  // namespace lungo
