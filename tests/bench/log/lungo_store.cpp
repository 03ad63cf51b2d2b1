#include "lungo_store.hpp"

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

namespace lungo::bench {

TopicSpec topic_spec(const std::string& name, Durability durability, std::int32_t partitions) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = partitions;
  spec.ack_level = durability == Durability::synced ? AckLevel::isr_sync : AckLevel::isr;
  spec.flush_interval = kFlushNever;
  return spec;
}

namespace {

constexpr Timestamp kTime{std::chrono::milliseconds{1'700'000'000'000}};

}  // namespace

AppendRequest request_of(const TopicPartition& to, std::string_view value, std::size_t count, bool caller_waits) {
  AppendRequest request{.to = to, .caller_waits = caller_waits};
  for (std::size_t i = 0; i < count; ++i) request.records.add({.timestamp = kTime, .value = as_bytes(value)}).value();
  return request;
}

LungoStore::LungoStore(const std::string& directory, Durability durability) : directory_(directory) {
  reopen();
  static_cast<void>(log_->create_topic(topic_spec(topic_.topic, durability)).value());
  appender_ = log_->appender(topic_).value();
}

void LungoStore::append(std::string_view value, std::size_t count) {
  if (count == 1) {
    static_cast<void>(appender_->append_wait({.timestamp = kTime, .value = as_bytes(value)}).value());
    return;
  }
  thread_local EncodedRecords records;  // as a producer keeps them
  records.clear();
  for (std::size_t i = 0; i < count; ++i) records.add({.timestamp = kTime, .value = as_bytes(value)}).value();
  static_cast<void>(appender_->append_wait(records).value());
}

void LungoStore::append_async(std::string_view value, Completion completion) {
  appender_->append({.timestamp = kTime, .value = as_bytes(value)}, std::move(completion));
}

void LungoStore::sync() {
  static_cast<void>(appender_->append_wait({.timestamp = kTime}, {.durability = lungo::Durability::synced}).value());
}

std::uint64_t LungoStore::scan() {
  std::uint64_t bytes = 0;
  for (Offset from{0};;) {
    const Fetched fetched = log_->read(topic_, from, 256u << 10).value();
    if (fetched.empty()) return bytes;
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) bytes += record->value.size();
    from = fetched.next().offset;
  }
}

void LungoStore::reopen() {
  log_.reset();
  log_ = open_local(directory_).value();
}

std::uint64_t LungoStore::read_batches() {
  std::uint64_t bytes = 0;
  for (Offset from{0};;) {
    const Fetched fetched = log_->read(topic_, from, 256u << 10).value();
    if (fetched.empty()) return bytes;
    bytes += fetched.batches().size();
    from = fetched.next().offset;
  }
}

}  // namespace lungo::bench
