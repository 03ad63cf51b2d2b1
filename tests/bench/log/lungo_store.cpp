#include "lungo_store.hpp"

#include <lungo/log/local_event_log.hpp>

namespace lungo::bench {

TopicSpec topic_spec(const std::string& name, Durability durability, std::int32_t partitions) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = partitions;
  spec.ack_level = durability == Durability::synced ? AckLevel::isr_sync : AckLevel::isr;
  spec.flush_interval = std::chrono::hours{24};  // the nearest to "never" that there is
  return spec;
}

AppendRequest request_of(const TopicPartition& to, std::string_view value, std::size_t count, bool caller_waits) {
  constexpr Timestamp kTime{std::chrono::milliseconds{1'700'000'000'000}};
  AppendRequest request{.to = to, .caller_waits = caller_waits};
  for (std::size_t i = 0; i < count; ++i) request.records.add({.timestamp = kTime, .value = as_bytes(value)}).value();
  return request;
}

LungoStore::LungoStore(const std::string& directory, Durability durability) : log_(open_local(directory).value()) {
  static_cast<void>(log_->create_topic(topic_spec(topic_.topic, durability)).value());
}

void LungoStore::append(std::string_view value, std::size_t count) {
  static_cast<void>(append_wait(*log_, request_of(topic_, value, count, true)).value());
}

void LungoStore::append_async(std::string_view value, Completion completion) {
  log_->append(request_of(topic_, value, 1, false), std::move(completion));
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
