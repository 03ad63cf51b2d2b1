#include "client/kafka_proof.hpp"

#include <string>

namespace lungo {

Result<std::optional<RecordProof>> last_record_below(EventLog& log, const TopicPartition& partition, Offset below) {
  const Result<Ends> ends = log.ends(partition);
  if (!ends) return ends.error();
  if (below <= ends->start) return std::optional<RecordProof>{};
  Result<Fetched> fetched = log.read(partition, below.plus(-1), 1);  // the batch that reaches over that offset
  while (true) {
    if (!fetched) return fetched.error();
    std::optional<RecordProof> last;
    std::optional<Offset> first;
    RecordCursor cursor{fetched->batches(), ends->start};
    while (const RecordView* record = cursor.next()) {
      if (!first) first = record->offset;
      if (record->offset < below) last = record_proof(*record);
    }
    if (last) return last;
    const Offset before = fetched->empty() ? below : fetched->first();
    if (before <= ends->start) return std::optional<RecordProof>{};
    fetched = log.read_back(partition, before, 1);
    if (fetched && (fetched->empty() || fetched->first() >= before)) return std::optional<RecordProof>{};
  }
}

LeaderEpoch proof_word(std::string_view cluster_id, const RecordProof& record) {
  const std::string text = std::to_string(record.offset.value()) + "/" +
                           std::to_string(record.time.time_since_epoch().count()) + "/" + std::to_string(record.crc);
  const std::uint32_t crc =
      record_proof(Offset{0}, {.timestamp = Timestamp{}, .key = as_bytes(cluster_id), .value = as_bytes(text), .headers = {}})
          .crc;
  const std::uint32_t word = crc & 0x7fffffffU;
  return LeaderEpoch{static_cast<std::int32_t>(word == 0 ? 1 : word)};
}

}  // namespace lungo
