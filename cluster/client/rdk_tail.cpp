#include "client/rdk_tail.hpp"

#include <optional>

#include "client/rdk_client.hpp"
#include "client/rdk_ends.hpp"

namespace lungo {

namespace {

/// A pointer that is not null makes a value of no bytes; null is no value.
std::optional<BytesView> view_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return BytesView(static_cast<const std::byte*>(bytes), size);
}

std::vector<HeaderView> headers_of(const rd_kafka_message_t& message) {
  std::vector<HeaderView> out;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return out;  // it has none
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  out.reserve(rd_kafka_header_cnt(headers));
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    out.push_back({.name = name, .value = view_of(value, size).value_or(BytesView{}), .has_value = value != nullptr});
  }
  return out;
}

RdkRecord record_of(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t time = rd_kafka_message_timestamp(&message, &kind);
  return {.offset = Offset{message.offset},
          .time = Timestamp{std::chrono::milliseconds{time}},
          .time_kind = kind == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? TimestampKind::log_append : TimestampKind::create,
          .key = view_of(message.key, message.key_len),
          .value = view_of(message.payload, message.len),
          .headers = headers_of(message)};
}

rdk::PartitionList list_of_starts(const std::vector<RdkStart>& starts) {
  rdk::PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(starts.size())));
  for (const RdkStart& start : starts) {
    rd_kafka_topic_partition_list_add(list.get(), start.partition.topic.c_str(), start.partition.partition.value())->offset =
        start.from.value();
  }
  return list;
}

RdkAttempt reading(const std::string& topic) {
  return {.verb = "read", .resource = RdkResource::topic, .name = topic, .right = "Read"};
}
const RdkAttempt kReading{.verb = "read", .name = {}, .right = "Read"};

}  // namespace

struct RdkFetched::Messages {
  std::vector<rdk::Message> all;
};
RdkFetched::RdkFetched() : messages_(std::make_unique<Messages>()) {}
RdkFetched::~RdkFetched() = default;
RdkFetched::RdkFetched(RdkFetched&&) noexcept = default;
RdkFetched& RdkFetched::operator=(RdkFetched&&) noexcept = default;

struct RdkTail::Parts : rdk::Callbacks {
  std::unique_ptr<rdk::Client> client;

  [[nodiscard]] rd_kafka_t* handle() const { return client->get(); }

  Result<void> outcome(rd_kafka_resp_err_t code) const {
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return client->error(code, {}, kReading);
  }
  Result<void> outcome(const rdk::CallError& error) const {
    if (error == nullptr) return {};
    return client->error(*error, kReading);
  }
  /// Of a call that answers per partition: the first that failed.
  Result<void> outcome(const rd_kafka_topic_partition_list_t& list) const {
    for (const rd_kafka_topic_partition_t& element : rdk::elements_of(list)) {
      if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) return client->error(element.err, {}, reading(element.topic));
    }
    return {};
  }

  /// What a message without a record says of its partition.
  void take_note(const rd_kafka_message_t& message, RdkRun& run) const {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      run.end = Offset{message.offset};
      return;
    }
    const Error error = client->error(message.err, rd_kafka_message_errstr(&message), reading(run.partition.topic));
    const bool names_offset = message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && message.offset >= 0;
    run.error = names_offset ? Error{error.code(), std::string(error.text()), Offset{message.offset}} : error;
  }
};

RdkTail::RdkTail(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RdkTail::~RdkTail() = default;

Result<std::unique_ptr<RdkTail>> RdkTail::open(const RdkOptions& options, const std::string& group,
                                               std::shared_ptr<BrokerCauses> causes) {
  auto parts = std::make_unique<Parts>();
  Result<std::unique_ptr<rdk::Client>> client = rdk::Client::open(RdkRole::tail, options, group, std::move(causes), *parts);
  if (!client) return client.error();
  parts->client = *std::move(client);
  return std::unique_ptr<RdkTail>(new RdkTail(std::move(parts)));
}

Result<void> RdkTail::assign(const std::vector<RdkStart>& starts) {
  return parts_->outcome(rd_kafka_assign(parts_->handle(), list_of_starts(starts).get()));
}

Result<void> RdkTail::add(const std::vector<RdkStart>& starts) {
  return parts_->outcome(rdk::CallError(rd_kafka_incremental_assign(parts_->handle(), list_of_starts(starts).get())));
}

Result<void> RdkTail::remove(const std::vector<TopicPartition>& partitions) {
  return parts_->outcome(rdk::CallError(rd_kafka_incremental_unassign(parts_->handle(), rdk::list_of(partitions).get())));
}

Result<RdkFetched> RdkTail::poll(Duration timeout, std::size_t records_max) {
  RdkFetched fetched;
  std::size_t records = 0;
  // What comes of one partition comes in a row, as its fetch brought it.
  for (int wait = rdk::timeout_ms(timeout); records < records_max; wait = 0) {
    rdk::Message message(rd_kafka_consumer_poll(parts_->handle(), wait));
    if (message == nullptr) break;
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) return parts_->client->error(message->err, {}, kReading);
    // What is said of no partition is about the group, which this handle has no use for.
    if (message->rkt == nullptr || message->partition < 0) continue;
    const std::string_view topic = rd_kafka_topic_name(message->rkt);
    const PartitionId partition{message->partition};
    RdkRun* run = fetched.runs.empty() ? nullptr : &fetched.runs.back();
    if (run == nullptr || run->end || run->error || run->partition.partition != partition || run->partition.topic != topic) {
      run = &fetched.runs.emplace_back(RdkRun{.partition = {std::string(topic), partition}});
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      parts_->take_note(*message, *run);
      continue;
    }
    ++records;
    run->records.push_back(record_of(*message));
    fetched.messages_->all.push_back(std::move(message));
  }
  if (records > 0) parts_->client->causes().answered();
  return fetched;
}

void RdkTail::wake() {
  const rdk::Queue queue(rd_kafka_queue_get_consumer(parts_->handle()));
  rd_kafka_queue_yield(queue.get());
}

Result<void> RdkTail::pause(const std::vector<TopicPartition>& partitions) {
  const rdk::PartitionList list = rdk::list_of(partitions);
  const Result<void> paused = parts_->outcome(rd_kafka_pause_partitions(parts_->handle(), list.get()));
  return paused ? parts_->outcome(*list) : paused;
}

Result<void> RdkTail::resume(const std::vector<TopicPartition>& partitions) {
  const rdk::PartitionList list = rdk::list_of(partitions);
  const Result<void> resumed = parts_->outcome(rd_kafka_resume_partitions(parts_->handle(), list.get()));
  return resumed ? parts_->outcome(*list) : resumed;
}

Result<void> RdkTail::seek(const RdkStart& start) {
  // Not by librdkafka's seek, which refuses a partition that has stopped because its offset is gone.
  const Result<void> removed = remove({start.partition});
  return removed ? add({start}) : removed;
}

Result<Offset> RdkTail::stable_end(const TopicPartition& partition, Duration timeout) {
  return rdk::ends(*parts_->client, {&partition, 1}, rdk::End::last, timeout).front();
}

}  // namespace lungo
