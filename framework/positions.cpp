#include "positions.hpp"

#include <algorithm>

#include <lungo/framework/event_decoder.hpp>
#include <lungo/framework/subscription.hpp>

#include "compacted_topic.hpp"

namespace lungo {

namespace {

struct PositionRow {
  static constexpr std::string_view event_name = "lungo.Position";
  std::string reader;
  std::string topic;
  std::array<std::uint8_t, 16> topic_id{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t epoch = -1;
};

}  // namespace

Result<void> prepare_positions(EventStore& store) {
  Result<TopicInfo> topic = internal_topic(store, kPositionsTopic, false);
  if (!topic) return topic.error();
  return store.declare(events<PositionRow>{});
}

Result<PositionMap> load_positions(EventStore& store, std::string_view reader, const std::vector<TopicPartition>& partitions) {
  EventDecoder decoder{store.shapes()};
  decoder.add<PositionRow>();
  PositionMap found;  // chunks come newest first, rows inside a chunk oldest first: an offset says which row is newer
  std::map<TopicPartition, Offset> row_offsets;
  const auto take = [&](const Envelope& envelope) -> Result<void> {
    Result<Decoded> decoded = decoder.decode(envelope);
    if (!decoded) return decoded.error();
    if (decoded->type < 0) return {};
    const auto& row = *static_cast<const PositionRow*>(decoded->event);
    const TopicPartition partition{row.topic, PartitionId{row.partition}};
    if (row.reader != reader || std::ranges::find(partitions, partition) == partitions.end()) return {};
    const auto known = row_offsets.find(partition);
    if (known != row_offsets.end() && known->second > envelope.offset) return {};
    row_offsets.insert_or_assign(partition, envelope.offset);
    found.insert_or_assign(partition,
                           Position{TopicId{row.topic_id}, partition.partition, Offset{row.offset}, LeaderEpoch{row.epoch}});
    return {};
  };
  Result<void> scanned = scan_backwards(store.log(), kPositionsTopic, take, [&] { return found.size() < partitions.size(); });
  if (!scanned) return scanned.error();
  return found;
}

Result<AppendRequest> positions_append(EventStore& store, std::string_view reader, const PositionMap& positions) {
  AppendRequest request{.to = {std::string(kPositionsTopic), PartitionId{0}}, .records = {}, .condition = {}, .since = {}};
  for (const auto& [partition, read] : positions) {
    const Result<Position> kept = store.log().to_store(partition.topic, read);
    if (!kept) return kept.error();
    const Position& position = *kept;
    request.on_behalf_of.push_back(partition);
    const PositionRow row{std::string(reader),        partition.topic,         position.topic.bytes,
                          position.partition.value(), position.offset.value(), position.epoch.value()};
    const std::string key = std::string(reader) + "/" + partition.topic + "/" + std::to_string(position.partition.value());
    Result<void> added = add_row(store.log(), key, row, request.records);
    if (!added) return added.error();
  }
  return request;
}

}  // namespace lungo
