#include "client/rdk_producer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <new>
#include <set>

#include <lungo/log/check.hpp>

#include "client/rdk_client.hpp"

namespace lungo {

namespace {

/// What is left of transaction.timeout.ms: so it is for send_offsets alone. In a commit and an abort librdkafka 2.0.2 would
/// wait for as long as no broker answers.
constexpr int kWhatIsLeft = -1;

/// How long a handle that goes waits for the abort of a transaction that is open.
constexpr int kLastAbortMs = 1'000;

/// As librdkafka tells it, in the callback; what may fail is done outside.
struct RawDelivery {
  std::uint64_t token = 0;
  const rd_kafka_topic_t* topic = nullptr;  // one of Parts::topics
  std::int64_t offset = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_msg_status_t status = RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
};

/// librdkafka takes no bytes at null for no value.
const void* pointer_of(BytesView bytes) { return bytes.data() == nullptr ? "" : static_cast<const void*>(bytes.data()); }

rd_kafka_vu_t argument(rd_kafka_vtype_t type) {
  rd_kafka_vu_t out{};
  out.vtype = type;
  return out;
}

rd_kafka_vu_t argument(rd_kafka_vtype_t type, const std::optional<BytesView>& bytes) {
  rd_kafka_vu_t out = argument(type);
  // It is copied before the call returns, never written to.
  out.u.mem = {bytes ? const_cast<void*>(pointer_of(*bytes)) : nullptr, bytes ? bytes->size() : 0};
  return out;
}

rdk::Headers headers_of(const RecordFields& record) {
  if (record.headers.empty()) return nullptr;
  rdk::Headers headers(rd_kafka_headers_new(record.headers.size()));
  for (const HeaderView& header : record.headers) {
    const void* value = header.has_value ? pointer_of(header.value) : nullptr;
    (void)rd_kafka_header_add(headers.get(), header.name.data(), static_cast<ssize_t>(header.name.size()), value,
                              static_cast<ssize_t>(header.value.size()));
  }
  return headers;
}

RdkRefusal refusal_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return RdkRefusal::record;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return RdkRefusal::topic;
    default:
      return RdkRefusal::none;
  }
}

RdkAttempt writing(const std::string& topic) {
  return {.verb = "write to", .resource = RdkResource::topic, .name = topic, .right = "Write"};
}

}  // namespace

struct RdkProducer::Parts : rdk::Callbacks {
  std::string transactional_id;
  std::size_t under_way = 0;
  std::vector<RawDelivery> delivered_now;         // has room for all that is under way: the callback asks for no memory
  std::optional<RawDelivery> first_failure;       // of this transaction
  std::set<std::string, std::less<>> written_to;  // its topics
  std::unique_ptr<rdk::Client> client;
  std::map<std::string, rdk::Topic, std::less<>> topics;  // go before the client, which waits for them

  [[nodiscard]] rd_kafka_t* handle() const { return client->get(); }
  [[nodiscard]] RdkAttempt attempt(std::string_view verb) const {
    return {.verb = verb, .resource = RdkResource::transactional_id, .name = transactional_id, .right = "Write"};
  }

  void delivered(const rd_kafka_message_t& message) noexcept override {
    --under_way;
    const RawDelivery delivery{.token = std::bit_cast<std::uint64_t>(message._private),
                               .topic = message.rkt,
                               .offset = message.offset,
                               .error = message.err,
                               .status = rd_kafka_message_status(&message)};
    delivered_now.push_back(delivery);
    if (delivery.error != RD_KAFKA_RESP_ERR_NO_ERROR && !first_failure) first_failure = delivery;
  }

  void make_room_for_one_more() {
    const std::size_t wanted = delivered_now.size() + under_way + 1;
    if (wanted > delivered_now.capacity()) delivered_now.reserve(std::max(wanted, 2 * delivered_now.capacity()));
  }

  /// Null when librdkafka refuses the name.
  rd_kafka_topic_t* topic(const std::string& name) {
    if (const auto known = topics.find(name); known != topics.end()) return known->second.get();
    rdk::Topic made(rd_kafka_topic_new(handle(), name.c_str(), nullptr));
    if (made == nullptr) return nullptr;
    return topics.emplace(name, std::move(made)).first->second.get();
  }

  RdkOutcome outcome(const rdk::CallError& error, std::string_view verb) const {
    if (error == nullptr) {
      client->causes().answered();
      return {};
    }
    RdkOutcome out{.next = RdkNext::make_anew, .error = client->error(*error, attempt(verb))};
    // That a record has failed: it knows which topic it was about.
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (first_failure && (code == RD_KAFKA_RESP_ERR__INCONSISTENT || code == first_failure->error)) {
      out.error = failure(*first_failure);
    }
    if (rd_kafka_error_is_fatal(error.get()) != 0) return out;
    if (rd_kafka_error_txn_requires_abort(error.get()) != 0) {
      out.next = RdkNext::abort;
    } else if (rd_kafka_error_is_retriable(error.get()) != 0) {
      out.next = RdkNext::call_again;
    }
    return out;
  }

  Error failure(const RawDelivery& raw) const { return client->error(raw.error, {}, writing(rd_kafka_topic_name(raw.topic))); }

  RdkDelivery told(const RawDelivery& raw) const {
    RdkDelivery out{.token = raw.token};
    if (raw.error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (raw.offset >= 0) out.offset = Offset{raw.offset};
      return out;
    }
    out.error = failure(raw);
    out.refusal = refusal_of(raw.error);
    out.may_be_written = raw.status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    return out;
  }
};

RdkProducer::RdkProducer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RdkProducer::~RdkProducer() {
  // librdkafka 2.0.2 aborts the process (an assertion about txn_req_cnt) when a handle goes while it is about to add a
  // partition to a transaction. One that is being aborted adds none; a time-out of 0 would not get so far.
  if (!parts_->transactional_id.empty())
    const rdk::CallError ignored(rd_kafka_abort_transaction(parts_->handle(), kLastAbortMs));
}

Result<std::unique_ptr<RdkProducer>> RdkProducer::open(const RdkOptions& options, const std::string& transactional_id,
                                                       std::shared_ptr<BrokerCauses> causes) {
  auto parts = std::make_unique<Parts>();
  parts->transactional_id = transactional_id;
  Result<std::unique_ptr<rdk::Client>> client =
      rdk::Client::open(RdkRole::producer, options, transactional_id, std::move(causes), *parts);
  if (!client) return client.error();
  parts->client = *std::move(client);
  return std::unique_ptr<RdkProducer>(new RdkProducer(std::move(parts)));
}

const std::string& RdkProducer::transactional_id() const { return parts_->transactional_id; }

Result<void> RdkProducer::warm_up(const std::vector<std::string>& topics, Duration timeout) {
  for (const std::string& name : topics) {
    if (parts_->topic(name) == nullptr) return parts_->client->error(rd_kafka_last_error(), {}, writing(name));
  }
  const struct rd_kafka_metadata* found = nullptr;  // of all topics that the handle knows
  const rd_kafka_resp_err_t code = rd_kafka_metadata(parts_->handle(), 0, nullptr, &found, rdk::timeout_ms(timeout));
  const rdk::Metadata owner(found);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return parts_->client->error(code, {}, {.verb = "list the topics", .name = {}, .right = "Describe"});
  }
  parts_->client->causes().answered();
  return {};
}

// ---- records ----

Result<void> RdkProducer::produce(const TopicPartition& to, const RecordFields& record, std::uint64_t token) {
  const std::int64_t time = record.timestamp.time_since_epoch().count();
  if (time == 0) {
    return Error{Errc::invalid_argument,
                 "a record for topic " + to.topic + " has the time 0, which Kafka's clients take for now"};
  }
  rd_kafka_topic_t* topic = parts_->topic(to.topic);
  if (topic == nullptr) return parts_->client->error(rd_kafka_last_error(), {}, writing(to.topic));
  parts_->make_room_for_one_more();
  rdk::Headers headers = headers_of(record);
  std::array arguments{argument(RD_KAFKA_VTYPE_RKT),
                       argument(RD_KAFKA_VTYPE_PARTITION),
                       argument(RD_KAFKA_VTYPE_MSGFLAGS),
                       argument(RD_KAFKA_VTYPE_TIMESTAMP),
                       argument(RD_KAFKA_VTYPE_OPAQUE),
                       argument(RD_KAFKA_VTYPE_KEY, record.key),
                       argument(RD_KAFKA_VTYPE_VALUE, record.value),
                       argument(RD_KAFKA_VTYPE_HEADERS)};
  arguments[0].u.rkt = topic;
  arguments[1].u.i32 = to.partition.value();
  arguments[2].u.i = RD_KAFKA_MSG_F_COPY;
  arguments[3].u.i64 = time;
  arguments[4].u.ptr = std::bit_cast<void*>(token);
  arguments[7].u.headers = headers.get();
  const std::size_t count = headers == nullptr ? arguments.size() - 1 : arguments.size();
  const rdk::CallError error(rd_kafka_produceva(parts_->handle(), arguments.data(), count));
  if (error != nullptr) return parts_->client->error(*error, writing(to.topic));
  (void)headers.release();  // the message's now
  ++parts_->under_way;
  if (!parts_->written_to.contains(to.topic)) parts_->written_to.insert(to.topic);
  return {};
}

std::vector<RdkDelivery> RdkProducer::poll(Duration timeout) {
  rd_kafka_poll(parts_->handle(), parts_->delivered_now.empty() ? rdk::timeout_ms(timeout) : 0);
  std::vector<RdkDelivery> out;
  out.reserve(parts_->delivered_now.size());
  for (const RawDelivery& raw : parts_->delivered_now) out.push_back(parts_->told(raw));
  parts_->delivered_now.clear();
  return out;
}

bool RdkProducer::wait_for_acks(Duration timeout) {
  (void)rd_kafka_flush(parts_->handle(), rdk::timeout_ms(timeout));
  return parts_->under_way == 0;
}

// To begin another one asks, and changes nothing: the answer is what has failed, or that one is open.
std::optional<Error> RdkProducer::ended_by() {
  const rdk::CallError error(rd_kafka_begin_transaction(parts_->handle()));
  if (error == nullptr || rd_kafka_error_txn_requires_abort(error.get()) == 0) return std::nullopt;
  if (parts_->written_to.size() != 1) return parts_->client->error(*error, parts_->attempt("write under"));
  return parts_->client->error(*error, writing(*parts_->written_to.begin()));
}

// ---- transactions ----

RdkOutcome RdkProducer::init(Duration timeout) {
  return parts_->outcome(rdk::CallError(rd_kafka_init_transactions(parts_->handle(), rdk::timeout_ms(timeout))), "write under");
}

RdkOutcome RdkProducer::begin() {
  parts_->first_failure.reset();
  parts_->written_to.clear();
  return parts_->outcome(rdk::CallError(rd_kafka_begin_transaction(parts_->handle())), "begin a transaction under");
}

RdkOutcome RdkProducer::send_offsets(const std::vector<RdkOffset>& offsets, const RdkGroupMetadata& metadata) {
  constexpr std::string_view kVerb = "commit offsets under";
  check(!metadata.empty() && !offsets.empty(), "offsets are some member's, and there are some");
  rd_kafka_consumer_group_metadata_t* read = nullptr;
  const rdk::CallError unreadable(
      rd_kafka_consumer_group_metadata_read(&read, metadata.serialized().data(), metadata.serialized().size()));
  const rdk::ConsumerGroupMetadata group(read);
  if (unreadable != nullptr) return parts_->outcome(unreadable, kVerb);
  const rdk::PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const RdkOffset& offset : offsets) {
    rd_kafka_topic_partition_t* element =
        rd_kafka_topic_partition_list_add(list.get(), offset.partition.topic.c_str(), offset.partition.partition.value());
    element->offset = offset.offset.value();
    if (offset.metadata.empty()) continue;
    element->metadata = rd_kafka_mem_malloc(nullptr, offset.metadata.size());  // the list's, which frees it
    if (element->metadata == nullptr) throw std::bad_alloc();
    element->metadata_size = offset.metadata.size();
    std::ranges::copy(offset.metadata, static_cast<char*>(element->metadata));
  }
  return parts_->outcome(
      rdk::CallError(rd_kafka_send_offsets_to_transaction(parts_->handle(), list.get(), group.get(), kWhatIsLeft)), kVerb);
}

RdkOutcome RdkProducer::commit(Duration timeout) {
  return parts_->outcome(rdk::CallError(rd_kafka_commit_transaction(parts_->handle(), rdk::timeout_ms(timeout))),
                         "commit under");
}

RdkOutcome RdkProducer::abort(Duration timeout) {
  return parts_->outcome(rdk::CallError(rd_kafka_abort_transaction(parts_->handle(), rdk::timeout_ms(timeout))), "abort under");
}

}  // namespace lungo
