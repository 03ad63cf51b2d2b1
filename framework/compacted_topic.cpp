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
  constexpr std::size_t kFirstBytes =
      4u << 10;  // rows are written again and again: the last few usually have all that is wanted
  constexpr std::size_t kBytesMax = 1u << 20;
  const TopicPartition partition{std::string(topic), PartitionId{0}};
  Result<Ends> ends = log.ends(partition);
  if (!ends && ends.error() == Errc::not_found) return {};
  if (!ends) return ends.error();

  Envelope envelope;
  Offset end = ends->committed;
  for (std::size_t bytes = kFirstBytes; wants_more(); bytes = std::min(2 * bytes, kBytesMax)) {
    Result<Fetched> chunk = log.read_back(partition, end, bytes);
    if (!chunk) return chunk.error();
    if (chunk->empty()) break;
    RecordCursor cursor = chunk->records();
    while (const RecordView* record = cursor.next()) {
      Result<void> taken = parse_envelope_into(partition.topic, partition.partition, *record, envelope);
      if (taken) taken = take(envelope);
      if (!taken) return taken;
    }
    if (cursor.error()) return *cursor.error();
    end = chunk->first();
  }
  return {};
}

}  // namespace lungo
