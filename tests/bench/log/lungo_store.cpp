#include <lungo/log/local_event_log.hpp>

#include "store.hpp"

namespace lungo::bench {
namespace {

class LungoStore final : public Store {
 public:
  LungoStore(const std::string& directory, Durability durability) : log_(open_local(directory).value()) {
    TopicSpec spec;
    spec.name = topic_.topic;
    spec.partitions = 1;
    spec.ack_level = durability == Durability::synced ? AckLevel::isr_sync : AckLevel::isr;
    static_cast<void>(log_->create_topic(spec).value());
  }

  void append(std::string_view value, std::size_t count) override {
    AppendRequest request{.to = topic_, .caller_waits = true};
    const Timestamp now = log_->ports().clock.now();
    for (std::size_t i = 0; i < count; ++i) request.records.add({.timestamp = now, .value = as_bytes(value)}).value();
    static_cast<void>(append_wait(*log_, std::move(request)).value());
  }

  std::uint64_t scan() override {
    std::uint64_t bytes = 0;
    for (Offset from{0};;) {
      const Fetched fetched = log_->read(topic_, from, 256u << 10).value();
      if (fetched.empty()) return bytes;
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) bytes += record->value.size();
      from = fetched.next().offset;
    }
  }

 private:
  TopicPartition topic_{"bench", PartitionId{0}};
  std::shared_ptr<EventLog> log_;
};

}  // namespace

std::unique_ptr<Store> lungo_store(const std::string& directory, Durability durability) {
  return std::make_unique<LungoStore>(directory, durability);
}

}  // namespace lungo::bench
