#include "compacted_topic.hpp"

#include <algorithm>

namespace lungo {

Result<TopicInfo> internal_topic(EventStore& store, std::string_view name, bool indexed) {
  if (store.log().read_only()) return store.topic(name);
  TopicSpec spec;
  spec.name = name;
  spec.partitions = 1;
  spec.streams = indexed;
  spec.compact = true;
  return store.log().create_topic(spec);
}

Result<void> scan_backwards(EventLog& log, std::string_view topic, const std::function<Result<void>(const Envelope&)>& take,
                            const std::function<bool()>& wants_more) {
  constexpr std::int64_t kFirstWindow = 16;  // rows are written again and again: the last few usually have all that is wanted
  constexpr std::size_t kChunkBytes = 1u << 20;
  const TopicPartition partition{std::string(topic), PartitionId{0}};
  Result<Ends> ends = log.ends(partition);
  if (!ends && ends.error() == Errc::not_found) return {};
  if (!ends) return ends.error();

  Envelope envelope;
  Offset end = ends->committed;
  for (std::int64_t window = kFirstWindow; end > ends->start && wants_more(); window *= 2) {
    const Offset begin = std::max(ends->start, end.plus(-window));
    for (Offset at = begin; at < end;) {
      Result<Fetched> chunk = log.read(partition, at, kChunkBytes);
      if (!chunk) return chunk.error();
      if (chunk->empty()) break;
      RecordCursor cursor = chunk->records();
      const RecordView* record = cursor.next();
      for (; record != nullptr && record->offset < end; record = cursor.next()) {
        Result<void> taken = parse_envelope_into(partition.topic, partition.partition, *record, envelope);
        if (taken) taken = take(envelope);
        if (!taken) return taken;
      }
      if (cursor.error()) return *cursor.error();
      at = chunk->next().offset;
    }
    end = begin;
  }
  return {};
}

}  // namespace lungo
